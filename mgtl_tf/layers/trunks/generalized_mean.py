"""Generalised mean over the cells of a feature map (GeM)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer


@keras.saving.register_keras_serializable("mgtl_tf")
class GeneralizedMean(ConfiguredLayer):
    """(mean over cells of max(x, least)^p)^(1/p), a channel at a time.

    Args:
        power: p, fixed; 1 is the mean, infinity would be the maximum.
        least: what smaller numbers, negative ones too, are raised to.

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, C].
    """

    def __init__(self, power=3.0, least=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.power = power
        self.least = least

    def call(self, features):
        # In float32: the third power of small numbers underflows in halves.
        features = ops.maximum(ops.cast(features, "float32"), self.least)
        mean = ops.mean(ops.power(features, self.power), axis=(1, 2))
        return ops.cast(ops.power(mean, 1.0 / self.power), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])
