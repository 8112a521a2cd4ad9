"""What each system is trained with where it differs from the data's preset.

`--system=S` lays these over `--preset=P`; flags that are given lie over
both. On CVUSA and CVACT they are its authors' own settings (those of the
network itself are the defaults of its config); on the synthetic world a small
form that two cores train in minutes, which is another system than the
published one and is named so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mgtl_tf.presets import convnext_systems, strided_systems, vit_systems
from mgtl_tf.presets.strided_systems import CROPPED, CROPPED_CVACT

_FROM_SCRATCH = vit_systems.FROM_SCRATCH

# What VIGOR's preset, which is of plain aerial images, becomes for systems
# that compare the views' columns: polar about the tile's centre.
_POLAR = {"satellite_form": "polar", "satellite_size": (0, 0)}

_CVM_NET = {"batch_size": 12, "epochs": 100, "freeze_blocks": 3}

_DSM = {"batch_size": 32, "epochs": 100, "freeze_blocks": 3}

_TOKER = {
    "batch_size": 32,
    "epochs": 200,
    "learning_rate": 1e-4,
    "adam_beta_1": 0.5,
    "backbone_weights": "none",
}

_SETTINGS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    **convnext_systems.SETTINGS,
    **vit_systems.SETTINGS,
    **strided_systems.SETTINGS,
    "mgtl": {"vigor": _POLAR, "": {}},
    "linear_probe": {"vigor": _POLAR, "": {}},
    "safa": {
        "procedural": {},
        # Shi et al. 2019: Adam 1e-5, ImageNet VGG-16.
        "": {"batch_size": 32, "epochs": 100},
    },
    "dsm": {
        "procedural": {"backbone_normalization": "batch"},
        "vigor": {**_DSM, **_POLAR},
        # Shi et al. 2020: Adam 1e-5, ImageNet VGG-16, conv1 to conv3 frozen.
        # Table 1's are panoramas of known heading and 360 degrees; for others
        # --shift_search --orientation_noise=360 --field_of_view=N.
        "": _DSM,
    },
    "cvm_net": {
        # "CVM-Net-I, small": a quarter of the clusters, 256 numbers, and no
        # biases to begin with. No pair is turned, as in its authors'
        # training. In float32: descriptors begin nearly alike.
        "procedural": {
            "dtype_policy": "float32",
            "projection_bias": 0.0,
            "roll_and_mirror": False,
            "satellite_size": (64, 64),
            "clusters": 16,
            "descriptor_size": 256,
        },
        # Hu et al. 2018: Adam 1e-5, 5 epochs a launch, and not said how many
        # launches.
        "": {**_CVM_NET, **CROPPED},
        "cvact": {**_CVM_NET, **CROPPED_CVACT},
    },
    "cvft": {
        # "CVFT, small": 16 cells of 64 channels.
        "procedural": {"satellite_size": (64, 64), "channels": 64},
        # Shi et al. 2020: Adam 1e-5; 100 epochs on CVACT, on CVUSA 10 a
        # launch, and not said how many launches.
        "": {"batch_size": 32, "epochs": 100, "freeze_blocks": 3},
    },
    "zhai": {
        # "Zhai-style layout matching, small": a world with label maps.
        "procedural": {
            **_FROM_SCRATCH,
            "satellite_size": (128, 128),
            "layout_size": (4, 20),
            "width_multiplier": 0.25,
            "roll_and_mirror": False,
            "mining_start": -1,
        },
        # Zhai et al. 2017: Adam 1e-3, 10 epochs; their weight decay and the
        # steps of their rate (0.7 every 5,000 steps) are left out.
        "": {
            "batch_size": 16,
            "epochs": 10,
            "learning_rate": 1e-3,
            "backbone_weights": "none",
        },
    },
    "workman": {
        # "Workman-style regression (frozen random ground network), small,
        # polar": both networks start alike, so both views are of one size. In
        # bfloat16 descriptors, which lie close together, would be tied.
        "procedural": {
            "satellite_size": (0, 0),
            "satellite_form": "polar",
            "dtype_policy": "float32",
            **_FROM_SCRATCH,
            "poolings": 1,
            "width_multiplier": 0.25,
            "descriptor_size": 256,
            "backbone_dropout": 0.0,
        },
        # Workman et al. 2015 say nothing of optimizer, rate, batch, epochs;
        # these are the paper's.
        "": {"backbone_weights": "none"},
        # Not at their size: VIGOR's panoramas would be squeezed to a square.
        "vigor": {"backbone_weights": "none", **_POLAR},
    },
    "workman_vgg16": {"vigor": _POLAR, "": {}},
    "toker": {
        # "Toker retrieval-only, small". In float32: instance norms of maps
        # this small would magnify what bfloat16 rounds. At half this width,
        # 306 steps on 600 pairs: r@1 76.5 % of 200, and in full, with
        # --generator, 74.5 %, L1 of street views 0.31 to 0.22 (of 2).
        "procedural": {
            **_FROM_SCRATCH,
            "dtype_policy": "float32",
            "width_multiplier": 0.25,
            "ground_blocks": (1, 1, 1),
            "residual_blocks": 1,
            "adam_beta_1": 0.5,
        },
        # Toker et al. 2021: Adam 1e-4 of momentum 0.5, 200 epochs; from
        # scratch, where theirs starts ResNet-34 from ImageNet; their mirroring
        # of half of the pairs is left out. Theirs is with --generator, of
        # polar images.
        "vigor": {**_TOKER, **_POLAR},
        "": _TOKER,
    },
    "vo": {
        # "Vo-style DBL with angle head, small". Pairs are not turned: aerial
        # images already are, alone, by up to 30 degrees in place of 180,
        # which some hundred steps do not learn.
        "procedural": {
            **_FROM_SCRATCH,
            "largest_turn": 30.0,
            "roll_and_mirror": False,
            "satellite_size": (64, 64),
            "crop_margins": (0, 4),
            "poolings": 1,
            "width_multiplier": 0.25,
            "descriptor_size": 256,
            "gamma": 1.0,
            "generative_weight": 1.0,
            "dtype_policy": "float32",
        },
        # Vo and Hays 2016 train by SGD, 80,000 steps, which Adam replaces
        # here; both losses weigh the same there as well.
        "": {
            "batch_size": 128,
            "epochs": 288,
            "gamma": 1.0,
            "generative_weight": 1.0,
            "backbone_weights": "none",
        },
    },
}


_STAGES = {**strided_systems.STAGES, **vit_systems.STAGES}


def system_settings(
    preset: str, system: str, stage: str = ""
) -> dict[str, Any]:
    """Config fields of a system over a preset; none for MGTL.

    Args:
        preset: name of the preset.
        system: name of the system.
        stage: of a system of several; empty: its default.
    """
    forms = _SETTINGS.get(system, {"": {}})
    stages = _STAGES.get(stage, {"": {}})
    return {
        "system": system,
        **forms.get(preset, forms[""]),
        **stages.get(preset, stages[""]),
    }
