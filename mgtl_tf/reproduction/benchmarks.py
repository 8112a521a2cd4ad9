"""The procedural benchmark's versions: all their numbers in one place.

Figures of different versions are not compared: a changed number is another
version. Version 1 trains small networks from random weights; its learning
rates were found in 2026-11-25's search on another synthetic world, listed in
docs/results.md; those of its full size were not searched. Version 2 trains
the paper's network from a pretrained VGG-16.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from mgtl_tf.reproduction.benchmark import (
    Benchmark,
    Condition,
    Search,
    Settings,
)
from mgtl_tf.reproduction.rows import ROWS, TODAY, WITH_CMI
from mgtl_tf.synthetic.settings import WorldSettings, cvusa_form

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
_WORLD_V2 = WorldSettings(
    seed=41,
    train_pairs=8000,
    val_pairs=2000,
    aerial_size=128,
    ground_height=56,
    ground_width=308,
    position_error_min=1.0,
    position_error_max=4.0,
    heading_error_min=0.0,
    heading_error_max=10.0,
    appearance_change=2.0,
    noise=1.5,
    cars=10.0,
    supersampling=1,
    labels=True,
)
# Aerial images as they are, of all the world's pixels.
_SQUARE: Settings = {"satellite_size": (128, 128)}
_REGMI_STAGES = ("regmi_synthesis", "regmi_joint", "regmi_full")
# Today's rows, all alike but for what they are named by: the world's pixels,
# half of ConvNeXt's width, random weights.
_TODAY: Settings = {
    "image_size": (64, 256),
    "satellite_size": (128, 128),
    "width_multiplier": 0.5,
    "learning_rate": 1e-3,
    "schedule": "cosine",
    "warmup": 0.05,
    "roll_and_mirror": True,
    # All see the same pairs: places are not mined.
    "mining_by_position_until": 0,
}
# A DeiT of half the width, as published without dropout; both stages see 64
# patches of an aerial image.
_TRANSGEO: Settings = {
    **_TODAY,
    "width_multiplier": 1.0,
    "backbone_dropout": 0.0,
    "channels": 192,
    "heads": 3,
    "vit_blocks": 12,
    "patch_size": 16,
    "descriptor_size": 1000,
    "learning_rate": 5e-4,
    "weight_decay": 0.03,
}
_TWICE: Settings = {"max_steps": 800}
_WARM: Settings = {"init_backbone": "vgg", "max_steps": 200}
_FULL_WORLD = cvusa_form(WorldSettings(seed=11, appearance_change=1.0))


def _among(world: WorldSettings) -> Condition:
    return Condition(
        "distractors",
        "Distractors",
        "another synthetic world",
        replace(world, train_pairs=0),
    )


def _doubled(world: WorldSettings) -> WorldSettings:
    return replace(
        world,
        train_pairs=0,
        position_error_min=2 * world.position_error_min,
        position_error_max=2 * world.position_error_max,
        heading_error_min=2 * world.heading_error_min,
        heading_error_max=2 * world.heading_error_max,
    )


SMALL = Benchmark(
    name="procedural-v1-small",
    world=_WORLD,
    conditions=(_among(replace(_WORLD, seed=12, val_pairs=8000)),),
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
    conditions=(_among(replace(_FULL_WORLD, seed=12, val_pairs=35532)),),
    common={
        **_COMMON,
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

# The paper's network but for the image, half the paper's on either side: four
# poolings leave its 4 x 20 cells, so 20 azimuths. VGG-16's first four blocks
# stay as ImageNet left them, so that training pays for the fifth alone.
V2 = Benchmark(
    name="procedural-v2",
    world=_WORLD_V2,
    conditions=(
        _among(replace(_WORLD_V2, seed=42, val_pairs=8000)),
        Condition(
            "doubled",
            "Errors doubled",
            "errors of position and heading twice as large",
            _doubled(_WORLD_V2),
        ),
        Condition(
            "fov_180",
            "Field of view",
            "180 degrees about a random azimuth",
            protocol="fov_180",
        ),
        Condition(
            "true_knowledge",
            "Oracle",
            "attention reads the other view's true tokens, so that a"
            " descriptor knows its own answer and no gallery can be built",
            knowledge="true",
        ),
        Condition(
            "shuffled_knowledge",
            "Shuffled knowledge",
            "attention reads what was generated of another pair",
            knowledge="shuffled",
        ),
    ),
    common={
        **_COMMON,
        "image_size": (56, 308),
        "width_multiplier": 1.0,
        "poolings": 4,
        "channels": 384,
        "backbone_normalization": "none",
        "backbone_dropout": 0.2,
        "generative_weight": 0.05,
        "roll_and_mirror": False,
        "backbone_weights": "imagenet",
        "freeze_blocks": 4,
        "max_steps": 400,
    },
    settings={
        "vgg": {"learning_rate": 5e-4},
        "without_cmi": {"learning_rate": 1.5e-4},
        "with_cmi": {"learning_rate": 5e-4},
        "steps1": {"learning_rate": 5e-4},
        **dict.fromkeys(
            ("steps3", "steps9", "naive"), {"learning_rate": 1.5e-4}
        ),
        "cvm_net": {**_SQUARE, "learning_rate": 1.5e-4},
        "cvft": {**_SQUARE, "learning_rate": 1.5e-4},
        **dict.fromkeys(("safa", "workman"), {"learning_rate": 1.5e-4}),
        # Its columns go round only where their number of pixels divides.
        "dsm": {
            "image_size": (56, 304),
            "poolings": 3,
            "backbone_normalization": "none",
            "learning_rate": 1.5e-4,
        },
        "oricnn": _SQUARE,
        # Their narrow networks of random weights learn nothing without; at the
        # other rows' rate, Vo's unnormalised vectors grow and then collapse.
        **dict.fromkeys(
            ("regmi", *_REGMI_STAGES),
            {**_SQUARE, "backbone_normalization": "batch"},
        ),
        "vo": {
            **_SQUARE,
            "backbone_normalization": "batch",
            "learning_rate": 1.5e-4,
        },
        **dict.fromkeys(("frgeo", "sample4geo", "best_quarters"), _TODAY),
        "transgeo_whole": _TRANSGEO,
        "transgeo": {
            **_TRANSGEO,
            "satellite_size": (160, 160),
            "guide_size": (128, 128),
            "learning_rate": 1e-4,
        },
        "best_mgtl": {**_TODAY, "satellite_size": (0, 0)},
        # Its class tokens begin nearly alike: what dropout leaves out would
        # differ by more than images do, and the loss stay at ln 2.
        "l2ltr": {"backbone_dropout": 0.0},
        # Its decoder doubles the maps three times.
        "toker_full": {"image_size": (56, 304)},
    },
    controls={
        # The search's two upper rates were level for w/ CMI alone.
        "lower_rate": (
            "w/ CMI, at a rate of 1.5e-4",
            "with_cmi",
            {"learning_rate": 1.5e-4},
        ),
        "no_generative_loss": (
            "w/ CMI, lambda = 0",
            "with_cmi",
            {"generative_weight": 0.0},
        ),
        "wide_self_attention": (
            "w/o CMI, as many parameters as w/ CMI (MLP ratio 12)",
            "without_cmi",
            {"mlp_ratio": 12},
        ),
        "true_knowledge": (
            "Oracle: trained to attend to the other view's true tokens",
            "with_cmi",
            {"knowledge": "true"},
        ),
        **{
            f"long_{key}": (f"{title}, twice as many steps", key, _TWICE)
            for key, title in (
                ("vgg", "VGG16 only"),
                ("without_cmi", "w/o CMI"),
                ("with_cmi", "w/ CMI"),
            )
        },
    },
    warm={
        f"warm_{key}": (title, key, _WARM)
        for key, title in (
            ("vgg", "VGG16 only, going on"),
            ("without_cmi", "w/o CMI"),
            ("with_cmi", "w/ CMI"),
        )
    },
    search=Search(
        replace(_WORLD_V2, seed=43, train_pairs=2000, val_pairs=1000),
        (5e-5, 1.5e-4, 5e-4),
        100,
    ),
    seeds=(0, 1, 2),
    most_seeds={
        **dict.fromkeys(("steps1", "steps3", "steps9", "naive"), 2),
        **{row.key: 1 for _, row in ROWS[1] if row != WITH_CMI},
        **{row.key: 2 for _, row in ROWS[TODAY]},
        **dict.fromkeys(
            ("lower_rate", "no_generative_loss", "wide_self_attention"), 2
        ),
        "true_knowledge": 1,
        **dict.fromkeys(("long_vgg", "long_without_cmi", "long_with_cmi"), 1),
    },
)

BENCHMARKS = {"v2": V2, "v1-small": SMALL, "v1-full": FULL}
