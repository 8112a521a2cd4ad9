"""Keras' multi-head attention, set up as the paper's (Eq. 4, R8, R19).

Keras' layer has the parameters that Table 2 counts (four maps of C to C with
biases, each initialised as a Dense of that size) and, without dropout, takes
its softmax in float32 under every dtype policy.
"""

from __future__ import annotations

import keras
from keras import ops


def multi_head_attention(
    shape, heads, residual_init, dtype
) -> keras.layers.MultiHeadAttention:
    """A built attention layer, called as `layer(query, value[, key])`.

    Args:
        shape: [B, T, C] of the query; value and key have as many channels.
        heads: a divisor of C; each has C / heads channels.
        residual_init: "glorot", or "zeros": the output map starts at zero
            (R19).
        dtype: a Keras dtype policy.

    Raises:
        ValueError: where `heads` does not divide C.
    """
    channels = shape[-1]
    if channels % heads:
        raise ValueError(f"heads={heads} must divide C={channels}")
    layer = keras.layers.MultiHeadAttention(
        heads, channels // heads, name="attention", dtype=dtype
    )
    layer.build(shape, shape)
    if residual_init == "zeros":
        # The layer has one initializer for all four of its maps.
        kernel = layer.output_dense.kernel
        kernel.assign(ops.zeros(kernel.shape, kernel.dtype))
    return layer


def attention_weights(layer, query, key):
    """The softmax weights of such a layer.

    Args:
        layer: of `multi_head_attention`.
        query: [B, T, C].
        key: [B, T', C].

    Returns:
        float32 [B, heads, T, T'].
    """
    query = layer.query_dense(query)  # [B, T, heads, d]
    key = layer.key_dense(key)  # [B, T', heads, d]
    logits = ops.einsum("bthd,bshd->bhts", query, key)
    scale = query.shape[-1] ** -0.5
    return ops.softmax(ops.cast(logits, "float32") * scale, axis=-1)
