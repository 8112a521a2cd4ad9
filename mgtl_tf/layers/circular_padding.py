"""Padding for images whose columns are azimuths (DSM, Shi et al. 2020)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class CircularPadding(ConfiguredLayer):
    """One more row and column on every side: zeros, and the opposite columns.

    Before a 3 x 3 VALID convolution of stride s it makes a SAME one that
    turning the image by s columns turns by one.

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, h + 2, w + 2, C].
    """

    def call(self, features):
        wrapped = ops.concatenate(
            [features[:, :, -1:], features, features[:, :, :1]], axis=2
        )
        return ops.pad(wrapped, ((0, 0), (1, 1), (0, 0), (0, 0)))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return (batch, height + 2, width + 2, channels)
