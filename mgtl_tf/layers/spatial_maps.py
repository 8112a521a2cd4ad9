"""SAFA's head: where to look, several times over (Shi et al. 2019)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer

_WEIGHT_SPREAD = 0.005
_FIRST_BIAS = 0.1


@keras.saving.register_keras_serializable("mgtl_tf")
class SpatialMaps(ConfiguredLayer):
    """Feature map to M vectors, each a weighted sum over all cells.

    v = mean over channels of F, one number a cell; w_m = W2_m (W1_m v + b1_m)
    + b2_m, with no activation; g_m = sum over cells of w_m F. The published
    code takes the mean where the paper speaks of a maximum; so do we, but for
    Toker et al. (2021), whose code takes the maximum.

    Args:
        maps: M.
        salience: of a cell: "mean" over its channels, or "max".

    Call arguments:
        features: [B, h, w, C].

    Output:
        [B, M, C].
    """

    def __init__(self, maps=8, salience="mean", **kwargs):
        super().__init__(**kwargs)
        self.maps = maps
        self.salience = salience

    def build(self, input_shape):
        cells = input_shape[1] * input_shape[2]
        hidden = max(1, cells // 2)
        self.first = self._weight("first", (cells, hidden, self.maps))
        self.first_bias = self._bias("first_bias", (hidden, self.maps))
        self.second = self._weight("second", (hidden, cells, self.maps))
        self.second_bias = self._bias("second_bias", (cells, self.maps))

    def _weight(self, name, shape):
        start = keras.initializers.TruncatedNormal(stddev=_WEIGHT_SPREAD)
        return self.add_weight(name=name, shape=shape, initializer=start)

    def _bias(self, name, shape):
        start = keras.initializers.Constant(_FIRST_BIAS)
        return self.add_weight(name=name, shape=shape, initializer=start)

    def call(self, features):
        cells = features.shape[1] * features.shape[2]
        flat = ops.reshape(features, (-1, cells, features.shape[3]))
        over_channels = ops.max if self.salience == "max" else ops.mean
        salience = over_channels(flat, axis=-1)  # [B, cells]
        hidden = ops.einsum("bi,ijm->bjm", salience, self.first)
        hidden = hidden + self.first_bias
        weights = ops.einsum("bjm,jim->bim", hidden, self.second)
        weights = weights + self.second_bias  # [B, cells, M]
        return ops.einsum("bim,bic->bmc", weights, flat)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.maps, input_shape[3])
