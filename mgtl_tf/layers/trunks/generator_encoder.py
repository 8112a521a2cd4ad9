"""The encoder of Toker et al.'s generator (2021): their aerial features."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.trunks.generator_blocks import (
    DownBlock,
    InstanceResidual,
    instance_norm,
    spectral_conv,
)
from mgtl_tf.layers.vgg16 import scaled_width

WIDTHS = (32, 64, 128, 256)
"""Channels of the first convolution and after each halving."""


@keras.saving.register_keras_serializable("mgtl_tf")
class GeneratorEncoder(ConfiguredLayer):
    """RGB image to a map of an eighth of its size.

    A 7 x 7 convolution and three halvings, each followed by an instance norm,
    then residual blocks; all convolutions have spectral norm 1 and mirrored
    borders. 8,298,368 parameters with six blocks.

    Args:
        width_multiplier: scales the channels of every layer.
        blocks: residual blocks.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: of the spectral norms.

    Output:
        [B, H / 8, W / 8, 256 * width_multiplier], rounded down.
    """

    def __init__(self, width_multiplier=1.0, blocks=6, **kwargs):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier
        self.blocks = blocks

    def build(self, input_shape):
        dtype, shape = self.dtype_policy, tuple(input_shape)
        widths = [scaled_width(w, self.width_multiplier) for w in WIDTHS]
        self.stages = [spectral_conv(widths[0], 7, "conv", dtype)]
        for place, width in enumerate(widths[1:]):
            name = f"down{place + 1}"
            self.stages.append(DownBlock(width, name=name, dtype=dtype))
        self.norms = []
        for stage in self.stages:
            stage.build(shape)
            shape = stage.compute_output_shape(shape)
            self.norms.append(instance_norm(f"{stage.name}_norm", dtype))
            self.norms[-1].build(shape)
        self.residuals = [
            InstanceResidual(name=f"residual{place + 1}", dtype=dtype)
            for place in range(self.blocks)
        ]
        for residual in self.residuals:
            residual.build(shape)

    def levels(self, images, training=None):
        """Maps after each halving, first to last, and after the residuals.

        Args:
            images, training: of the call.

        Returns:
            four maps, of a half, a quarter and twice an eighth of the size.
        """
        features = ops.cast(images, "float32") / 127.5 - 1.0
        features = ops.cast(features, self.compute_dtype)
        found = []
        for stage, norm in zip(self.stages, self.norms, strict=True):
            features = norm(stage(features, training=training))
            found.append(features)
        for residual in self.residuals:
            features = residual(features, training=training)
        return [*found[1:], features]

    def call(self, images, training=None):
        return self.levels(images, training)[-1]

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        channels = scaled_width(WIDTHS[-1], self.width_multiplier)
        return (batch, height // 8, width // 8, channels)
