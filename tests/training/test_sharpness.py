"""ASAM: closed form, weights that come back, and a step of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.sharpness import sharpness_aware
from mgtl_tf.utils.errors import UserError
from tests.training.small_networks import batch, make_step, one_layer

SLOPES = np.array([1.0, -2.0, 0.5], "float32")
START = np.array([0.3, -1.2, 0.0], "float32")


class Quadratic:
    """L = (a w^2 + (u - 2)^2) / 2, and a weight that it does not read."""

    def __init__(self, scale=1.0):
        names = ("weights", "offset", "unread")
        values = (START, np.float32(0.5), np.float32(1.0))
        self.trainable_variables = [
            keras.Variable(value, name=name)
            for name, value in zip(names, values, strict=True)
        ]
        counter = keras.Variable(0, trainable=False, dtype="int32")
        self.non_trainable_variables = [counter]
        self.scale = scale

    def gradients(self):
        self.non_trainable_variables[0].assign_add(1)
        weights, offset, _ = (v.value for v in self.trainable_variables)
        found = [SLOPES * weights, offset - 2.0]
        scaled = [self.scale * g for g in found]
        return [*scaled, None], {"offset": tf.identity(offset)}


def closed_form(radius):
    weights, offset = START.astype("f8"), 0.5
    gradients = [SLOPES * weights, offset - 2]
    norm = np.sqrt(
        np.sum((weights * gradients[0]) ** 2) + (offset * gradients[1]) ** 2
    )
    moved = (
        weights + radius * weights**2 * gradients[0] / norm,
        offset + radius * offset**2 * gradients[1] / norm,
    )
    return SLOPES * moved[0], moved[1] - 2


@pytest.mark.parametrize("scale", [1.0, 4096.0])
def test_the_gradient_is_that_of_the_worst_weights_near_by(scale):
    model = Quadratic(scale)

    @tf.function(autograph=False)
    def found():
        return sharpness_aware(model, 2.5, model.gradients)

    before = [v.numpy() for v in model.trainable_variables]
    (weights, offset, unread), scalars = found()
    assert unread is None
    expected = closed_form(2.5)
    np.testing.assert_allclose(weights / scale, expected[0], rtol=1e-5)
    np.testing.assert_allclose(offset / scale, expected[1], rtol=1e-5)
    for old, variable in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    assert scalars["offset"] == 0.5  # of the weights themselves
    assert model.non_trainable_variables[0].numpy() == 1


def test_a_step_shows_its_own_loss_and_goes_another_way():
    build = lambda: one_layer(dropout=0.3)  # noqa: E731
    plain, sharp = make_step(build), make_step(build, sharpness_radius=0.5)
    figures = [step(batch(), 1e-3) for step in (plain, sharp)]
    assert float(figures[0]["loss"]) == float(figures[1]["loss"])
    apart = 0.0
    variables = [step.model.variables for step in (plain, sharp)]
    for one, other in zip(*variables, strict=True):
        if "seed" in one.path:
            np.testing.assert_array_equal(one.numpy(), other.numpy())
        else:
            apart = max(apart, np.abs(one.numpy() - other.numpy()).max())
    assert apart > 1e-5


def test_several_devices_are_refused():
    with pytest.raises(UserError, match="sharpness_radius=2.5: must be 0"):
        TrainConfig(sharpness_radius=2.5, strategy="mirrored")


def statistics(step):
    """Of batch normalisation."""
    found = [
        v for v in step.model.non_trainable_variables if "moving" in v.path
    ]
    assert len(found) == 2
    return [v.numpy() for v in found]


def test_moving_averages_are_those_of_the_weights_themselves():
    build = lambda: one_layer(normalized=True)  # noqa: E731
    plain, sharp = make_step(build), make_step(build, sharpness_radius=2.5)
    before = statistics(plain)
    for step in (plain, sharp):
        step(batch(), 1e-3)
    for old, one, other in zip(
        before, statistics(plain), statistics(sharp), strict=True
    ):
        assert np.abs(one - old).max() > 1e-4
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-7)


def test_an_overflow_leaves_moving_averages_finite():
    step = make_step(
        lambda: one_layer(normalized=True),
        sharpness_radius=2.5,
        dtype_policy="mixed_float16",
    )
    scale = step.optimizer.dynamic_scale
    scale.assign(np.finfo("float32").max)
    weights = [v.numpy() for v in step.model.trainable_variables]
    step(batch(), 1e-3)
    assert float(scale) < np.finfo("float32").max  # the step was left out
    for old, variable in zip(
        weights, step.model.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(old, variable.numpy())
    assert all(np.isfinite(value).all() for value in statistics(step))
