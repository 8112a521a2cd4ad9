"""A table of the paper as a grid: our columns, then the paper's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mgtl_tf.tables.bootstrap import Difference
from mgtl_tf.tables.bootstrap import paired_difference
from mgtl_tf.tables.grid import Grid
from mgtl_tf.tables.paper import RECALLS
from mgtl_tf.tables.paper import PaperRow
from mgtl_tf.tables.paper import paper_rows
from mgtl_tf.tables.results import RowResult

_PAPER_DATA = {"cvusa": "CVUSA", "cvact": "CVACT_val"}
_NO_FLOPS = (
    "The paper's FLOPs cannot be had: at 112 x 616 one VGG-16 branch alone"
    " takes 21.1 G multiply-adds."
)
_NO_72M = (
    "72.29M cannot be had: no reading of the paper gives it, and its own"
    " Table 2 says 79.27M of the same model."
)


@dataclass(frozen=True)
class Context:
    """What a table's caption must say.

    Attributes:
        study: name of the benchmark or data set.
        measured_on: what recall is of, in words.
        seeds: of every row.
        gallery_size: N.
        notes: further lines, such as "w/o CMI was not run".
    """

    study: str
    measured_on: str
    seeds: Sequence[int]
    gallery_size: int
    notes: Sequence[str] = ()


def table_grid(
    number: int, rows: Sequence[RowResult], context: Context
) -> Grid:
    """Table `number` with our figures and the paper's side by side.

    Args:
        number: 1 to 4.
        rows: ours, in the order of the table; rows of the paper that are
            not among them are shown with the paper's figures alone.
        context: for the caption.
    """
    if number == 3:
        return _complexity_grid(rows, context)
    ours = {row.key: row for row in rows}
    listed = paper_rows(number)
    differences = differences_of(number, rows)
    lines = []
    for paper in listed:
        row = ours.pop(paper.row, None)
        lines.append(_line(number, paper, row, differences))
    for row in ours.values():
        lines.append(_line(number, None, row, differences))
    return Grid(
        f"Table {number}. {context.measured_on}",
        _heads(number, context),
        lines,
        [*_notes(number, rows, context), *context.notes],
    )


def differences_of(
    number: int, rows: Sequence[RowResult]
) -> dict[str, tuple[str, Difference]]:
    """Row key to (title of the row it is compared with, difference).

    Tables 1 and 2 compare with the row before, Table 4 with L = 6.
    """
    run = [row for row in rows if row.seeds]
    found = {}
    for index, row in enumerate(run):
        other = run[index - 1] if index else None
        if number == 4:
            others = (r for r in run if r.key == "with_cmi")
            other = next(others, None)
        if other is not None and other.key != row.key:
            found[row.key] = (
                other.title,
                paired_difference(row.ranks, other.ranks),
            )
    return found


def _heads(number: int, context: Context) -> list[str]:
    heads = ["row", *(f"{name}, ours" for name in RECALLS), "r@1 less that of"]
    if number == 2:
        heads += ["parameters, ours at the paper's size"]
        heads += ["multiply-adds a pair, same", "parameters, paper"]
        heads += ["FLOPs, paper"]
    return [
        *heads,
        *(
            f"{name}, paper, {data}"
            for data in _PAPER_DATA.values()
            for name in RECALLS
        ),
    ]


def _line(
    number: int,
    paper: PaperRow | None,
    row: RowResult | None,
    differences: dict[str, tuple[str, Difference]],
) -> list[str]:
    title = row.title if row else paper.title if paper else ""
    line = [title]
    line += [_recall(row, name) if row else "" for name in RECALLS]
    line += [difference_text(differences.get(row.key)) if row else ""]
    if number == 2:
        line += _cost(row)
        line += [paper.parameters, paper.flops] if paper else ["", ""]
    for data in _PAPER_DATA:
        cells = paper.recalls.get(data, {}) if paper else {}
        line += [f"{cells[n]:.2f}" if n in cells else "" for n in RECALLS]
    return line


def _recall(row: RowResult, name: str) -> str:
    """Per cent: mean and standard deviation over seeds."""
    mean, spread = 100 * row.mean(name), 100 * row.spread(name)
    if math.isnan(mean):
        return "not run"
    return f"{mean:.2f}" if math.isnan(spread) else f"{mean:.2f} ± {spread:.2f}"


def difference_text(found: tuple[str, Difference] | None) -> str:
    """Points, their 95 % interval, and whether that is more than noise."""
    if found is None:
        return ""
    other, value = found
    verdict = "beyond noise" if value.beyond_noise else "within noise"
    return (
        f"{other}: {100 * value.mean:+.2f}"
        f" [{100 * value.low:+.2f}, {100 * value.high:+.2f}], {verdict}"
    )


def _cost(row: RowResult | None) -> list[str]:
    if row is None or row.complexity is None:
        return ["", ""]
    return [
        f"{row.complexity['parameters']:,}",
        f"{row.complexity['multiply_adds'] / 1e9:.2f} G",
    ]


def _notes(
    number: int, rows: Sequence[RowResult], context: Context
) -> list[str]:
    seeds = ", ".join(map(str, context.seeds))
    notes = [
        f"Ours: per cent, ground to satellite, mean ± standard deviation over"
        f" seeds {seeds}; gallery of {context.gallery_size:,} places; ties"
        " count against the model (R20).",
        "The difference's interval holds 95 % of 10,000 paired resamples of"
        " the queries; beyond noise: it leaves out zero, and the difference is"
        " more than twice the standard error over seeds.",
    ]
    if context.study.startswith("procedural"):
        notes.append(
            "Ours are on a made world, from random weights, with a small"
            " network: they are not CVUSA or CVACT results and are not to be"
            " compared with the paper's columns cell by cell, only in order."
        )
    if number == 2:
        notes.append(_NO_FLOPS)
    return notes


def _complexity_grid(rows: Sequence[RowResult], context: Context) -> Grid:
    heads = [
        "row",
        "parameters, ours at the paper's size",
        "multiply-adds a pair",
        "descriptor, bytes",
        "one panorama, ms",
        "batch of 16, ms a panorama",
        "peak memory, MB",
        "backbone and parameters, paper",
    ]
    ours = {row.key: row for row in rows}
    lines = []
    for paper in paper_rows(3):
        row = ours.get(paper.row)
        title = row.title if row else paper.title
        own = _measured(row) if row and row.complexity else [""] * 6
        lines.append([title, *own, f"{paper.title}: {paper.parameters}"])
    notes = [_NO_72M, "Time and memory are of the machine named above."]
    return Grid("Table 3. Complexity", heads, lines, [*notes, *context.notes])


def _measured(row: RowResult) -> list[str]:
    cost = row.complexity or {}
    peak = cost.get("peak_bytes")
    return [
        f"{cost['parameters']:,}",
        f"{cost['multiply_adds'] / 1e9:.2f} G",
        f"{cost['descriptor_bytes']:,}",
        f"{1e3 * cost['one_seconds']:.1f}",
        f"{1e3 * cost['batch_seconds'] / cost['batch']:.1f}",
        "unknown" if peak is None else f"{peak / 1e6:,.0f}",
    ]


def controls_grid(rows: Sequence[RowResult], context: Context) -> Grid:
    """Rows that are in no table of the paper, each against w/ CMI."""
    reference = next((row for row in rows if row.key == "with_cmi"), None)
    lines = []
    for row in rows:
        other = None
        if row.seeds and reference and reference.seeds and row != reference:
            value = paired_difference(row.ranks, reference.ranks)
            other = (reference.title, value)
        cells = [_recall(row, name) for name in RECALLS]
        lines.append([row.title, *cells, difference_text(other)])
    heads = ["row", *(f"{name}, ours" for name in RECALLS), "r@1 less that of"]
    notes = [*_notes(0, rows, context), *context.notes]
    return Grid(f"Controls. {context.measured_on}", heads, lines, notes)
