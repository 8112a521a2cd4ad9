"""What finished runs say: recalls, ranks, time; by row and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.config import DataConfig, RunConfig
from mgtl_tf.metrics import summary
from mgtl_tf.reproduction.runs import RANKS, Run
from mgtl_tf.training.logs import read_metrics
from mgtl_tf.utils.array_files import read_array
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, damaged

_REMEDY = "move the run folder away and give the same command again"


@dataclass(frozen=True)
class Gallery:
    """Where a recall was measured.

    Attributes:
        name: of the synthetic world's folder, or of the data set and its split.
        size: N, its places.
    """

    name: str
    size: int


@dataclass(frozen=True)
class SeedResult:
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
        ranks: int32 [Q], ground to satellite, from 1, ties against (R20);
            empty where a published file, which has none, was read.
    """

    seed: int
    run: str
    gallery: Gallery
    recalls: Mapping[str, float]
    pairs: int
    train_seconds: float
    pairs_per_second: float
    ranks: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))


@dataclass(frozen=True)
class RowResult:
    """A row of a table: its title, and a result for every seed.

    Attributes:
        key: of the row.
        title: as the table prints it.
        changes: how its first seed's config differs from the paper's,
            "name: theirs -> ours"; empty where it was not run.
        seeds: empty where it was not run.
        complexity: of `complexity_of`, as plain data; None: not measured.
    """

    key: str
    title: str
    changes: tuple[str, ...] = ()
    seeds: tuple[SeedResult, ...] = ()
    complexity: Mapping[str, Any] | None = None

    def mean(self, name: str) -> float:
        """Mean of a recall over seeds, a fraction; NaN where one is unknown."""
        values = self._values(name)
        return float(np.mean(values)) if values else float("nan")

    def spread(self, name: str) -> float:
        """Standard deviation over seeds; NaN for fewer than two."""
        values = self._values(name)
        return float(np.std(values, ddof=1)) if len(values) > 1 else np.nan

    def _values(self, name: str) -> list[float]:
        return [seed.recalls.get(name, float("nan")) for seed in self.seeds]

    @property
    def ranks(self) -> list[np.ndarray]:
        """Of every seed."""
        return [seed.ranks for seed in self.seeds]


def read_result(run: Run) -> SeedResult:
    """The result of a finished run.

    Raises:
        UserError: where its files cannot be read.
    """
    path = run.folder / RANKS
    try:
        ranks = read_array(path, "i", (None, None))
    except UnfitFileError as error:
        raise damaged(path, error, _REMEDY) from error
    forth = ranks[0]
    training = [r for r in read_metrics(run.folder) if r["kind"] == "train"]
    rates = [record["pairs_per_second"] for record in training]
    return SeedResult(
        seed=run.config.train.seed,
        run=run.name,
        gallery=Gallery(_gallery_name(run.config.data), len(forth)),
        recalls={
            name: value
            for name, value in summary(forth, 0 * forth, len(forth)).items()
            if name.startswith("r@")
        },
        pairs=training[-1]["step"] * run.config.train.batch_size,
        train_seconds=training[-1]["seconds"],
        pairs_per_second=float(np.median(rates)),
        ranks=forth,
    )


def _gallery_name(data: DataConfig) -> str:
    """No folder of this machine: a study names its own worlds."""
    if data.dataset == "procedural":
        return f"worlds/{Path(data.data_dir).name}"
    return f"{data.dataset} validation"


def final_recall(run: Run) -> float:
    """r@1 of a finished run's last evaluation, a fraction.

    Raises:
        UserError: where metrics.jsonl holds none.
    """
    records = read_metrics(run.folder)
    found = [r for r in records if r["kind"] == "evaluation"]
    if not found:
        raise UserError(f"{run.folder}/metrics.jsonl: holds no evaluation")
    return float(found[-1]["ground_to_satellite"]["r@1"])


def row_result(key: str, title: str, runs: Sequence[Run]) -> RowResult:
    """A row from its finished runs.

    Raises:
        UserError: as `read_result`.
    """
    seeds = tuple(read_result(run) for run in runs)
    changes = RunConfig().differences(runs[0].config) if runs else ()
    return RowResult(key, title, tuple(changes), seeds)
