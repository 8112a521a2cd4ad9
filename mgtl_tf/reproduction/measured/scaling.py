"""How cost grows with size, as `benchmarks.scaling` measured it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.reproduction.measured.amounts import (
    in_bytes,
    in_time,
    short_count,
    two_digits,
)
from mgtl_tf.reproduction.measured.recorded import (
    read_recorded,
    recorded_folder,
)
from mgtl_tf.retrieval.report.charts import COLORS, new_figure
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import parse_json
from mgtl_tf.utils.plain_files import UnfitFileError

TIMES = 10
"""The next size that is spoken of: so many times the largest one."""

PLOTS = "scaling.svg"

_CROPS = (10**7, 10**9)
"""A city and a country."""
_WEEK, _DAY = 604_800.0, 86_400.0
_COLUMNS = 2


@dataclass(frozen=True)
class Curve:
    """One kind of work at several sizes.

    Attributes:
        work: its name.
        unit: what its sizes count.
        sizes: ascending, at least one.
        seconds: of each, by the clock.
        megabytes: the most memory that each took.
    """

    work: str
    unit: str
    sizes: list[int]
    seconds: list[float]
    megabytes: list[float]

    @property
    def time_exponent(self) -> float:
        """p of: time grows as size^p; NaN of one size."""
        return _exponent(self.sizes, self.seconds)

    @property
    def memory_exponent(self) -> float:
        """The same of memory."""
        return _exponent(self.sizes, self.megabytes)

    def beyond(self, times: float) -> tuple[float, float]:
        """Seconds and megabytes of so many times the largest size."""
        time, memory = self.time_exponent, self.memory_exponent
        return (
            self.seconds[-1] * times**time,
            self.megabytes[-1] * times**memory,
        )


@dataclass(frozen=True)
class Scaling:
    """All curves of a run of the benchmark.

    Attributes:
        curves: by work, in the order in which they are shown.
        facts: what else the arithmetic needs: `ray_images`, images of each
            point of Ray's curve; `descriptor_bytes`, of the model that
            described them; `size` and `filled_size`, D of what was searched and
        of what Milvus was filled with.
    """

    curves: list[Curve]
    facts: dict[str, float]

    def curve(self, work: str) -> Curve:
        """The curve of a work.

        Raises:
            UserError: where it was not measured.
        """
        for curve in self.curves:
            if curve.work == work:
                return curve
        raise UserError(f"scaling: {work} was not measured; record it again")


def recorded_scaling(docs: Path) -> tuple[str, Scaling] | None:
    """What was recorded of benchmarks.scaling, the full sizes first.

    Returns:
        where and when, a line of text, and the curves; None without a record.

    Raises:
        UserError: for a file that cannot be read.
    """
    for name in ("scaling-full", "scaling"):
        path = recorded_folder(docs) / f"{name}.json"
        if path.is_file():
            found = read_recorded(path)
            return found.heading, _curves(found.output[-1], path)
    return None


def _curves(line: str, path: Path) -> Scaling:
    """Those in the line of JSON that the benchmark prints last."""
    try:
        return parse_json(line, Scaling)
    except UnfitFileError as error:
        raise UserError(
            f"{path}: its last line holds no curves ({error}); record"
            " benchmarks.scaling again"
        ) from error


def growth_rows(found: Scaling) -> list[list[str]]:
    """A table: what each work took, how it grows, and what follows."""
    rows = [
        ["work", "sizes", "time at the largest", "time grows as"]
        + ["memory", "memory grows as", f"{TIMES} times as many would take"]
    ]
    rows.append(["---"] * len(rows[0]))
    for curve in found.curves:
        seconds, megabytes = curve.beyond(TIMES)
        sizes = f"{curve.sizes[0]:,} to {curve.sizes[-1]:,} {curve.unit}"
        rows.append(
            [
                curve.work,
                sizes,
                in_time(curve.seconds[-1]),
                _power(curve.time_exponent),
                in_bytes(1e6 * curve.megabytes[-1]),
                _power(curve.memory_exponent),
                f"{in_time(seconds)}, {in_bytes(1e6 * megabytes)}",
            ]
        )
    return rows


def crop_rows(found: Scaling) -> list[list[str]]:
    """A table: what galleries of a city and of a country would take.

    Rates of one core are taken times the number of cores; what reads all
    descriptors is taken as proportional to their bytes.
    """
    ray, search = found.curve("Ray"), found.curve("search")
    size = found.facts["descriptor_bytes"]
    rate = found.facts["ray_images"] / (ray.seconds[0] * ray.sizes[0])
    searched = 4 * found.facts["size"] * search.sizes[-1]
    filled = found.curve("Milvus")
    # Bytes a second: longer descriptors are fewer.
    taken = 4 * found.facts["filled_size"] * filled.sizes[-1]
    written = taken / filled.seconds[-1]
    rows = [
        ["crops", "describing them", "cores that need a week"]
        + ["descriptors", "into Milvus, by one client"]
        + ["one exact query (of 16 at once), one machine"]
    ]
    rows.append(["---"] * len(rows[0]))
    for crops in _CROPS:
        query = search.seconds[-1] * crops * size / searched
        rows.append(
            [
                f"{crops:,}",
                f"{crops / rate / _DAY:,.0f} core days",
                f"{np.ceil(crops / rate / _WEEK):,.0f}",
                in_bytes(crops * size),
                in_time(crops * size / written),
                in_time(query),
            ]
        )
    return rows


def draw_recorded_scaling(docs: Path) -> None:
    """Writes the plots of what was recorded, where there is a record.

    Raises:
        UserError: for a file that cannot be read or written.
    """
    if recorded := recorded_scaling(docs):
        draw_scaling(recorded[1], docs / "results" / PLOTS)


def draw_scaling(found: Scaling, path: Path) -> None:
    """Time and memory against size, both logarithmic, a panel a work.

    Args:
        found: the curves.
        path: of the SVG file.
    """
    count = len(found.curves)
    rows = -(-count // _COLUMNS)
    with new_figure(path, 4.0 * _COLUMNS, 2.8 * rows) as figure:
        axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
        for axis, curve in zip(axes, found.curves, strict=False):
            _panel(axis, curve)
        for axis in axes[count:]:
            axis.set_visible(False)


def _panel(axis: Any, curve: Curve) -> None:
    both = (
        (axis, curve.seconds, "s", COLORS[0]),
        (axis.twinx(), curve.megabytes, "MB", COLORS[1]),
    )
    for own, values, unit, color in both:
        own.loglog(curve.sizes, values, "o-", color=color)
        own.set_ylabel(unit, color=color)
        # Labelled even where all values are within a power of ten.
        ticks = np.geomspace(min(values), max(values), 3)
        own.set_yticks(ticks, [two_digits(tick) for tick in ticks])
        own.minorticks_off()
    axis.set_xticks(curve.sizes, [short_count(size) for size in curve.sizes])
    axis.set_xlabel(curve.unit)
    axis.set_title(curve.work, loc="left")


def _power(exponent: float) -> str:
    return "" if np.isnan(exponent) else f"size^{exponent:.2f}"


def _exponent(sizes: Sequence[int], values: Sequence[float]) -> float:
    """The slope of a line through the logarithms."""
    if len(sizes) < 2 or min(values) <= 0:
        return float("nan")
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])
