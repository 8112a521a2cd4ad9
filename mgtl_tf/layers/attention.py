"""Multi-head attention of projected tokens (Eq. 4), softmax in float32."""

from __future__ import annotations

from keras import ops


def attention_weights(query, key, heads):
    """Softmax weights of every head.

    Args:
        query: [B, T, C].
        key: [B, T', C].
        heads: a divisor of C.

    Returns:
        float32 [B, heads, T, T'].
    """
    query, key = split_heads(query, heads), split_heads(key, heads)
    logits = ops.einsum("bthd,bshd->bhts", query, key)
    scale = query.shape[-1] ** -0.5
    # Softmax in float32 whatever the policy: bfloat16 keeps 8 bits.
    return ops.softmax(ops.cast(logits, "float32") * scale, axis=-1)


def attend(query, key, value, heads):
    """The heads' weighted sums of values, side by side.

    Args:
        query: [B, T, C].
        key, value: [B, T', C].
        heads: a divisor of C.

    Returns:
        [B, T, C].
    """
    weights = attention_weights(query, key, heads)
    split = split_heads(value, heads)  # [B, T', heads, d]
    weights = ops.cast(weights, split.dtype)
    found = ops.einsum("bhts,bshd->bthd", weights, split)
    return ops.reshape(found, (-1, *query.shape[1:]))


def split_heads(tokens, heads):
    """[B, T, C] to [B, T, heads, C / heads]."""
    positions, channels = tokens.shape[1:]
    return ops.reshape(tokens, (-1, positions, heads, channels // heads))
