"""The procedural benchmark, version 1: every number of it, in one place.

A changed number is another version: figures of different versions are not
compared. Worlds, counts and steps decide the difficulty; `settings` are what
`experiments.tables --search` chose for each row on the tuning world, with
four trials a row (L2LTR-style: one, see there).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mgtl_tf.config import RunConfig
from mgtl_tf.presets import load_preset
from mgtl_tf.synthetic.settings import WorldSettings, cvusa_form

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """One size of one version.

    Attributes:
        name: of the benchmark; names its studies' folder as well.
        world: the pairs that rows are trained and measured on.
        tuning_world: another map and other pairs, for the search alone.
        common: config fields of every row, over `--preset=procedural`.
        search_steps: steps of one trial.
        trials: row to the settings that are tried for it ("" for rows that
            are not named).
        settings: row to the settings that it is trained with.
        harder_world: other places, and more of them, on which finished runs
            are measured once more. Its train split is empty.
        controls: key to (title, row it changes, further changes).
        seeds: of the runs of every row.
    """

    name: str
    world: WorldSettings
    tuning_world: WorldSettings
    harder_world: WorldSettings
    common: Settings
    search_steps: int
    trials: Mapping[str, tuple[Settings, ...]]
    settings: Mapping[str, Settings]
    controls: Mapping[str, tuple[str, str, Settings]] = field(
        default_factory=dict
    )
    seeds: tuple[int, ...] = (0, 1)

    def base(self) -> RunConfig:
        """The config that rows lay their changes over."""
        return load_preset("procedural").replace(**self.common)


def _rates(*rates: float) -> tuple[Settings, ...]:
    return tuple({"learning_rate": rate} for rate in rates)


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

SMALL = Benchmark(
    name="procedural-v1-small",
    world=WorldSettings(
        seed=11, train_pairs=4000, val_pairs=2000, appearance_change=1.0
    ),
    tuning_world=WorldSettings(
        seed=7, train_pairs=4000, val_pairs=2000, appearance_change=1.0
    ),
    harder_world=WorldSettings(
        seed=12, train_pairs=0, val_pairs=8000, appearance_change=1.0
    ),
    common={**_COMMON, "max_steps": 800},
    search_steps=200,
    trials={
        # Glorot's start at 0.002 collapsed the row that it was tried for.
        "": (
            *_rates(0.002, 0.004, 0.008),
            {"learning_rate": 0.001, "residual_init": "glorot"},
        ),
        # No residual branches, so nothing but the rate.
        "vgg": _rates(0.002, 0.004, 0.008, 0.016),
        "safa": _rates(0.001, 0.002, 0.004, 0.008),
        # At this or half or twice this rate 200 steps end on the plateau
        # (loss ln 2), so they cannot choose; 800 steps at this one leave it.
        "l2ltr": _rates(0.0005),
    },
    settings={},
    controls={
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
    },
)

_FULL_WORLD = cvusa_form(WorldSettings(seed=11, appearance_change=1.0))

FULL = Benchmark(
    name="procedural-v1-full",
    world=_FULL_WORLD,
    tuning_world=replace(_FULL_WORLD, seed=7, train_pairs=8000, val_pairs=2000),
    harder_world=replace(_FULL_WORLD, seed=12, train_pairs=0, val_pairs=35532),
    common={
        **_COMMON,
        "image_size": (112, 616),
        "width_multiplier": 1.0,
        "poolings": 5,
        "channels": 384,
        "max_steps": 40000,
    },
    search_steps=4000,
    trials={
        "": _rates(0.0001, 0.0003, 0.001),
        "l2ltr": _rates(0.0001),
    },
    settings={},
    controls=SMALL.controls,
)

BENCHMARKS = {"small": SMALL, "full": FULL}
