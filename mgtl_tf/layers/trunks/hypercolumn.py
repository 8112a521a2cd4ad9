"""Zhai et al.'s trunk: VGG-like, without padding, read at four depths."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.bilinear_resize import BilinearResize
from mgtl_tf.layers.configured_layer import (
    ConfiguredLayer,
    build_chain,
    run_chain,
)
from mgtl_tf.layers.vgg16 import scaled_width

WIDTHS = ((64, 64), (128, 128), (256,) * 3, (512,) * 3)
MOMENTUM, EPSILON = 0.9, 1e-3
"""Of every batch normalisation of the system."""


def normalization(name, dtype):
    """Batch normalisation with a shift and no scale, as the system has it."""
    return keras.layers.BatchNormalization(
        momentum=MOMENTUM, epsilon=EPSILON, scale=False, name=name, dtype=dtype
    )


@keras.saving.register_keras_serializable("mgtl_tf")
class Hypercolumn(ConfiguredLayer):
    """Image to its features at four depths, at the cells of the last map.

    VGG-16's first ten convolutions, 3x3 VALID without bias, each with batch
    normalisation and ReLU; 2x2 poolings between the four blocks. The last map
    of each block is sampled at the cells of the fourth (X s + (s - 1) / 2,
    see BilinearResize), so that the last channels are that map itself
    (Zhai et al. 2017).

    Args:
        width_multiplier: scales the channels of every convolution.

    Call arguments:
        images: [B, H, W, 3], -1..1; H and W at least 96.
        training: whether batch statistics are used.

    Output:
        [B, h, w, 960 * width_multiplier]; 224 x 224 gives 17 x 17.
    """

    def __init__(self, width_multiplier=1.0, **kwargs):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier

    def build(self, input_shape):
        self.blocks, shape = [], tuple(input_shape)
        for number, widths in enumerate(self.widths):
            stages = [] if not number else [self._pooling(f"pool{number}")]
            for place, width in enumerate(widths):
                name = f"conv{number + 1}_{place + 1}"
                stages += self._convolution(name, width)
            shape = build_chain(stages, shape)
            self.blocks.append(stages)
        self.sampling = BilinearResize(
            shape[1:3], name="sampling", dtype=self.dtype_policy
        )

    @property
    def widths(self):
        """Channels of every convolution, block by block."""
        return [
            [scaled_width(width, self.width_multiplier) for width in block]
            for block in WIDTHS
        ]

    def _pooling(self, name):
        return keras.layers.MaxPooling2D(name=name, dtype=self.dtype_policy)

    def _convolution(self, name, width):
        common = {"dtype": self.dtype_policy}
        return [
            keras.layers.Conv2D(width, 3, use_bias=False, name=name, **common),
            normalization(f"{name}_bn", self.dtype_policy),
            keras.layers.ReLU(name=f"{name}_relu", **common),
        ]

    def call(self, images, training=None):
        features, read = images, []
        for stages in self.blocks:
            features = run_chain(stages, features, training)
            read.append(features)
        columns = [self.sampling(features) for features in read[:-1]]
        return ops.concatenate([*columns, read[-1]], axis=-1)

    def compute_output_shape(self, input_shape):
        batch, *size = input_shape[:3]
        for number, block in enumerate(WIDTHS):
            halves = (side // 2 if number else side for side in size)
            size = [side - 2 * len(block) for side in halves]
        return (batch, *size, sum(block[-1] for block in self.widths))
