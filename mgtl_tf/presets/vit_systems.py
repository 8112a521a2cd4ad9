"""What systems on vision transformers are trained with; see `systems`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Of systems without VGG-16, whatever a study gives those that have it.
FROM_SCRATCH = {"backbone_weights": "none", "freeze_blocks": 0}

_TRANSGEO = {
    "batch_size": 32,
    "epochs": 100,
    "optimizer": "adamw",
    "learning_rate": 1e-4,
    "weight_decay": 0.03,
    "sharpness_radius": 2.5,
    "schedule": "cosine",
    "mining_start": 1,
    "mining_every": 1,
    "mining_neighbours": 100,
    "backbone_weights": "none",
}

SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "l2ltr": {
        # "L2LTR-style (K from previous layer), small". Residual branches
        # that start at zero would make the class token the same for all
        # images, and bfloat16 loses the small differences from which
        # training must begin: tried, and in either case the loss stayed at
        # ln 2. Positions of the published size are lost beside what cells show.
        "procedural": {
            **FROM_SCRATCH,
            "position_deviation": 2.0,
            "channels": 96,
            "heads": 6,
            "width_multiplier": 0.25,
            "vit_blocks": 4,
            "stem_blocks": (1, 1, 1),
            "residual_init": "glorot",
            "dtype_policy": "float32",
            "optimizer": "adamw",
            "learning_rate": 1e-3,
        },
        # Yang et al. 2021: AdamW, 200 epochs of 1,110 steps, 500 of them
        # warm-up. The public R50+ViT-B/16 weights go to --backbone_weights.
        "": {
            "batch_size": 32,
            "epochs": 200,
            "optimizer": "adamw",
            "learning_rate": 1e-4,
            "adam_epsilon": 1e-6,
            "weight_decay": 0.03,
            "clip_norm": 1.0,
            "schedule": "cosine",
            "warmup": 500 / 222_000,
            "backbone_weights": "none",
        },
    },
    "transgeo": {
        # "TransGeo, stage 1, small": patches of 8 pixels, in float32, with
        # residual branches and positions as L2LTR's. From branches that start
        # at zero all images had one descriptor, so that only rounding had a
        # gradient; at the published rate hundreds of steps teach little.
        "procedural": {
            **FROM_SCRATCH,
            "position_deviation": 2.0,
            "satellite_size": (64, 64),
            "patch_size": 8,
            "channels": 96,
            "heads": 6,
            "vit_blocks": 4,
            "descriptor_size": 256,
            "residual_init": "glorot",
            "dtype_policy": "float32",
            "optimizer": "adamw",
            "learning_rate": 1e-3,
        },
        # Zhu et al. 2022: AdamW 1e-4 with ASAM, 100 epochs. The public weights
        # of DeiT-S go to --backbone_weights. Theirs draws one of the 100 most
        # alike aerial images for each of half a batch; here batches grow of
        # these, as all mined batches do.
        "": _TRANSGEO,
        "vigor": {
            **_TRANSGEO,
            "image_size": (320, 640),
            "satellite_size": (320, 320),
            "batch_size": 16,
            "epochs": 50,
            "learning_rate": 5e-5,
        },
    },
}
"""System to preset to fields; "" for all others."""

# TransGeo's second stage, over the settings of its first.
STAGES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "cropped": {
        "procedural": {
            "satellite_size": (80, 80),
            "guide_size": (64, 64),
            "learning_rate": 1e-3,
        },
        "vigor": {
            "satellite_size": (400, 400),
            "guide_size": (320, 320),
            "learning_rate": 5e-6,
        },
        "": {
            "satellite_size": (320, 320),
            "epochs": 50,
            "learning_rate": 1e-5,
        },
    },
}
