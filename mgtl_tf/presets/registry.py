"""Name to preset: config fields, with the command they are for.

Fields that a preset does not name have the config's own defaults, which are
the paper's (sections 2.3 and 3.1, R1 to R17): 150 epochs, batch 16, Adam
1e-5, ImageNet weights. A new preset is an entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mgtl_tf.config import RunConfig
from mgtl_tf.config.model import config_class
from mgtl_tf.presets.systems import system_settings
from mgtl_tf.utils.errors import UserError

# Of CVACT's panoramas the middle half of the rows is used.
_CVACT_CROP = (0.25, 0.75)

PRESETS: Mapping[str, Mapping[str, Any]] = {
    # python -m experiments.make_world --output_dir=demo/world
    # python -m experiments.train --preset=procedural
    #     --data_dir=demo/world --run_dir=demo/run      (`make demo`)
    #
    # A small MGTL from random weights on the synthetic world. It differs
    # from the paper where random weights, two cores and eight minutes ask
    # for it: a narrow VGG-16 with batch normalisation and three poolings,
    # three steps, residual branches that start at zero (R19), a smaller
    # lambda, hard negatives from the fourth epoch on (R18).
    "procedural": {
        "image_size": (32, 160),
        "recurrent_steps": 3,
        "channels": 96,
        "width_multiplier": 0.125,
        "poolings": 3,
        "backbone_normalization": "batch",
        "backbone_dropout": 0.0,
        "residual_init": "zeros",
        "dataset": "procedural",
        "same_place_metres": 5.0,
        "roll_and_mirror": True,
        "batch_size": 32,
        "epochs": 8,
        "max_steps": 1350,
        "learning_rate": 1.5e-3,
        "schedule": "cosine",
        "warmup": 0.05,
        "clip_norm": 1.0,
        "generative_weight": 0.01,
        "mining_start": 3,
        "mining_every": 3,
        "evaluate_every": 2,
        "backbone_weights": "none",
        "dtype_policy": "auto",
        "evaluation_batch_size": 50,
    },
    # python -m experiments.train --preset=cvusa --data_dir=CVUSA
    #     --run_dir=runs/cvusa
    #
    # Paper: 94.11 / 98.30 / 99.03 / 99.74 % at r@1 / 5 / 10 / 1%, one GTX
    # Titan X. Not yet run here on the whole data set.
    "cvusa": {"dataset": "cvusa"},
    # python -m experiments.train --preset=cvact --data_dir=CVACT
    #     --run_dir=runs/cvact
    #
    # Paper: 85.35 / 94.45 / 96.06 / 98.48 % at r@1 / 5 / 10 / 1% on
    # CVACT_val. Not yet run here on the whole data set.
    "cvact": {"dataset": "cvact", "ground_crop": _CVACT_CROP},
    # python -m experiments.evaluate --run_dir=runs/cvact
    #     --dataset=cvact_test --data_dir=CVACT
    #
    # 92,802 pairs to evaluate on, nothing to train on.
    "cvact_test": {"dataset": "cvact_test", "ground_crop": _CVACT_CROP},
    # python -m experiments.train --preset=synthetic_to_real
    #     --data_dir=worlds/varied --run_dir=runs/synthetic_to_real
    #     --backbone_weights=VGG16_FILE --feature_cache=features
    #
    # The shipped model: docs/synthetic_to_real.md. VGG-16's first four blocks
    # stay as ImageNet left them; ten minutes on two cores, most of them for
    # the features of 3,000 pairs.
    "synthetic_to_real": {
        "system": "linear_probe",
        "dataset": "procedural",
        "same_place_metres": 5.0,
        "loss": "info_nce",
        "label_smoothing": 0.0,
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "batch_size": 64,
        "epochs": 4,
        "freeze_blocks": 4,
        "dtype_policy": "auto",
    },
    # python -m experiments.train --preset=vigor --data_dir=VIGOR
    #     --run_dir=runs/vigor [--vigor_protocol=cross]
    #
    # SAFA on raw aerial images, in VIGOR's sizes: a polar transform about a
    # tile's centre is not one about a panorama. Not yet run here on VIGOR;
    # its paper gives 33.9 % (same) and 8.2 % (cross) at r@1.
    "vigor": {
        "dataset": "vigor",
        "system": "safa",
        "image_size": (320, 640),
        "satellite_size": (320, 320),
        "satellite_form": "square",
        "exclude_overlap": True,
    },
    # python -m experiments.train --preset=best --data_dir=CVUSA
    #     --run_dir=runs/best [--descriptor_regions=quarters]
    #     [--system=mgtl_convnext]
    #
    # What the published evidence says is best at the cost of one GPU:
    # Sample4Geo's training on ConvNeXt-B, of images of 128 x 512 and 256 x
    # 256. With quarters FRGeo's ordered means stand in place of the map's
    # mean; mgtl_convnext has MGTL's transformer on that trunk. Not yet run
    # here on CVUSA. Other data: --dataset.
    "best": {"dataset": "cvusa", "system": "sample4geo"},
    # python -m experiments.train --preset=csv --data_dir=FOLDER
    #     --run_dir=runs/own
    #
    # FOLDER holds train.csv and validation.csv with the columns id, ground,
    # aerial, latitude, longitude. A panorama whose kept rows are not of the
    # network input's shape is refused: --ground_crop says which are kept.
    "csv": {"dataset": "csv"},
}


def load_preset(name: str, **changes: Any) -> RunConfig:
    """A preset's settings, over them the system's own, over these `changes`.

    Raises:
        UserError: for an unknown name, with the known ones, or a field that
            is unknown or refused.
    """
    if name not in PRESETS:
        raise UserError(
            f"preset={name}: unknown; choose one of {', '.join(PRESETS)}"
        )
    preset = PRESETS[name]
    chosen = changes.get("system", preset.get("system", "mgtl"))
    stage = changes.get(config_class(chosen).stage_setting, "")
    system = system_settings(name, chosen, stage)
    return RunConfig.of(**{**preset, **system, **changes})
