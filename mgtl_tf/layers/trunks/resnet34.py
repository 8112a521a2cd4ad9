"""ResNet-34 to its third stage, without its max-pooling (He et al. 2016)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.trunks.basic_block import BasicBlock
from mgtl_tf.layers.trunks.normalized_conv import NormalizedConv
from mgtl_tf.layers.vgg16 import scaled_width

WIDTHS = (64, 128, 256)
"""Channels of the three stages, and first of the 7 x 7 convolution."""


@keras.saving.register_keras_serializable("mgtl_tf")
class ResNet34Features(ConfiguredLayer):
    """RGB image to a map of an eighth of its size, as Toker et al. (2021).

    A 7 x 7 convolution of stride 2, then stages of basic blocks, the second
    and third of which halve the size. 8,170,304 parameters.

    Args:
        width_multiplier: scales the channels of every convolution.
        blocks: of each stage.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: whether batch statistics are used.

    Output:
        [B, H / 8, W / 8, 256 * width_multiplier], every halving rounded up.
    """

    def __init__(self, width_multiplier=1.0, blocks=(3, 4, 6), **kwargs):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier
        self.blocks = tuple(blocks)

    def _widths(self):
        return [scaled_width(w, self.width_multiplier) for w in WIDTHS]

    def build(self, input_shape):
        common, widths = {"dtype": self.dtype_policy}, self._widths()
        self.root = NormalizedConv(widths[0], 7, 2, name="conv1", **common)
        self.stages = [
            BasicBlock(
                width,
                2 if stage and not place else 1,
                name=f"layer{stage + 1}_block{place + 1}",
                **common,
            )
            for stage, width in enumerate(widths)
            for place in range(self.blocks[stage])
        ]
        build_chain([self.root, *self.stages], input_shape)

    def call(self, images, training=None):
        scaled = ops.cast(images, "float32") / 127.5 - 1.0
        scaled = ops.cast(scaled, self.compute_dtype)
        features = ops.relu(self.root(scaled, training=training))
        for block in self.stages:
            features = block(features, training=training)
        return features

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        for _ in range(3):
            height, width = -(-height // 2), -(-width // 2)
        return (batch, height, width, self._widths()[-1])
