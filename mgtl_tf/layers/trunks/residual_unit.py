"""One bottleneck of the hybrid vision transformer's stem."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import (
    ConfiguredLayer,
    build_chain,
    spaced,
)
from mgtl_tf.layers.trunks.standardized_conv import StandardizedConv2D

EXPANSION = 4


@keras.saving.register_keras_serializable("mgtl_tf")
class ResidualUnit(ConfiguredLayer):
    """1x1, 3x3 with stride, 1x1 convolutions, GroupNorm after each.

    y = ReLU(N3(C3(ReLU(N2(C2(ReLU(N1(C1(x)))))))) + shortcut(x)); where the
    shape changes the shortcut is a 1x1 convolution with one normalisation
    group a channel.

    Args:
        width: channels inside; four times as many come out.
        stride: of the 3x3 convolution.

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, ceil(h / stride), ceil(w / stride), 4 * width].
    """

    def __init__(self, width, stride=1, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.stride = stride
        relu = {"activation": "relu"}
        self.conv1 = self._convolution("conv1", width, 1, 1, **relu)
        self.conv2 = self._convolution("conv2", width, 3, stride, **relu)
        self.conv3 = self._convolution("conv3", EXPANSION * width, 1, 1)

    def _convolution(self, name, width, kernel, stride, **kwargs):
        return StandardizedConv2D(
            width, kernel, stride, name=name, dtype=self.dtype_policy, **kwargs
        )

    def build(self, input_shape):
        out = EXPANSION * self.width
        build_chain([self.conv1, self.conv2, self.conv3], input_shape)
        self.shortcut = None
        if input_shape[-1] != out or self.stride != 1:
            self.shortcut = self._convolution(
                "conv_proj", out, 1, 1, norm_per_channel=True
            )
            self.shortcut.build(input_shape)

    def call(self, features):
        kept = features
        if self.shortcut is not None:
            kept = self.shortcut(spaced(features, self.stride))
        return ops.relu(self.conv3(self.conv2(self.conv1(features))) + kept)

    def compute_output_shape(self, input_shape):
        batch, height, width = input_shape[:3]
        height, width = -(-height // self.stride), -(-width // self.stride)
        return (batch, height, width, EXPANSION * self.width)
