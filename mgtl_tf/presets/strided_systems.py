"""What systems of strided convolutions are trained with; see
`presets.systems`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mgtl_tf.presets.vit_systems import FROM_SCRATCH

# Of aerial images of 750 pixels, 1200 on CVACT: the middle where more than 512
# are drawn, and turns by right angles.
CROPPED = {"satellite_quarter_turns": True, "satellite_crop": 512 / 750}
CROPPED_CVACT = {**CROPPED, "satellite_crop": 512 / 1200}
NOT_CROPPED = {"satellite_quarter_turns": False, "satellite_crop": 1.0}

_ORICNN = {
    "batch_size": 12,
    "epochs": 100,
    "backbone_weights": "none",
    "orientation_noise": 360.0,
}

_REGMI = {"batch_size": 30, "epochs": 100, "backbone_weights": "none"}

SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "regmi": {
        # "Regmi two-stream baseline (no GAN), small": five of the eight
        # convolutions, as many as panoramas of 32 x 160 have room for.
        "procedural": {
            "satellite_size": (64, 64),
            **FROM_SCRATCH,
            "strided_blocks": 5,
            "synthesis_blocks": 4,
            "width_multiplier": 0.25,
            "descriptor_size": 256,
        },
        # Regmi and Shah 2019: Adam 1e-5, from scratch, up to 100 epochs.
        "": {**_REGMI, **CROPPED},
        "cvact": {**_REGMI, **CROPPED_CVACT},
    },
    "oricnn": {
        # "OriCNN, small": five of the seven convolutions, and of aerial images
        # 64 x 64; both views are turned together.
        "procedural": {
            **FROM_SCRATCH,
            "satellite_size": (64, 64),
            "strided_blocks": 5,
            "width_multiplier": 0.25,
        },
        # Liu and Li 2019: Adam 1e-5, from scratch, 100 epochs; panoramas are
        # rolled, aerial images turned and cropped. CVACT's are of the middle
        # half of a sphere, 45 degrees up and down.
        "": {**_ORICNN, **CROPPED},
        "cvact": {**_ORICNN, **CROPPED_CVACT, "panorama_pitch": 45.0},
    },
}
"""System to preset to fields; "" for all others."""

# Of Regmi and Shah's stages, over those of the baseline. At an eighth of the
# width, 216 steps a stage on 600 pairs of 32 x 160 and 64 x 64 pixels: r@1
# 47.5 % of 200 by joint features and 49.0 % fused.
STAGES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "synthesis": {
        # In float32, as Toker's generator; hard negatives mean nothing here.
        "procedural": {
            "dtype_policy": "float32",
            "adam_beta_1": 0.5,
            "mining_start": -1,
        },
        # Adam 2e-4 of momentum 0.5; how many epochs is not known.
        "": {
            **NOT_CROPPED,
            "batch_size": 16,
            "learning_rate": 2e-4,
            "adam_beta_1": 0.5,
        },
    },
    # Real aerial images are turned and cropped, made ones are not.
    "joint": {"procedural": {}, "": {"batch_size": 24}},
    # Theirs learns from stored features.
    "fusion": {
        "procedural": {},
        "": {**NOT_CROPPED, "batch_size": 100, "epochs": 500},
    },
}
"""Stage to preset to fields, likewise."""
