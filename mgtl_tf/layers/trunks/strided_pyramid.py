"""Regmi and Shah's encoder: strided convolutions, the last three joined."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.color_scaling import bgr_less
from mgtl_tf.layers.configured_layer import ConfiguredLayer, build_chain
from mgtl_tf.layers.vgg16 import (
    CAFFE_MEANS_BGR,
    NORMALIZATION_MOMENTUM,
    scaled_width,
)

WIDTHS = (64, 128, 256, 512, 512, 512, 512, 512)
_JOINED = 3
_KERNEL = 4


@keras.saving.register_keras_serializable("mgtl_tf")
class StridedPyramid(ConfiguredLayer):
    """RGB image to the joined maps of its last three convolutions.

    Eight 4x4 SAME convolutions of stride 2, each with ReLU; dropout follows
    the last three, and both the next convolution and the output read what it
    leaves. Kernels and biases start as Glorot's (a bias as a matrix of one
    row and column), as the published code has it.

    Args:
        width_multiplier: scales the channels of every convolution.
        depth: how many of the eight convolutions there are, the first ones.
        normalization: "none" (published), or "batch": after each convolution,
            for training in few steps.
        dropout: rate.

    Call arguments:
        images: RGB, 0..255, [B, H, W, 3].
        training: whether dropout acts and batch statistics are used.

    Output:
        [B, sum of h x w x C of the last three maps]; a map has half the
        height and width of the one before, rounded up.
    """

    def __init__(
        self,
        width_multiplier=1.0,
        depth=8,
        normalization="none",
        dropout=0.5,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier
        self.depth = depth
        self.normalization = normalization
        self.dropout = dropout

    def build(self, input_shape):
        common = {"dtype": self.dtype_policy}
        self.convolutions = [
            self._convolution(f"conv{place + 1}", width)
            for place, width in enumerate(WIDTHS[: self.depth])
        ]
        self.norms, self.drops, shape = [], [], tuple(input_shape)
        for place, convolution in enumerate(self.convolutions):
            shape = build_chain([convolution], shape)
            if self.normalization == "batch":
                norm = keras.layers.BatchNormalization(
                    momentum=NORMALIZATION_MOMENTUM,
                    name=f"conv{place + 1}_bn",
                    **common,
                )
                norm.build(shape)
                self.norms.append(norm)
        for place in range(self.depth - _JOINED, self.depth):
            name = f"conv{place + 1}_drop"
            self.drops.append(
                keras.layers.Dropout(self.dropout, name=name, **common)
            )

    def _convolution(self, name, width):
        return keras.layers.Conv2D(
            scaled_width(width, self.width_multiplier),
            _KERNEL,
            2,
            padding="same",
            bias_initializer="glorot_uniform",
            name=name,
            dtype=self.dtype_policy,
        )

    def call(self, images, training=None):
        features = bgr_less(images, CAFFE_MEANS_BGR, self.compute_dtype)
        joined = []
        for place, convolution in enumerate(self.convolutions):
            features = convolution(features)
            if self.norms:
                features = self.norms[place](features, training=training)
            features = ops.relu(features)
            if (last := place - self.depth + _JOINED) >= 0:
                features = self.drops[last](features, training=training)
                size = features.shape[1] * features.shape[2] * features.shape[3]
                joined.append(ops.reshape(features, (-1, size)))
        return ops.concatenate(joined, axis=-1)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        size = 0
        for place, channels in enumerate(WIDTHS[: self.depth]):
            height, width = -(-height // 2), -(-width // 2)
            if place >= self.depth - _JOINED:
                scaled = scaled_width(channels, self.width_multiplier)
                size += height * width * scaled
        return (batch, size)
