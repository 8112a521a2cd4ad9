"""Half precision: the losses of float32, and no step on overflow."""

import functools

import keras
import numpy as np
import pytest

from mgtl_tf.training import environment
from tests.processor import needs_bfloat16
from tests.training.small_step import SmallStep, batch


@pytest.fixture(scope="module")
def begin():
    """A function: a policy -> its step at the beginning."""
    made = functools.cache(lambda policy: SmallStep(dtype_policy=policy))
    return lambda policy: made(policy).begin()


def _losses(step):
    if hasattr(step.optimizer, "dynamic_scale"):
        # Keras' first scale overflows here: it would leave a step out.
        step.optimizer.dynamic_scale.assign(2.0**8)
    pairs = batch()
    return [float(step(pairs, 1e-3)["loss"]) for _ in range(6)]


@pytest.fixture(scope="module")
def float32_losses(begin):
    return _losses(begin("float32"))


@pytest.mark.parametrize(
    "policy",
    [pytest.param("mixed_bfloat16", marks=needs_bfloat16), "mixed_float16"],
)
def test_first_losses_are_those_of_float32(policy, begin, float32_losses):
    """Within 5 %: bfloat16 keeps 8 bits, 0.4 %, an operation.

    Compared are the first loss, of equal weights, and the last, of weights
    trained equally far. Those between fall by half in a step: normalisation
    over four pairs and gamma = 10 let roundings grow there to 3 to 14 % in
    three draws of initial weights, by the sign that Adam takes of gradients
    near zero.
    """
    assert float32_losses[-1] < 0.7 * float32_losses[0]
    losses = _losses(begin(policy))
    for step in (0, -1):
        assert losses[step] == pytest.approx(float32_losses[step], rel=0.05)


def test_a_step_that_overflows_is_left_out_and_the_scale_halved(begin):
    step, pairs = begin("mixed_float16"), batch()
    assert isinstance(step.optimizer, keras.optimizers.LossScaleOptimizer)
    largest = 2.0**100  # far beyond what float16 gradients can hold
    step.optimizer.dynamic_scale.assign(largest)
    before = [v.numpy() for v in step.model.trainable_variables]
    step(pairs, 1e-3)
    for value, v in zip(before, step.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(v, value)
    assert float(step.optimizer.dynamic_scale) == largest / 2
    step.optimizer.dynamic_scale.assign(2.0**10)
    step(pairs, 1e-3)
    assert any(
        np.any(v.numpy() != value)
        for value, v in zip(before, step.model.trainable_variables, strict=True)
    )


@pytest.mark.parametrize(
    ("capability", "policy"),
    [
        ((9, 0), "mixed_bfloat16"),
        ((8, 0), "mixed_bfloat16"),
        ((7, 5), "mixed_float16"),
        ((6, 1), "float32"),
    ],
)
def test_auto_takes_what_the_weakest_gpu_computes(
    monkeypatch, capability, policy
):
    import tensorflow as tf

    details = {"new": (9, 0), "old": capability}
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind: list(details)
    )
    monkeypatch.setattr(
        tf.config.experimental,
        "get_device_details",
        lambda gpu: {"compute_capability": details[gpu]},
    )
    assert environment.resolve_dtype_policy("auto") == policy
