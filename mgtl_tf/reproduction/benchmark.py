"""The procedural benchmark, version 1: all its numbers in one place.

Figures of different versions are not compared: a changed number is another
version. The learning rates of `SMALL` were found in 2026-11-25's search on
another synthetic world, listed in docs/results.md; those of `FULL` were not
searched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from mgtl_tf.synthetic.settings import WorldSettings, cvusa_form

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """One size of one version.

    Attributes:
        name: of the benchmark and of its study's folder.
        world: the pairs that rows are trained and measured on.
        distractor_world: a larger gallery of other places, on which finished
            runs are measured again. Its train split is empty.
        common: config fields of every row, over `--preset=procedural`.
        settings: row key to its own fields.
        controls: key to (title, row it changes, further changes).
        seeds: of the runs of every row.
    """

    name: str
    world: WorldSettings
    distractor_world: WorldSettings
    common: Settings
    settings: Mapping[str, Settings]
    controls: Mapping[str, tuple[str, str, Settings]]
    seeds: tuple[int, ...] = (0, 1)


# No mining: the paper's tables are trained with negatives of the batch.
# Evaluated once, at the end: no checkpoint is chosen by its test recall.
_COMMON: Settings = {
    "batch_size": 32,
    "epochs": 1000,
    "mining_start": -1,
    "evaluate_every": 0,
    "retrieval_pictures": 0,
    # Not "auto": figures of one version must not depend on the processor.
    "dtype_policy": "mixed_bfloat16",
}
_CONTROLS: Mapping[str, tuple[str, str, Settings]] = {
    "no_generative_loss": (
        "w/ CMI, lambda = 0",
        "with_cmi",
        {"generative_weight": 0.0},
    ),
    "paper_lambda": (
        "w/ CMI, lambda = 0.05 (the paper's)",
        "with_cmi",
        {"generative_weight": 0.05},
    ),
    "wide_self_attention": (
        "w/o CMI, as many parameters as w/ CMI (MLP ratio 12)",
        "without_cmi",
        {"mlp_ratio": 12},
    ),
    "long_vgg": (
        "VGG16 only, three times as many steps",
        "vgg",
        {"max_steps": 2400},
    ),
}
_WORLD = WorldSettings(
    seed=11, train_pairs=4000, val_pairs=2000, appearance_change=1.0
)
_FULL_WORLD = cvusa_form(WorldSettings(seed=11, appearance_change=1.0))

SMALL = Benchmark(
    name="procedural-v1-small",
    world=_WORLD,
    distractor_world=replace(_WORLD, seed=12, train_pairs=0, val_pairs=8000),
    common={**_COMMON, "max_steps": 800},
    settings={
        "safa": {"learning_rate": 0.002},
        "l2ltr": {"learning_rate": 0.0005},
        "vgg": {"learning_rate": 0.008},
        "without_cmi": {"learning_rate": 0.002},
        "with_cmi": {"learning_rate": 0.002},
        "steps1": {"learning_rate": 0.004},
        "steps3": {"learning_rate": 0.004},
        "steps9": {"learning_rate": 0.004},
        "naive": {"learning_rate": 0.002},
    },
    controls=_CONTROLS,
)

FULL = Benchmark(
    name="procedural-v1-full",
    world=_FULL_WORLD,
    distractor_world=replace(
        _FULL_WORLD, seed=12, train_pairs=0, val_pairs=35532
    ),
    common={
        **_COMMON,
        "image_size": (112, 616),
        "width_multiplier": 1.0,
        "poolings": 5,
        "channels": 384,
        "max_steps": 40000,
        "learning_rate": 0.0003,
    },
    settings={"l2ltr": {"learning_rate": 0.0001}},
    controls={
        **_CONTROLS,
        "long_vgg": (
            "VGG16 only, three times as many steps",
            "vgg",
            {"max_steps": 120000},
        ),
    },
)

BENCHMARKS = {"small": SMALL, "full": FULL}
