"""A network's output as descriptors."""

from __future__ import annotations

import math

from keras import ops


def flat_vectors(vectors):
    """[B, ...] flattened to [B, D], float32."""
    size = math.prod(vectors.shape[1:])
    return ops.cast(ops.reshape(vectors, (-1, size)), "float32")


def unit_vectors(vectors):
    """[B, ...] flattened to [B, D], unit length, float32 (R11)."""
    flat = flat_vectors(vectors)
    norm = ops.sqrt(ops.sum(ops.square(flat), axis=-1, keepdims=True))
    return flat / ops.maximum(norm, 1e-12)
