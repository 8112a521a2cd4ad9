"""Version 1 of the procedural benchmark, and all versions by name.

Figures of different versions are not compared: a changed number is another
version. Version 1 trains small networks from random weights; its learning
rates were found in 2026-11-25's search on another synthetic world, listed in
docs/results.md; those of its full size were not searched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mgtl_tf.reproduction.benchmark import COMMON, Benchmark, Settings, among
from mgtl_tf.reproduction.benchmark_v2 import V2
from mgtl_tf.synthetic.settings import WorldSettings, cvusa_form

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
    conditions=(among(replace(_WORLD, seed=12, val_pairs=8000)),),
    common={**COMMON, "max_steps": 800},
    settings={
        "safa": {"learning_rate": 0.002},
        "l2ltr": {"learning_rate": 0.0005, "position_deviation": 0.02},
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
    conditions=(among(replace(_FULL_WORLD, seed=12, val_pairs=35532)),),
    common={
        **COMMON,
        "image_size": (112, 616),
        "width_multiplier": 1.0,
        "poolings": 5,
        "channels": 384,
        "max_steps": 40000,
        "learning_rate": 0.0003,
    },
    settings={
        "l2ltr": {"learning_rate": 0.0001},
        # Its columns go round only where their number of pixels divides.
        "dsm": {"image_size": (128, 512), "poolings": 3},
    },
    controls={
        **_CONTROLS,
        "long_vgg": (
            "VGG16 only, three times as many steps",
            "vgg",
            {"max_steps": 120000},
        ),
    },
)

BENCHMARKS = {"v2": V2, "v1-small": SMALL, "v1-full": FULL}
