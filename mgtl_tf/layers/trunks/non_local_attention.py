"""Attention of every cell of a map to all others (Wang et al. 2018)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer
from mgtl_tf.layers.trunks.generator_blocks import spectral_conv


@keras.saving.register_keras_serializable("mgtl_tf")
class NonLocalAttention(ConfiguredLayer):
    """y = x + gamma O(softmax(Q(x) K(x)^T) V(x)), as Toker et al. (2021).

    Q, K, V and O are 1 x 1 convolutions of spectral norm 1 without bias; Q and
    K have an eighth, V half of the channels. K and V are halved in height and
    width by maxima. gamma starts at 0: the layer as the identity. The softmax
    is computed in float32.

    Call arguments:
        features: [B, h, w, C], of 2 x 2 cells or more.
        training: of the spectral norms.

    Output:
        [B, h, w, C].
    """

    def build(self, input_shape):
        channels, dtype = input_shape[-1], self.dtype_policy
        bare = {"use_bias": False, "reflect": False}
        narrow, half = max(1, channels // 8), max(1, channels // 2)
        self.query, self.key, self.value, self.output_map = (
            spectral_conv(width, 1, name, dtype, **bare)
            for name, width in (
                ("query", narrow),
                ("key", narrow),
                ("value", half),
                ("output_map", channels),
            )
        )
        for layer in (self.query, self.key, self.value):
            layer.build(input_shape)
        self.output_map.build((*input_shape[:-1], half))
        self.gamma = self.add_weight(
            name="gamma", shape=(), initializer="zeros"
        )

    def call(self, features, training=None):
        _, height, width, _ = features.shape
        query = _cells(self.query(features, training=training))
        key = _cells(_halved(self.key(features, training=training)))
        value = _cells(_halved(self.value(features, training=training)))
        scores = ops.einsum("bic,bjc->bij", query, key)
        shares = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        shares = ops.cast(shares, value.dtype)
        found = ops.einsum("bij,bjc->bic", shares, value)
        found = ops.reshape(found, (-1, height, width, value.shape[-1]))
        found = self.output_map(found, training=training)
        return features + ops.cast(self.gamma, found.dtype) * found


def _halved(features):
    return ops.max_pool(features, 2, 2, "valid")


def _cells(features):
    """[B, h, w, C] to [B, h w, C]."""
    _, height, width, channels = features.shape
    return ops.reshape(features, (-1, height * width, channels))
