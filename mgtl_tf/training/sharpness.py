"""Adaptive sharpness-aware minimisation (ASAM): two gradients a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Found = tuple[list[Any], dict[str, tf.Tensor]]


def sharpness_aware(
    model: keras.Model, radius: float, gradients: Callable[[], Found]
) -> Found:
    """The gradient at the worst weights near by, on a scale of their own.

    Formula: g = grad L(w); e = rho |w|^2 g / norm(|w| g), products of numbers
    and the norm over all weights, so that e has norm rho where every weight is
    measured in units of itself; the answer is grad L(w + e).

    The weights are afterwards what they were, dropout draws the same numbers
    for both gradients, and moving averages move once, by what the weights
    themselves gave: those near by are never evaluated, and after an overflow
    in float16 they are no numbers.

    Args:
        model: of `build_model`.
        radius: rho.
        gradients: at the weights that the model then has, of every trainable
            variable (None where it has no part), and scalars. A loss that is
            scaled, for float16, gives the same e.

    Returns:
        the second gradients, and the first scalars.

    Reference: Kwon, Kim, Park, Choi, "ASAM: Adaptive Sharpness-Aware
    Minimization for Scale-Invariant Learning of Deep Neural Networks", ICML
    2021; of all weights and without its eta, as TransGeo and FRGeo train.
    """
    moving = model.non_trainable_variables
    before = _copies(moving)
    first, scalars = gradients()
    after = _copies(moving)
    pairs = [
        (variable, tf.identity(variable.value), tf.convert_to_tensor(gradient))
        for variable, gradient in zip(
            model.trainable_variables, first, strict=True
        )
        if gradient is not None
    ]
    norm = tf.linalg.global_norm([tf.abs(w) * g for _, w, g in pairs])
    factor = radius / (norm + 1e-12)
    for variable, weights, gradient in pairs:
        variable.assign(weights + factor * tf.square(weights) * gradient)
    _assign(moving, before)
    second, _ = gradients()
    _assign(moving, after)
    for variable, weights, _ in pairs:
        variable.assign(weights)
    return second, scalars


def _copies(variables: list[Any]) -> list[tf.Tensor]:
    return [tf.identity(v.value) for v in variables]


def _assign(variables: list[Any], values: list[tf.Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
