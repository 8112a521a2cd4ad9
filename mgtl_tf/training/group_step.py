"""One step of a system whose groups of variables have losses of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from mgtl_tf.layers.modality_independent_features import VIEWS
from mgtl_tf.training.group_optimizers import GroupOptimizers

Tensors = dict[str, tf.Tensor]


def update_groups(
    model: keras.Model,
    optimizers: GroupOptimizers,
    views: Tensors,
    compare: Callable[..., tf.Tensor],
) -> tuple[Tensors, Tensors]:
    """Updates the groups in their order, each by its own loss and optimizer.

    What they share is computed once, before the first update; its gradient
    is that at the weights it was computed with.

    Args:
        model: whose `groups` the optimizers are of.
        optimizers: of `optimizer_of`.
        views: {"ground", "satellite"} to images [B, H, W, 3].
        compare: the retrieval loss of (ground, satellite) descriptors.

    Returns:
        the batch's descriptors by view, and scalars: `NAME_loss` of every
        group, what else the losses name, and "loss", the groups' sum.
    """
    outputs: Tensors = {}
    losses: Tensors = {}
    tape = tf.GradientTape(persistent=True)
    with tape:
        shared = model.shared_outputs(views)
    for group, optimizer in zip(
        optimizers.groups, optimizers.optimizers, strict=True
    ):
        with tape:
            loss, named = group.loss(views, shared, compare)
            scaled = optimizer.scale_loss(loss)
        gradients: list[Any] = tape.gradient(scaled, group.variables)
        optimizer.apply(gradients, group.variables)
        losses[f"{group.name}_loss"] = loss
        outputs |= named
    descriptors = {view: outputs.pop(view) for view in VIEWS}
    return descriptors, {"loss": sum(losses.values()), **losses, **outputs}
