"""ConvNeXt's convolutional part (Liu et al. 2022)."""

from __future__ import annotations

import keras

from mgtl_tf.layers.color_scaling import standardized
from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.trunks.convnext_block import ConvNeXtBlock

STRIDE = 32
"""Pixels of an image for a cell of the last map, both ways."""
_STEM = 4


@keras.saving.register_keras_serializable("mgtl_tf")
class ConvNeXtFeatures(ConfiguredLayer):
    """RGB image to the map of ConvNeXt's fourth stage, before any norm.

    A 4 x 4 convolution of stride 4 and a LayerNorm, then four stages of
    blocks; before each but the first a LayerNorm and a 2 x 2 convolution of
    stride 2. Nothing is padded: sizes are rounded down. Of the same weights
    it gives what `keras.applications` gives (see `pretrained_convnext`).

    Args:
        depths: blocks of the four stages; ConvNeXt-T has (3, 3, 9, 3), -B
            (3, 3, 27, 3).
        widths: their channels; -T (96, 192, 384, 768), -B (128, 256, 512,
            1024).
        rematerialize: whether a training step keeps only the input of each
            block and computes its inside again for the gradient.
        layer_scale: of every ConvNeXtBlock.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3], at least 32 x 32.
        training: whether it is a training step.

    Output:
        [B, H // 32, W // 32, C], C the last of `widths`.
    """

    def __init__(
        self,
        depths=(3, 3, 9, 3),
        widths=(96, 192, 384, 768),
        rematerialize=False,
        layer_scale=1e-6,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.depths = tuple(depths)
        self.widths = tuple(widths)
        self.rematerialize = rematerialize
        self.layer_scale = layer_scale

    def build(self, input_shape):
        stages = []
        shapes = zip(self.depths, self.widths, strict=True)
        for number, (depth, width) in enumerate(shapes):
            stages += self._smaller(number, width)
            stages += [
                ConvNeXtBlock(
                    self.layer_scale,
                    name=f"stage{number}_block{place}",
                    dtype=self.dtype_policy,
                )
                for place in range(depth)
            ]
        build_chain(stages, input_shape)
        self.stages = stages

    def _smaller(self, number, width):
        """What makes a stage's map of the map before it."""
        common = {"dtype": self.dtype_policy}
        side = 2 if number else _STEM
        convolution = keras.layers.Conv2D(
            width, side, side, name=f"smaller{number}", **common
        )
        norm = keras.layers.LayerNormalization(
            epsilon=1e-6, name=f"norm{number}", **common
        )
        return (norm, convolution) if number else (convolution, norm)

    def call(self, images, training=None):
        features = standardized(images, self.compute_dtype)
        for stage in self.stages:
            again = training and self.rematerialize
            if again and isinstance(stage, ConvNeXtBlock):
                features = keras.remat(stage)(features)
            else:
                features = stage(features)
        return features

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return (batch, height // STRIDE, width // STRIDE, self.widths[-1])
