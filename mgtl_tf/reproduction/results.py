"""What finished runs measured, by row and seed; tables of such rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mgtl_tf.config import RunConfig
from mgtl_tf.evaluation.ranks import Ranks, read_ranks
from mgtl_tf.evaluation.tile_ranks import summary as summary_of_tiles
from mgtl_tf.metrics import summary
from mgtl_tf.reproduction.comparison import Difference
from mgtl_tf.reproduction.paper import RECALLS
from mgtl_tf.reproduction.rows import TODAY
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.training.logs import read_metrics

CONTROLS, CONDITION, WARM, SEARCH = 0, -1, -2, -3
"""Numbers of the tables that the paper does not have."""

_HEADINGS = {
    CONTROLS: "Controls",
    CONDITION: "Distractors",
    WARM: "Table 2w",
    SEARCH: "Search",
    TODAY: "Table today",
}


@dataclass(frozen=True)
class FurtherResult:
    """A run measured on further data sets in one joint gallery.

    Attributes:
        sets: their names.
        pairs: Q.
        places: N, distinct aerial images.
        gallery: its digest.
        recalls: as of `RunResult`.
        median_rank: from 1.
    """

    sets: tuple[str, ...]
    pairs: int
    places: int
    gallery: str
    recalls: dict[str, float]
    median_rank: float


@dataclass(frozen=True)
class RunResult:
    """One finished run, measured on one gallery.

    Attributes:
        seed: of the run.
        places: N, size of the gallery.
        recalls: ground to satellite, fractions: "r@1", "r@5", "r@10", "r@1%";
            a published file may lack some.
        pairs: trained on, counted as often as seen.
        train_seconds: of those steps.
        pairs_per_second: median over the run.
        gallery: its digest, of `records.files_digest`; empty where nothing
            but the recalls is left of the run.
        backbone_digest: of the VGG-16 that was given to it, if any.
        further: measured on a further gallery.
        tiles: of overlapping aerial images (VIGOR), `tile_ranks.summary`.
        precision: the dtype policy that it was trained by; empty: unknown.
    """

    seed: int
    places: int
    recalls: dict[str, float]
    pairs: int
    train_seconds: float
    pairs_per_second: float
    gallery: str = ""
    backbone_digest: str = ""
    further: FurtherResult | None = None
    tiles: dict[str, float] = field(default_factory=dict)
    precision: str = ""


@dataclass(frozen=True)
class RowResult:
    """A row of a table.

    Attributes:
        key, title: of the row.
        runs: one for every seed; empty where it was not run.
        complexity: of `complexity_of`, as plain data; None: not measured.
        difference: of r@1 to the row that it is compared with.
    """

    key: str
    title: str
    runs: tuple[RunResult, ...] = ()
    complexity: dict[str, Any] | None = None
    difference: Difference | None = None

    def recalls(self, name: str) -> np.ndarray:
        """A recall of every seed, fractions; NaN where one is unknown."""
        return np.array([run.recalls.get(name, np.nan) for run in self.runs])


@dataclass(frozen=True)
class Table:
    """Rows, and what the caption must say.

    Attributes:
        number: 1 to 4 of the paper, TODAY, or one of those above.
        rows: ours, in the order of the table.
        measured_on: the data that recall is of.
        synthetic: whether those are of a synthetic world.
        seeds: of every row.
        notes: further lines below the table.
        name: its heading, where that of its number is not meant.
        areas: whether recall is of VIGOR, in one of its areas.

    Raises:
        ValueError: for rows that were measured on several galleries.
    """

    number: int
    rows: tuple[RowResult, ...]
    measured_on: str
    synthetic: bool = True
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()
    name: str = ""
    areas: bool = False

    def __post_init__(self) -> None:
        further = {(f.places, f.gallery) for f in self._further}
        for found in (self._galleries, further):
            if len(found) > 1:
                listed = (f"{n} places {name}".strip() for n, name in found)
                raise ValueError(
                    f"{self.heading}: its rows are of several galleries, of"
                    f" {', '.join(sorted(listed))}"
                )

    @property
    def _galleries(self) -> set[tuple[int, str]]:
        runs = (run for row in self.rows for run in row.runs)
        return {(run.places, run.gallery) for run in runs}

    @property
    def _further(self) -> list[FurtherResult]:
        runs = (run for row in self.rows for run in row.runs)
        return [run.further for run in runs if run.further]

    @property
    def places(self) -> int | None:
        """N of all rows' gallery; None where nothing was measured."""
        return next(iter(self._galleries), (None, ""))[0]

    @property
    def gallery(self) -> str:
        """Its digest; empty where it is unknown."""
        return next(iter(self._galleries), (None, ""))[1]

    @property
    def further(self) -> FurtherResult | None:
        """Any row's on the further gallery, which is that of all rows."""
        return next(iter(self._further), None)

    @property
    def heading(self) -> str:
        """Such as "Table 2", or "Controls"."""
        own = _HEADINGS.get(self.number, f"Table {self.number}")
        return self.name or own

    @property
    def file_name(self) -> str:
        """Such as "table2", or "controls"."""
        return self.heading.lower().replace(" ", "")

    def has_row(self, key: str) -> bool:
        """Whether there is a row of this key."""
        return any(row.key == key for row in self.rows)

    @property
    def has_recall(self) -> bool:
        """Whether there is anything to draw; Table 3 is of costs alone."""
        return self.number != 3 and any(row.runs for row in self.rows)


def run_ranks(run: Run) -> Ranks:
    """Ranks of a finished run's queries on its own validation pairs.

    Raises:
        UserError: where the file cannot be read.
    """
    remedy = "move the run folder away and give the same command again"
    return read_ranks(run.folder / "report" / "ranks.npz", remedy)


def recalls_of(place: np.ndarray, places: int) -> dict[str, float]:
    """Recalls of ranks, int [Q], in a gallery of N places."""
    found = summary(place, 0 * place, places)
    return {name: round(found[name], 6) for name in RECALLS}


def run_result(run: Run, ranks: Ranks) -> RunResult:
    """A finished run's figures.

    Args:
        run: that was trained.
        ranks: of the run, on whatever gallery.

    Raises:
        UserError: where its files cannot be read.
    """
    config = RunConfig.load(run.folder)
    training = [r for r in read_metrics(run.folder) if r["kind"] == "train"]
    rates = [record["pairs_per_second"] for record in training]
    return RunResult(
        seed=config.train.seed,
        places=ranks.places,
        recalls=recalls_of(ranks.forth.place, ranks.places),
        pairs=training[-1]["step"] * config.train.batch_size,
        train_seconds=round(training[-1]["seconds"], 1),
        pairs_per_second=round(float(np.median(rates)), 1),
        gallery=ranks.gallery,
        backbone_digest=config.start.backbone_digest,
        tiles=summary_of_tiles(ranks.tiles) if ranks.tiles else {},
        precision=config.train.dtype_policy,
    )
