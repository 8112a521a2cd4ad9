"""What finished runs measured, by row and seed; tables of such rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mgtl_tf.metrics import summary
from mgtl_tf.reproduction.comparison import Difference
from mgtl_tf.reproduction.paper import RECALLS
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.utils.array_files import read_array
from mgtl_tf.utils.plain_files import UnfitFileError, damaged

CONTROLS, DISTRACTORS = 0, -1
"""Numbers of the tables that the paper does not have."""

_HEADINGS = {CONTROLS: "Controls", DISTRACTORS: "Distractors"}


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
    """

    seed: int
    places: int
    recalls: dict[str, float]
    pairs: int
    train_seconds: float
    pairs_per_second: float


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
        number: 1 to 4 of the paper, `CONTROLS` or `DISTRACTORS`.
        rows: ours, in the order of the table.
        measured_on: the data that recall is of.
        synthetic: whether those are of a synthetic world.
        seeds: of every row.
        notes: further lines below the table.

    Raises:
        ValueError: for rows that were measured on several galleries.
    """

    number: int
    rows: tuple[RowResult, ...]
    measured_on: str
    synthetic: bool = True
    seeds: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self._sizes) > 1:
            raise ValueError(
                f"{self.heading}: its rows are of several galleries, of"
                f" {sorted(self._sizes)} places"
            )

    @property
    def _sizes(self) -> set[int]:
        return {run.places for row in self.rows for run in row.runs}

    @property
    def places(self) -> int | None:
        """N of all rows' gallery; None where nothing was measured."""
        return next(iter(self._sizes), None)

    @property
    def heading(self) -> str:
        """Such as "Table 2", or "Controls"."""
        return _HEADINGS.get(self.number, f"Table {self.number}")

    @property
    def file_name(self) -> str:
        """Such as "table2", or "controls"."""
        return self.heading.lower().replace(" ", "")

    @property
    def has_recall(self) -> bool:
        """Whether there is anything to draw; Table 3 is of costs alone."""
        return self.number != 3 and any(row.runs for row in self.rows)


def read_ranks(run: Run) -> np.ndarray:
    """Ranks of a finished run's queries, ground to satellite, int [Q].

    From 1; ties count against the model (R20).

    Raises:
        UserError: where the file cannot be read.
    """
    path = run.folder / "report" / "ranks.npy"
    try:
        return read_array(path, "i", (None, None))[0]
    except UnfitFileError as error:
        remedy = "move the run folder away and give the same command again"
        raise damaged(path, error, remedy) from error


def run_result(run: Run) -> RunResult:
    """A finished run's figures.

    Raises:
        UserError: where its files cannot be read.
    """
    ranks = read_ranks(run)
    recalls = summary(ranks, 0 * ranks, len(ranks))
    training = [r for r in read_metrics(run.folder) if r["kind"] == "train"]
    rates = [record["pairs_per_second"] for record in training]
    return RunResult(
        seed=run.config.train.seed,
        places=len(ranks),
        recalls={name: round(recalls[name], 6) for name in RECALLS},
        pairs=training[-1]["step"] * run.config.train.batch_size,
        train_seconds=round(training[-1]["seconds"], 1),
        pairs_per_second=round(float(np.median(rates)), 1),
    )
