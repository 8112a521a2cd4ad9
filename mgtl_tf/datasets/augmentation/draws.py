"""Random numbers of one of several equal parts of a batch."""

from __future__ import annotations

import tensorflow as tf

Share = tuple[int, int]
"""(i, n): the i-th of n equal parts of a batch."""


def draws(
    shape: tuple, seed: tf.Tensor, low, high, dtype, share: Share
) -> tf.Tensor:
    """Uniform numbers for one part of a batch, drawn for all its parts.

    Args:
        shape: of the part's numbers, images first.
        seed: int32 [2].
        low, high: from `low` on, below `high`.
        dtype: of the numbers.
        share: which part.
    """
    part, parts = share
    batch = shape[0]
    drawn = tf.random.stateless_uniform(
        (batch * parts, *shape[1:]), seed, low, high, dtype
    )
    return drawn[part * batch : (part + 1) * batch]
