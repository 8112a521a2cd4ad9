"""One bottleneck of the hybrid vision transformer's stem."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.standardized_conv import StandardizedConv2D

GROUPS = 32
EXPANSION = 4


def group_norm(channels, groups, name):
    """GroupNorm in float32 whatever the policy; its output is cast back.

    Args:
        channels: of what it normalises.
        groups: at most so many, of equal size and at least two channels,
            unless every channel is a group of its own (`groups=channels`).
        name: of the layer.
    """
    if groups != channels:
        most = max(1, min(groups, channels // 2))
        groups = next(n for n in range(most, 0, -1) if channels % n == 0)
    return keras.layers.GroupNormalization(
        groups, epsilon=1e-5, name=name, dtype="float32"
    )


@keras.saving.register_keras_serializable("mgtl_tf")
class ResidualUnit(keras.layers.Layer):
    """1x1, 3x3 with stride, 1x1 convolutions, GroupNorm after each.

    y = ReLU(N3(C3(ReLU(N2(C2(ReLU(N1(C1(x)))))))) + shortcut(x)); where the
    shape changes the shortcut is a 1x1 convolution with one normalisation
    group a channel, as the published weights have it.

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

    def build(self, input_shape):
        """Makes the convolutions and norms for [B, h, w, C]."""
        out = EXPANSION * self.width
        shape = tuple(input_shape)
        inner = (*self.compute_output_shape(shape)[:-1], self.width)
        self.conv1 = self._convolution("conv1", self.width, 1, 1)
        self.norm1 = group_norm(self.width, GROUPS, "gn1")
        self.conv2 = self._convolution("conv2", self.width, 3, self.stride)
        self.norm2 = group_norm(self.width, GROUPS, "gn2")
        self.conv3 = self._convolution("conv3", out, 1, 1)
        self.norm3 = group_norm(out, GROUPS, "gn3")
        self.conv1.build(shape)
        self.norm1.build((*shape[:-1], self.width))
        self.conv2.build((*shape[:-1], self.width))
        self.norm2.build(inner)
        self.conv3.build(inner)
        self.norm3.build((*inner[:-1], out))
        self.shortcut, self.shortcut_norm = None, None
        if input_shape[-1] != out or self.stride != 1:
            self.shortcut = self._convolution("conv_proj", out, 1, self.stride)
            self.shortcut.build(input_shape)
            self.shortcut_norm = group_norm(out, out, "gn_proj")
            self.shortcut_norm.build((*inner[:-1], out))

    def _convolution(self, name, width, kernel, stride):
        return StandardizedConv2D(
            width, kernel, stride, name=name, dtype=self.dtype_policy
        )

    def call(self, features):
        """The unit's output."""
        hidden = ops.relu(self._normed(self.norm1, self.conv1(features)))
        hidden = ops.relu(self._normed(self.norm2, self.conv2(hidden)))
        hidden = self._normed(self.norm3, self.conv3(hidden))
        kept = features
        if self.shortcut is not None:
            kept = self._normed(self.shortcut_norm, self.shortcut(features))
        return ops.relu(hidden + kept)

    def _normed(self, norm, features):
        return ops.cast(norm(features), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        """Smaller by the stride, four times `width` channels."""
        batch, height, width = input_shape[:3]
        height, width = -(-height // self.stride), -(-width // self.stride)
        return (batch, height, width, EXPANSION * self.width)

    def get_config(self):
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "width": self.width,
            "stride": self.stride,
        }
