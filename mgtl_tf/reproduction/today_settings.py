"""The settings of today's systems in version 2 of the procedural benchmark."""

from __future__ import annotations

from collections.abc import Mapping

from mgtl_tf.reproduction.benchmark import Settings

# Today's rows: the world's pixels, random weights, and the same pairs, for
# places are not mined.
_TODAY: Settings = {
    "image_size": (64, 256),
    "satellite_size": (128, 128),
    "schedule": "cosine",
    "warmup": 0.05,
    "roll_and_mirror": True,
    "mining_by_position_until": 0,
}
# A quarter of ConvNeXt-T's width and two thirds of its depth. From the
# published 1e-6 of blocks' scales so short a training learnt nearly nothing.
_CONVNEXT: Settings = {
    **_TODAY,
    "convnext_depths": (2, 2, 6, 2),
    "width_multiplier": 0.25,
    "convnext_layer_scale": 1.0,
    "channels": 192,
    "learning_rate": 1e-3,
}
# A quarter of DeiT-S' width and half its depth, as published without dropout;
# both stages see 64 patches of an aerial image. By InfoNCE as the other rows
# of that table; stage 2 at stage 1's rate, which so few steps from random
# weights leave far from its end. Positions that start at the published 0.02
# are lost beside what patches show: such runs stayed at chance.
_TRANSGEO: Settings = {
    **_TODAY,
    "width_multiplier": 1.0,
    "backbone_dropout": 0.0,
    "heads": 3,
    "vit_blocks": 6,
    "patch_size": 16,
    "loss": "info_nce",
    "label_smoothing": 0.0,
    "position_deviation": 2.0,
    "learning_rate": 1e-3,
    "weight_decay": 0.03,
}
TODAY_SETTINGS: Mapping[str, Settings] = {
    **dict.fromkeys(("frgeo", "sample4geo", "best_quarters"), _CONVNEXT),
    **dict.fromkeys(
        ("best_columns", "best_self_attention", "best_mgtl"),
        {**_CONVNEXT, "satellite_size": (0, 0)},
    ),
    "transgeo_whole": _TRANSGEO,
    "transgeo": {
        **_TRANSGEO,
        "satellite_size": (160, 160),
        "guide_size": (128, 128),
    },
}
"""Row key to its own fields, over those of the version."""
