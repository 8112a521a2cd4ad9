"""The ResNet stem of L2LTR: image to a map at a sixteenth of its size."""

from __future__ import annotations

import keras

from mgtl_tf.layers.color_scaling import standardized
from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.trunks.residual_unit import EXPANSION, ResidualUnit
from mgtl_tf.layers.trunks.standardized_conv import StandardizedConv2D

WIDTH = 64


@keras.saving.register_keras_serializable("mgtl_tf")
class HybridStem(ConfiguredLayer):
    """RGB image to features: 7x7/2, pooling 3x3/2, three residual stages.

    The stem of R50+ViT-B/16 (Dosovitskiy et al. 2021): weight-standardised
    convolutions, GroupNorm, strides 1, 2, 2 of the stages. SAME padding, so
    odd sizes round up.

    Args:
        units: residual units of each stage; (3, 4, 9) is the published one.
        width_multiplier: scales the 64 channels that all widths follow from.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].

    Output:
        [B, ceil(H / 16), ceil(W / 16), 1024 * width_multiplier] of three
        stages; every stage more or less halves once more or less.
    """

    def __init__(self, units=(3, 4, 9), width_multiplier=1.0, **kwargs):
        super().__init__(**kwargs)
        self.units = tuple(units)
        self.width_multiplier = width_multiplier
        self._width = max(2, round(WIDTH * width_multiplier))
        common = {"dtype": self.dtype_policy}
        self.root = StandardizedConv2D(
            self._width, 7, 2, activation="relu", name="conv_root", **common
        )
        self.pool = keras.layers.MaxPooling2D(
            3, 2, padding="same", name="pool", **common
        )
        self.stages = [
            ResidualUnit(
                self._width * 2**stage,
                stride=2 if stage and not place else 1,
                name=f"block{stage + 1}_unit{place + 1}",
                **common,
            )
            for stage, count in enumerate(self.units)
            for place in range(count)
        ]

    def build(self, input_shape):
        build_chain([self.root, self.pool, *self.stages], input_shape)

    def call(self, images):
        features = standardized(images, self.compute_dtype)
        features = self.pool(self.root(features))
        for unit in self.stages:
            features = unit(features)
        return features

    def compute_output_shape(self, input_shape):
        """Halved by root, pooling and every stage after the first."""
        batch, height, width = input_shape[:3]
        for _ in range(1 + len(self.units)):
            height, width = -(-height // 2), -(-width // 2)
        channels = EXPANSION * self._width * 2 ** (len(self.units) - 1)
        return (batch, height, width, channels)
