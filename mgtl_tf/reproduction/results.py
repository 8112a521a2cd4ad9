"""What finished runs measured, by row and seed; tables of such rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.config import DataConfig
from mgtl_tf.metrics import summary
from mgtl_tf.reproduction.comparison import Difference
from mgtl_tf.reproduction.runs import Run
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.utils.array_files import read_array
from mgtl_tf.utils.plain_files import UnfitFileError, damaged

CONTROLS, DISTRACTORS = 0, -1
"""Numbers of the tables that the paper does not have."""

_HEADINGS = {CONTROLS: "Controls", DISTRACTORS: "Distractors"}
_REMEDY = "move the run folder away and give the same command again"


@dataclass(frozen=True)
class Gallery:
    """Where a recall was measured.

    Attributes:
        name: of the synthetic world's folder, or of the data set and split.
        size: N, its places.
    """

    name: str
    size: int


@dataclass(frozen=True)
class RunResult:
    """One finished run, measured on one gallery.

    Attributes:
        seed: of the run.
        run: its name, such as with_cmi-seed0.
        gallery: that `recalls` are of.
        recalls: ground to satellite, fractions: "r@1", "r@5", "r@10", "r@1%";
            a published file may lack some.
        pairs: trained on, counted as often as seen.
        train_seconds: of those steps.
        pairs_per_second: median over the run.
    """

    seed: int
    run: str
    gallery: Gallery
    recalls: dict[str, float]
    pairs: int
    train_seconds: float
    pairs_per_second: float


@dataclass(frozen=True)
class RowResult:
    """A row of a table.

    Attributes:
        key: of the row.
        title: as the table prints it.
        changes: how its first seed's config differs from the paper's,
            "name: theirs -> ours"; empty where it was not run.
        runs: one for every seed; empty where it was not run.
        complexity: of `complexity_of`, as plain data; None: not measured.
        difference: of r@1 to the row that it is compared with.
    """

    key: str
    title: str
    changes: tuple[str, ...] = ()
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
        if len(self._galleries) > 1:
            raise ValueError(
                f"{self.heading}: its rows are of several galleries:"
                f" {sorted(map(str, self._galleries))}"
            )

    @property
    def _galleries(self) -> set[Gallery]:
        return {run.gallery for row in self.rows for run in row.runs}

    @property
    def gallery(self) -> Gallery | None:
        """The one that all recalls are of; None where nothing was measured."""
        return next(iter(self._galleries), None)

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
        raise damaged(path, error, _REMEDY) from error


def row_result(key: str, title: str, runs: Sequence[Run]) -> RowResult:
    """A row from its finished runs.

    Raises:
        UserError: where a run's files cannot be read.
    """
    changes = runs[0].changes if runs else ()
    return RowResult(key, title, changes, tuple(map(_read_result, runs)))


def _read_result(run: Run) -> RunResult:
    ranks = read_ranks(run)
    recalls = summary(ranks, 0 * ranks, len(ranks))
    training = [r for r in read_metrics(run.folder) if r["kind"] == "train"]
    rates = [record["pairs_per_second"] for record in training]
    return RunResult(
        seed=run.config.train.seed,
        run=run.name,
        gallery=Gallery(_gallery_name(run.config.data), len(ranks)),
        recalls={
            name: round(value, 6)
            for name, value in recalls.items()
            if name.startswith("r@")
        },
        pairs=training[-1]["step"] * run.config.train.batch_size,
        train_seconds=round(training[-1]["seconds"], 1),
        pairs_per_second=round(float(np.median(rates)), 1),
    )


def _gallery_name(data: DataConfig) -> str:
    """No folder of this machine: a study names its own worlds."""
    if data.dataset == "procedural":
        return f"worlds/{Path(data.data_dir).name}"
    return f"{data.dataset} validation"
