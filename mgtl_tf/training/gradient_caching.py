"""Gradient caching: a contrastive loss of a batch that does not fit at once.

The loss compares every pair of a batch with every other, so it is no sum
over micro-batches. First the descriptors of the whole batch are computed,
which are small; then, one micro-batch at a time, the loss with that
micro-batch's own descriptors in their place, and its gradient.

Reference: Gao et al., "Scaling Deep Contrastive Learning Batch Size under
Memory Limited Setup", RepL4NLP 2021 (GradCache).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Views = dict[str, tf.Tensor]
"""{"ground", "satellite"} to images or descriptors."""


def cached_gradients(
    model: keras.Model,
    forward: Callable[[Views], dict[str, Any]],
    views: Views,
    micro_batch: int,
    gather: Callable[[Views], Views],
    gradients: Callable[
        [Views, Views, tf.Tensor], tuple[list[tf.Tensor], tf.Tensor]
    ],
) -> tuple[list[tf.Tensor], tf.Tensor, Views]:
    """The sum of the gradients of micro-batches.

    The network runs twice: for the descriptors, then for the gradients.
    Dropout draws the same numbers in both runs and moving averages move once,
    as the variables they live in are reset between the two. Batch statistics
    are those of a micro-batch.

    Args:
        model: of `build_model`.
        forward: its outputs of some pairs in training.
        views: images [b, H, W, 3].
        micro_batch: pairs; divides b.
        gather: descriptors [b, D] of these pairs to those of the batch that
            the loss compares, [B, D].
        gradients: of (a micro-batch's images, the batch's descriptors, the
            micro-batch's first row in b): one gradient for each trainable
            variable (None where it has no part), and a float32 scalar.

    Returns:
        the sums of the gradients, the mean of the scalars, and the batch's
        descriptors.
    """
    names = tuple(views)
    count = views[names[0]].shape[0] // micro_batch

    def rows(first):
        return {
            name: tf.ensure_shape(
                images[first : first + micro_batch],
                (micro_batch, *images.shape[1:]),
            )
            for name, images in views.items()
        }

    def describe(first):
        outputs = forward(rows(first))
        return tuple(outputs[v] for v in names)

    before = [tf.identity(v.value) for v in model.non_trainable_variables]
    parts = tf.map_fn(
        describe,
        tf.range(count) * micro_batch,
        fn_output_signature=(tf.float32,) * len(names),
        parallel_iterations=1,
    )
    for variable, value in zip(
        model.non_trainable_variables, before, strict=True
    ):
        variable.assign(value)
    batch = gather(
        {
            name: tf.reshape(p, (count * micro_batch, p.shape[-1]))
            for name, p in zip(names, parts, strict=True)
        }
    )

    def add(index, sums, total):
        first = index * micro_batch
        found, scalar = gradients(rows(first), batch, first)
        sums = [
            s if g is None else s + g for s, g in zip(sums, found, strict=True)
        ]
        return index + 1, sums, total + scalar / count

    zeros = [tf.zeros(v.shape) for v in model.trainable_variables]
    _, sums, mean = tf.while_loop(
        lambda index, *_: index < count,
        add,
        (0, zeros, 0.0),
        # More than one micro-batch at a time would need their memory together.
        parallel_iterations=1,
    )
    return sums, mean, batch
