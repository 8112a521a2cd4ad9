"""A convolution of standardised filters, normalised in groups."""

from __future__ import annotations

import keras
from keras import ops

GROUPS = 32
_EPSILON = 1e-5


@keras.saving.register_keras_serializable("mgtl_tf")
class StandardizedConv2D(keras.layers.Conv2D):
    """SAME convolution without bias, GroupNorm, activation.

    Every filter has mean 0 and variance 1 before each use (Qiao et al.
    2019), as in the ResNet stem of the hybrid vision transformers. All
    statistics are float32.

    Args:
        filters, kernel_size, strides, activation: of keras.layers.Conv2D.
        norm_per_channel: whether every channel is a group of its own, as the
            published weights have it for shortcuts; else there are at most
            32 groups, of equal size and at least two channels.

    Call arguments:
        inputs: [B, H, W, C].

    Output:
        [B, ceil(H / stride), ceil(W / stride), filters].
    """

    def __init__(
        self, filters, kernel_size, strides=1, norm_per_channel=False, **kwargs
    ):
        fixed = {"padding": "same", "use_bias": False}
        super().__init__(filters, kernel_size, strides, **{**kwargs, **fixed})
        self.norm_per_channel = norm_per_channel
        most = max(1, min(GROUPS, filters // 2))
        groups = next(n for n in range(most, 0, -1) if filters % n == 0)
        self.norm = keras.layers.GroupNormalization(
            filters if norm_per_channel else groups,
            epsilon=_EPSILON,
            name="norm",
            dtype="float32",
        )

    def build(self, input_shape):
        super().build(input_shape)
        self.norm.build(self.compute_output_shape(tuple(input_shape)))

    def add_weight(self, *args, **kwargs):
        """As any layer's; no policy rounds it before it is standardised.

        Where a filter's weights lie close together, rounding is all that
        would be left of their differences.
        """
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def call(self, inputs):
        kernel = ops.cast(self.kernel, "float32")
        mean = ops.mean(kernel, axis=(0, 1, 2), keepdims=True)
        variance = ops.var(kernel, axis=(0, 1, 2), keepdims=True)
        kernel = (kernel - mean) / ops.sqrt(variance + _EPSILON)
        features = ops.conv(
            inputs,
            ops.cast(kernel, inputs.dtype),
            strides=self.strides,
            padding="same",
        )
        return self.activation(ops.cast(self.norm(features), inputs.dtype))

    def get_config(self):
        own = {"norm_per_channel": self.norm_per_channel}
        return {**super().get_config(), **own}
