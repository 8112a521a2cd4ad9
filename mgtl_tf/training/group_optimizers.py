"""An optimizer for each of several groups of variables, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from mgtl_tf.models.variable_groups import VariableGroup

DISCRIMINATOR = "discriminator"
"""The group whose learning rate has a factor of its own."""


class GroupOptimizers:
    """The optimizers of a model's `groups`, in their order.

    What a checkpoint and a train step need of one Keras optimizer.

    Args:
        groups: of the model.
        optimizers: one for each, built on its variables.
        discriminator_factor: multiplies the discriminator's learning rate.
    """

    def __init__(
        self,
        groups: Sequence[VariableGroup],
        optimizers: Sequence[keras.optimizers.Optimizer],
        discriminator_factor: float = 1.0,
    ):
        self.groups = tuple(groups)
        self.optimizers = tuple(optimizers)
        self.factors = [
            discriminator_factor if group.name == DISCRIMINATOR else 1.0
            for group in groups
        ]

    @property
    def variables(self) -> list[Any]:
        """Those of all optimizers."""
        return [v for o in self.optimizers for v in o.variables]


def assign_learning_rate(
    optimizer: keras.optimizers.Optimizer | GroupOptimizers, rate: Any
) -> None:
    """Sets the learning rate; of groups, the discriminator's by its factor."""
    if not isinstance(optimizer, GroupOptimizers):
        optimizer.learning_rate.assign(rate)
        return
    for one, factor in zip(
        optimizer.optimizers, optimizer.factors, strict=True
    ):
        one.learning_rate.assign(rate * factor)
