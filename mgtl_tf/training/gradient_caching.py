"""Gradient caching: a contrastive loss of a batch that does not fit at once.

The loss compares every pair of a batch with every other, so it is no sum
over micro-batches. It needs only the descriptors, which are small: first they
are computed for the whole batch, then the loss's gradient at each of them,
and then, one micro-batch at a time, that gradient is carried back through the
network.

Reference: Gao et al., "Scaling Deep Contrastive Learning Batch Size under
Memory Limited Setup", RepL4NLP 2021 (GradCache).
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

Views = dict[str, tf.Tensor]
# Descriptors of both views [B, D] to the loss's gradient at each of them.
DescriptorGradients = Callable[
    [tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]
]
# The model's outputs to a float32 scalar, a mean over the pairs in them.
PairLoss = Callable[[dict], tf.Tensor]


def cached_gradients(
    model: keras.Model,
    views: Views,
    descriptor_gradients: DescriptorGradients,
    pair_loss: PairLoss,
    weight: tf.Tensor,
    micro_batch: int,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Gradients of (a loss of the descriptors) + weight * pair_loss.

    With micro-batches the network runs over them twice: for the descriptors,
    then for the gradients. Dropout draws the same numbers in both runs and
    moving averages move once, as the variables they live in are reset between
    the two. Batch statistics are those of a micro-batch, as they are those of
    a replica when there are several.

    Args:
        model: of `build_model`.
        views: {"ground", "satellite": [B, H, W, 3]}.
        descriptor_gradients: called once with the descriptors of all B pairs.
        pair_loss: a mean over pairs, independent of each other.
        weight: float32 scalar, factor of `pair_loss`.
        micro_batch: pairs; divides B.

    Returns:
        one gradient for each trainable variable (None where it has no
        part), and the pair loss.
    """
    if micro_batch >= views["ground"].shape[0]:
        return _gradients(model, views, descriptor_gradients, pair_loss, weight)
    before = [tf.identity(v.value) for v in model.non_trainable_variables]
    ground, satellite = _descriptors(model, views, micro_batch)
    at_ground, at_satellite = descriptor_gradients(ground, satellite)
    for variable, value in zip(
        model.non_trainable_variables, before, strict=True
    ):
        variable.assign(value)
    count = ground.shape[0] // micro_batch

    def add(index, sums, total):
        own = slice(index * micro_batch, (index + 1) * micro_batch)
        gradients, loss = _gradients(
            model,
            _rows(views, own),
            lambda *_: (at_ground[own], at_satellite[own]),
            pair_loss,
            weight / count,
        )
        sums = [
            s if g is None else s + g
            for s, g in zip(sums, gradients, strict=True)
        ]
        return index + 1, sums, total + loss / count

    zeros = [tf.zeros(v.shape) for v in model.trainable_variables]
    _, gradients, loss = tf.while_loop(
        lambda index, *_: index < count,
        add,
        (0, zeros, 0.0),
        # More than one micro-batch at a time would need their memory together.
        parallel_iterations=1,
    )
    return gradients, loss


def _gradients(model, views, descriptor_gradients, pair_loss, weight):
    """`cached_gradients` of pairs that fit into memory together."""
    with tf.GradientTape() as tape:
        outputs = model(views, training=True)
        loss = pair_loss(outputs)
    descriptors = [outputs["ground"], outputs["satellite"]]
    gradients = tape.gradient(
        [*descriptors, loss],
        model.trainable_variables,
        output_gradients=[*descriptor_gradients(*descriptors), weight],
    )
    return gradients, loss


def _descriptors(model: keras.Model, views: Views, micro_batch: int):
    """Descriptors [B, D] of both views; no activation is kept."""
    count = views["ground"].shape[0] // micro_batch

    def describe(index):
        own = slice(index * micro_batch, (index + 1) * micro_batch)
        outputs = model(_rows(views, own), training=True)
        return outputs["ground"], outputs["satellite"]

    kinds = (tf.float32, tf.float32)
    descriptors = tf.map_fn(
        describe,
        tf.range(count),
        fn_output_signature=kinds,
        parallel_iterations=1,
    )
    return tuple(
        tf.reshape(d, (count * micro_batch, d.shape[-1])) for d in descriptors
    )


def _rows(views: Views, rows: slice) -> Views:
    return {name: views[name][rows] for name in ("ground", "satellite")}
