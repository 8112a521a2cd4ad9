"""NetVLAD: residuals to learnt cluster centres, summed (Arandjelovic 2016)."""

from __future__ import annotations

import keras
from keras import ops

from mgtl_tf.layers.configured_layer import ConfiguredLayer

_LEAST_SQUARE = 1e-12


@keras.saving.register_keras_serializable("mgtl_tf")
class NetVLAD(ConfiguredLayer):
    """Feature map to the sums of its residuals to K centres.

    Every cell x is scaled to unit length; a = softmax(x W + b) over clusters;
    V_k = sum over cells of a_k (x - c_k). Each V_k is scaled to unit length,
    and then all of them together. W and the centres c are independent.

    Args:
        clusters: K.

    Call arguments:
        features: [B, h, w, C], h and w of any size.

    Output:
        [B, C * K], number c * K + k is that of channel c and cluster k.
    """

    def __init__(self, clusters=64, **kwargs):
        super().__init__(**kwargs)
        self.clusters = clusters

    def build(self, input_shape):
        channels = input_shape[-1]
        self.kernel = self._weight(
            "kernel", (channels, self.clusters), channels
        )
        self.bias = self._weight("bias", (self.clusters,), channels)
        self.centres = self._weight(
            "centres", (channels, self.clusters), channels
        )

    def _weight(self, name, shape, channels):
        start = keras.initializers.RandomNormal(stddev=channels**-0.5)
        return self.add_weight(name=name, shape=shape, initializer=start)

    def call(self, features):
        cells = _unit(features, -1)
        logits = ops.einsum("bhwc,ck->bhwk", cells, self.kernel) + self.bias
        # In float32: bfloat16 would lose the small shares of a sum of one.
        shares = ops.softmax(ops.cast(logits, "float32"), axis=-1)
        shares = ops.cast(shares, cells.dtype)
        sums = ops.einsum("bhwk,bhwc->bck", shares, cells)
        counts = ops.sum(shares, axis=(1, 2))[:, None]  # [B, 1, K]
        residuals = _unit(sums - counts * self.centres, 1)
        size = features.shape[-1] * self.clusters
        return _unit(ops.reshape(residuals, (-1, size)), -1)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1] * self.clusters)


def _unit(values, axis):
    """Scaled to unit length along an axis, in the values' own dtype."""
    exact = ops.cast(values, "float32")
    square = ops.sum(ops.square(exact), axis=axis, keepdims=True)
    scaled = exact * ops.rsqrt(ops.maximum(square, _LEAST_SQUARE))
    return ops.cast(scaled, values.dtype)
