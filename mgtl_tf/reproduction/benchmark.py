"""What a procedural benchmark is: its worlds, and the settings of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mgtl_tf.config import ModelConfig
from mgtl_tf.datasets.protocols import Protocol
from mgtl_tf.synthetic.settings import WorldSettings

Settings = Mapping[str, Any]

# No mining: the paper's tables are trained with negatives of the batch.
# Evaluated once, at the end: no checkpoint is chosen by its test recall.
COMMON: Settings = {
    "batch_size": 32,
    "epochs": 1000,
    "mining_start": -1,
    "evaluate_every": 0,
    "retrieval_pictures": 0,
    # Not "auto": figures of one version must not depend on the processor.
    "dtype_policy": "mixed_bfloat16",
}
"""Of every row of every version, over --preset=procedural."""


@dataclass(frozen=True)
class Search:
    """A search of learning rates, of equal effort for every row.

    Attributes:
        world: other pairs than those that rows are measured on.
        rates: that every row is trained with, once each, with seed 0.
        max_steps: of each.
    """

    world: WorldSettings
    rates: tuple[float, ...]
    max_steps: int


@dataclass(frozen=True)
class Condition:
    """Under which finished runs are measured again.

    Attributes:
        key: names its world and its files.
        title: heads its table.
        text: says in that table what differs.
        world: other pairs, whose train split is empty; None: the runs' own.
        protocol: of `protocols.DEGREES`.
        knowledge: of `protocols.KNOWLEDGE`, of rows that generate some;
            empty: every row as it is.
    """

    key: str
    title: str
    text: str
    world: WorldSettings | None = None
    protocol: str = "aligned"
    knowledge: str = ""

    def applies_to(self, model: ModelConfig) -> bool:
        """Knowledge is exchanged where a model generates some."""
        return not self.knowledge or model.generates_knowledge

    @property
    def shown(self) -> Protocol:
        """Protocol and knowledge as they name files."""
        return Protocol(self.protocol, knowledge=self.knowledge)


@dataclass(frozen=True)
class Benchmark:
    """One size of one version.

    Attributes:
        name: of the benchmark and of its study's folder.
        world: the pairs that rows are trained and measured on.
        conditions: under which finished runs are measured again.
        common: config fields of every row, over `--preset=procedural`.
        settings: row key to its own fields.
        controls: key to (title, row it changes, further changes).
        warm: the same for Table 2w, whose rows start from the VGG-16 of a
            finished run of this benchmark: in place of a folder,
            `init_backbone` names its row.
        search: how the learning rates of `settings` were found; None: they
            were not searched, or are no longer.
        seeds: of the runs of every row.
        most_seeds: row key to how many of them it is trained with, where not
            with all.
    """

    name: str
    world: WorldSettings
    conditions: tuple[Condition, ...]
    common: Settings
    settings: Mapping[str, Settings]
    controls: Mapping[str, tuple[str, str, Settings]]
    warm: Mapping[str, tuple[str, str, Settings]] = field(default_factory=dict)
    search: Search | None = None
    seeds: tuple[int, ...] = (0, 1)
    most_seeds: Mapping[str, int] = field(default_factory=dict)


def among(world: WorldSettings) -> Condition:
    """A larger gallery: places of another world beside the study's own."""
    return Condition(
        "distractors",
        "Distractors",
        "another synthetic world",
        replace(world, train_pairs=0),
    )
