"""Gradients of a contrastive loss, of the whole batch at once or in pieces.

A loss that compares every pair of a batch with every other cannot be summed
over pieces of it. It needs only the descriptors, though, which are small: its
slope at each descriptor is found first, and the network's gradient is that
slope carried back through the network, one piece at a time if need be.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

Views = dict[str, tf.Tensor]
# Descriptors of both views [B, D] to the loss's slope at each of them.
Slopes = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
# The model's outputs to a float32 scalar, a mean over the pairs in them.
PairLoss = Callable[[dict], tf.Tensor]


def gradients_at_once(
    model: keras.Model,
    views: Views,
    slopes: Slopes,
    pair_loss: PairLoss,
    weight: tf.Tensor,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """Gradients of (what has these slopes) + weight * pair_loss.

    Args:
        model: of `build_model`.
        views: {"ground", "satellite": [B, H, W, 3]}.
        slopes: called once with the descriptors of all B pairs.
        pair_loss: a mean over pairs that need not know of each other.
        weight: float32 scalar, factor of `pair_loss`.

    Returns:
        one gradient for each trainable variable (None where it has no
        part), and the pair loss.
    """
    with tf.GradientTape() as tape:
        outputs = model(views, training=True)
        loss = pair_loss(outputs)
    ground, satellite = outputs["ground"], outputs["satellite"]
    gradients = tape.gradient(
        [ground, satellite, loss],
        model.trainable_variables,
        output_gradients=[*slopes(ground, satellite), weight],
    )
    return gradients, loss


def gradients_in_pieces(
    model: keras.Model,
    views: Views,
    slopes: Slopes,
    pair_loss: PairLoss,
    weight: tf.Tensor,
    piece: int,
) -> tuple[list[tf.Tensor], tf.Tensor]:
    """What `gradients_at_once` gives, in the memory of `piece` pairs.

    The network runs over the pieces twice: first for the descriptors, then
    for the gradients. Dropout draws the same in both runs and moving
    averages move once, as the variables they live in are set back between
    the two. Batch statistics are those of a piece, as they are those of a
    replica when there are several.

    Args:
        model, views, slopes, pair_loss, weight: as of `gradients_at_once`.
        piece: pairs a piece; divides B.

    Returns:
        one gradient for each trainable variable, and the pair loss.
    """
    before = [tf.identity(v.value) for v in model.non_trainable_variables]
    ground, satellite = _descriptors(model, views, piece)
    at_ground, at_satellite = slopes(ground, satellite)
    for variable, value in zip(
        model.non_trainable_variables, before, strict=True
    ):
        variable.assign(value)
    pieces = ground.shape[0] // piece

    def add(index, sums, total):
        own = slice(index * piece, (index + 1) * piece)

        def own_slopes(*_):
            return at_ground[own], at_satellite[own]

        gradients, loss = gradients_at_once(
            model, _rows(views, own), own_slopes, pair_loss, weight / pieces
        )
        sums = [
            s if g is None else s + g
            for s, g in zip(sums, gradients, strict=True)
        ]
        return index + 1, sums, total + loss / pieces

    zeros = [tf.zeros(v.shape) for v in model.trainable_variables]
    _, gradients, loss = tf.while_loop(
        lambda index, *_: index < pieces,
        add,
        (0, zeros, 0.0),
        # More than one piece at a time would need their memory together.
        parallel_iterations=1,
    )
    return gradients, loss


def _descriptors(model: keras.Model, views: Views, piece: int):
    """Descriptors [B, D] of both views; no activation is kept."""
    count = views["ground"].shape[0] // piece

    def describe(index):
        own = slice(index * piece, (index + 1) * piece)
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
        tf.reshape(d, (count * piece, d.shape[-1])) for d in descriptors
    )


def _rows(views: Views, rows: slice) -> Views:
    return {name: views[name][rows] for name in ("ground", "satellite")}
