"""A small form of every system, for whatever all of them must do.

A new system joins by one row of `TABLE`.
"""

import cv2
import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.datasets.label_maps import COLOURS

SIZE = (16, 40)
VGG = {"poolings": 2, "backbone_normalization": "batch"}
# ConvNeXt makes a cell of 32 x 32 pixels; ONNX needs two rows of them.
CONVNEXT = {
    "image_size": (64, 128),
    "satellite_size": (64, 64),
    "convnext_depths": (1, 1, 1, 1),
    "convnext_widths": (96, 192, 256, 192),
}
SQUARE = {"satellite_size": (24, 24), "satellite_form": "square"}

# name: a form of it that a test can train, and its descriptors' length D
TABLE = {
    "mgtl": ({**VGG, "channels": 12, "heads": 3, "recurrent_steps": 1}, 120),
    "safa": ({**VGG, "attention_maps": 3}, 3 * 32),
    "l2ltr": (
        {"stem_blocks": (1, 1, 1), "vit_blocks": 2, "channels": 12, "heads": 3},
        12,
    ),
    "dsm": (VGG, 160),
    "oricnn": (
        {
            "strided_blocks": 3,
            "satellite_size": (16, 16),
            "satellite_form": "square",
        },
        4 + 8 + 16,
    ),
    # The system's blocks are of 4 channels to 32; two poolings leave 10.
    "linear_probe": ({"poolings": 2, "channels": 12, "heads": 3}, 120),
    "regmi": (
        {
            "strided_blocks": 4,
            "backbone_normalization": "batch",
            "descriptor_size": 10,
            **SQUARE,
        },
        10,
    ),
    "workman": ({**SQUARE, "poolings": 1, "descriptor_size": 12}, 12),
    # The polar image's 10 columns of 2 rows of 32 channels.
    "workman_vgg16": ({**VGG, "poolings": 3}, 320),
    # Without padding, 112 pixels leave 3 x 3 cells.
    "zhai": ({"layout_size": (2, 4), "satellite_size": (112, 112)}, 2 * 4 * 4),
    "cvm_net": (
        {
            **VGG,
            "satellite_size": (24, 24),
            "clusters": 4,
            "descriptor_size": 9,
        },
        9,
    ),
    # Nine cells of 8 channels.
    "cvft": ({**VGG, "satellite_size": (24, 24), "channels": 8}, 72),
    "toker": (
        {"ground_blocks": (1, 1, 1), "residual_blocks": 0, "attention_maps": 2},
        2 * 16,
    ),
    "vo": (
        {
            "satellite_size": (26, 26),
            "satellite_form": "square",
            "largest_turn": 0.0,  # noise that is turned is other noise
            "crop_margins": (0, 0),
            "poolings": 1,
            "backbone_normalization": "batch",
            "descriptor_size": 11,
        },
        11,
    ),
    "transgeo": (
        {
            "satellite_size": (24, 24),
            "patch_size": 8,
            "vit_blocks": 2,
            "channels": 12,
            "heads": 3,
            "descriptor_size": 10,
        },
        10,
    ),
    "frgeo": (CONVNEXT, 4 * 12),
    "sample4geo": (CONVNEXT, 12),
    # Four columns of 12 channels.
    "mgtl_convnext": (
        {
            **CONVNEXT,
            "satellite_size": (0, 0),
            "satellite_form": "polar",
            "channels": 12,
            "heads": 3,
            "recurrent_steps": 1,
        },
        48,
    ),
}
every_system = pytest.mark.parametrize("name", TABLE)


def small_model(name="mgtl", dtype=None, **fields):
    """A system's small form, of weights that only the seed decides."""
    keras.utils.set_random_seed(1)
    given = {"image_size": SIZE, "backbone_dropout": 0.0}
    given |= {**TABLE[name][0], **fields}
    config = mgtl_tf.ModelConfig(system=name, width_multiplier=1 / 16, **given)
    return mgtl_tf.build_model(config, dtype)


def noise(model, view, seed, batch=3):
    """Network inputs of a view, or label maps, [B, H, W, 3]."""
    random = np.random.default_rng(seed)
    shape = (batch, *model.config.input_shapes[view][1:])
    if view == "ground" and model.config.ground_form == "labels":
        blocks = COLOURS[random.integers(0, 4, (batch, 4, 5))]
        return blocks.repeat(4, axis=1).repeat(8, axis=2).astype("float32")
    return random.uniform(0, 255, shape).astype("float32")


def noisy_pairs(model, count=4):
    """Pairs whose aerial image is the panorama, resized, with some noise."""
    ground = noise(model, "ground", 0, count)
    height, width = model.config.view_size("satellite")
    like = np.stack([cv2.resize(image, (width, height)) for image in ground])
    more = np.random.default_rng(1).normal(0, 10, like.shape)
    return {"ground": ground, "satellite": (like + more).astype("float32")}
