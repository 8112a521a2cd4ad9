"""What the systems on ConvNeXt are trained with; see `presets.systems`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Narrow ConvNeXt of few blocks for two cores; quarters are of whole cells, and
# no map is of one row, which tf2onnx mistakes.
_SMALL = {
    "image_size": (64, 128),
    "satellite_size": (64, 64),
    "convnext_depths": (1, 1, 2, 1),
    "convnext_widths": (96, 192, 384, 768),
    "width_multiplier": 0.25,
    "convnext_layer_scale": 1.0,
    "backbone_weights": "none",
    "freeze_blocks": 0,
    # Of maps this small most of bfloat16's time is spent in conversions.
    "dtype_policy": "float32",
    "loss": "info_nce",
    "optimizer": "adamw",
    "learning_rate": 1e-3,
}

_FRGEO = {
    "batch_size": 32,
    "epochs": 50,
    "loss": "info_nce",
    "temperature": 0.1,
    "label_smoothing": 0.0,
    "optimizer": "adamw",
    "learning_rate": 1e-4,
    "weight_decay": 0.03,
    "sharpness_radius": 2.5,
    "schedule": "cosine",
    "mining_start": 1,
    "mining_every": 1,
    "mining_neighbours": 100,
}

_SAMPLE4GEO = {
    "batch_size": 128,
    "epochs": 40,
    "loss": "info_nce",
    "label_smoothing": 0.1,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "weight_decay": 0.01,
    "schedule": "cosine",
    "warmup": 1 / 40,
    "roll_and_mirror": True,
    "mining_by_position_until": 4,
    "mining_start": 4,
    "mining_every": 4,
    "mining_neighbours": 128,
    "mining_kept": 32,
    "evaluate_every": 4,
}

# Of our own, for one GPU: Sample4Geo's batches at FRGeo's image sizes, pieces
# of 16 pairs at a time with the negatives of all 128.
_BEST = {
    **_SAMPLE4GEO,
    "image_size": (128, 512),
    "micro_batch": 16,
    "dtype_policy": "auto",
}

# Azimuth columns of polar images.
_POLAR = {"satellite_form": "polar", "satellite_size": (0, 0)}

SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "frgeo": {
        # "FRGeo, small".
        "procedural": {**_SMALL, "temperature": 0.1, "label_smoothing": 0.0},
        # Zhang and Zhu 2024: AdamW 1e-4 with ASAM, 50 epochs, one GPU. Theirs
        # draws one of the 100 most alike aerial images for each of half a
        # batch; here batches grow of these, as all mined batches do.
        "": _FRGEO,
        "vigor": {
            **_FRGEO,
            "image_size": (320, 640),
            "satellite_size": (320, 320),
            "batch_size": 16,
            "learning_rate": 5e-5,
        },
    },
    "sample4geo": {
        # "Sample4Geo, small".
        "procedural": {**_SMALL, "mining_by_position_until": 3},
        # Deuser et al. 2023: AdamW 1e-3, 40 epochs of 128 pairs on 4 GPUs;
        # --micro_batch fits them in one. Theirs also blots out parts of
        # images, clips single gradients at 100 and has float16, which are
        # left out; here pairs turn by any angle, theirs by right ones.
        "": _SAMPLE4GEO,
        # Their panoramas are not cropped.
        "cvact": {**_SAMPLE4GEO, "ground_crop": (0.0, 1.0)},
        "vigor": {
            **_SAMPLE4GEO,
            "image_size": (384, 768),
            "satellite_size": (384, 384),
        },
        "best": {**_BEST, "satellite_size": (256, 256)},
    },
    "mgtl_convnext": {
        # "MGTL on ConvNeXt, small": four columns.
        "procedural": {**_SMALL, **_POLAR},
        # As Sample4Geo but for its columns, so that a table compares these.
        "": {**_SAMPLE4GEO, "image_size": (140, 768), **_POLAR},
        "cvact": {
            **_SAMPLE4GEO,
            "image_size": (140, 768),
            "ground_crop": (0.0, 1.0),
            **_POLAR,
        },
        "vigor": {**_SAMPLE4GEO, "image_size": (384, 768), **_POLAR},
        "best": {**_BEST, **_POLAR},
    },
}
"""System to preset to fields; "" for all others."""
