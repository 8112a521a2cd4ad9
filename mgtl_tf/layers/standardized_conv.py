"""A convolution whose kernel is standardised before each use."""

from __future__ import annotations

import keras
from keras import ops

_EPSILON = 1e-5


@keras.saving.register_keras_serializable("mgtl_tf")
class StandardizedConv2D(keras.layers.Conv2D):
    """SAME convolution without bias; every filter has mean 0, variance 1.

    Weight standardisation (Qiao et al. 2019), as in the ResNet stem of the
    hybrid vision transformers. Statistics are float32.

    Args:
        filters, kernel_size, strides: of keras.layers.Conv2D.

    Call arguments:
        inputs: [B, H, W, C].

    Output:
        [B, ceil(H / stride), ceil(W / stride), filters].
    """

    def __init__(self, filters, kernel_size, strides=1, **kwargs):
        fixed = {"padding": "same", "use_bias": False}
        super().__init__(filters, kernel_size, strides, **{**kwargs, **fixed})

    def add_weight(self, *args, **kwargs):
        """As any layer's; no policy rounds it before it is standardised.

        Where a filter's weights lie close together, rounding is all that
        would be left of their differences.
        """
        return super().add_weight(*args, **{**kwargs, "autocast": False})

    def call(self, inputs):
        """The convolved map."""
        kernel = ops.cast(self.kernel, "float32")
        mean = ops.mean(kernel, axis=(0, 1, 2), keepdims=True)
        variance = ops.var(kernel, axis=(0, 1, 2), keepdims=True)
        kernel = (kernel - mean) / ops.sqrt(variance + _EPSILON)
        return ops.conv(
            inputs,
            ops.cast(kernel, inputs.dtype),
            strides=self.strides,
            padding="same",
        )
