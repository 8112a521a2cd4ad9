"""Max-pooling whose last window may reach over the border, as Caffe's."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class CeilMaxPooling2D(ConfiguredLayer):
    """Windows from the first row and column on, until all are covered.

    A side of n becomes ceil((n - window) / stride) + 1, at least 1: what a
    window has outside the map does not count. 54 becomes 27 with windows of
    3 and a stride of 2, where VALID gives 26.

    Args:
        window: side of a window.
        stride: from one window to the next.

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, h', w', C].
    """

    def __init__(self, window=3, stride=2, **kwargs):
        super().__init__(**kwargs)
        self.window = window
        self.stride = stride

    def _side(self, side):
        return max(1, -((self.window - side) // self.stride) + 1)

    def call(self, features):
        beyond = [
            (0, max(0, (self._side(n) - 1) * self.stride + self.window - n))
            for n in features.shape[1:3]
        ]
        padding = [(0, 0), *beyond, (0, 0)]
        padded = ops.pad(features, padding, constant_values=float("-inf"))
        return ops.max_pool(padded, self.window, self.stride, "valid")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, self._side(height), self._side(width), channels)
