"""Half precision: the losses of float32, and no step on overflow."""

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.training import environment
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep

SMALL = mgtl_tf.ModelConfig(
    image_size=(16, 40),
    width_multiplier=1 / 16,
    poolings=2,
    channels=12,
    heads=3,
    recurrent_steps=2,
    backbone_dropout=0.0,
    backbone_normalization="batch",
)


def _batch(size=4):
    random = np.random.default_rng(0)
    ground = random.uniform(0, 255, (size, 16, 40, 3)).astype("float32")
    noise = random.normal(0, 10, ground.shape).astype("float32")
    return {
        "ground": ground,
        "satellite": ground + noise,
        "negatives": ~np.eye(size, dtype=bool),
    }


def _step(policy):
    keras.utils.set_random_seed(1)
    config = TrainConfig(batch_size=4, dtype_policy=policy)
    model = mgtl_tf.build_model(SMALL, dtype=policy)
    return TrainStep(model, make_optimizer(config), config)


def _losses(policy):
    step, batch = _step(policy), _batch()
    if policy == "mixed_float16":
        # Keras' first scale overflows here: it would leave a step out.
        step.optimizer.dynamic_scale.assign(2.0**8)
    return [float(step(batch, 1e-3)["loss"]) for _ in range(6)]


@pytest.fixture(scope="module")
def float32_losses():
    return _losses("float32")


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_first_losses_are_those_of_float32(policy, float32_losses):
    """Within 5 %: bfloat16 keeps 8 bits, 0.4 %, an operation."""
    assert float32_losses[-1] < 0.7 * float32_losses[0]
    np.testing.assert_allclose(_losses(policy), float32_losses, rtol=0.05)


def test_a_step_that_overflows_is_left_out_and_the_scale_halved():
    step, batch = _step("mixed_float16"), _batch()
    assert isinstance(step.optimizer, keras.optimizers.LossScaleOptimizer)
    largest = 2.0**100  # far beyond what float16 gradients can hold
    step.optimizer.dynamic_scale.assign(largest)
    before = [v.numpy() for v in step.model.trainable_variables]
    step(batch, 1e-3)
    for value, v in zip(before, step.model.trainable_variables, strict=True):
        np.testing.assert_array_equal(v, value)
    assert float(step.optimizer.dynamic_scale) == largest / 2
    step.optimizer.dynamic_scale.assign(2.0**10)
    step(batch, 1e-3)
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
