"""Adam, AdamW, averages, learning rates, against steps by hand in NumPy."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

import mgtl_tf
from mgtl_tf.config import TrainConfig
from mgtl_tf.training.optimizers import (
    averaged_weights,
    learning_rate,
    make_optimizer,
    optimizer_of,
)
from mgtl_tf.utils.errors import UserError
from tests.models.systems import small_model
from tests.tiny_runs import TINY


def variables(random):
    """A kernel, a bias, a scale: the shapes are all that tells them apart."""
    return [
        keras.Variable(random.normal(size=shape).astype("float32"), name=name)
        for name, shape in (("kernel", (3, 4)), ("bias", (4,)), ("s", ()))
    ]


def adam(weights, gradients, rate=0.1, decay=0.0):
    """Kingma and Ba's Algorithm 1 in float64; decay as AdamW's, line 12.

    Keras adds epsilon to the root of the second moment before its bias is
    corrected, which is the paper's "epsilon hat".
    """
    first = [np.zeros_like(w) for w in weights]
    second = [np.zeros_like(w) for w in weights]
    for t, step in enumerate(gradients, 1):
        for i, g in enumerate(step):
            if weights[i].ndim >= 2:
                weights[i] = weights[i] * (1 - rate * decay)
            first[i] = 0.9 * first[i] + 0.1 * g
            second[i] = 0.999 * second[i] + 0.001 * g**2
            size = rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t)
            weights[i] = weights[i] - size * first[i] / (
                np.sqrt(second[i]) + 1e-7
            )
        yield [w.copy() for w in weights]


def run(config, steps=4):
    """The weights after each step: the optimizer's, and what it was given."""
    random = np.random.default_rng(0)
    weights = variables(random)
    start = [np.array(w, "float64") for w in weights]
    gradients = [
        [random.normal(size=w.shape).astype("float32") for w in weights]
        for _ in range(steps)
    ]
    optimizer = make_optimizer(config, weights)
    found = []
    for step in gradients:
        optimizer.apply([tf.constant(g) for g in step], weights)
        found.append([np.array(w) for w in weights])
    return optimizer, start, gradients, found


def assert_equal(found, wanted):
    for a, b in zip(found, wanted, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-6)


def test_the_default_is_adam_alone():
    config = TrainConfig(learning_rate=0.1, weight_decay=0.5)
    optimizer, start, gradients, found = run(config)
    assert_equal(found, adam(start, gradients))
    # step, learning rate, two moments of three weights; nothing averaged.
    assert len(optimizer.variables) == 2 + 2 * 3


def test_adamw_decays_kernels_and_spares_the_rest():
    config = TrainConfig(learning_rate=0.1, optimizer="adamw", weight_decay=0.5)
    _, start, gradients, found = run(config)
    assert_equal(found, adam(start, gradients, decay=0.5))


def test_what_a_model_decays_are_its_kernels():
    """With no gradient AdamW only decays, so what moved is what decays."""
    tiny = TINY.replace(recurrent_steps=1, backbone_normalization="batch")
    model = mgtl_tf.build_model(tiny.model)
    config = TrainConfig(learning_rate=0.5, optimizer="adamw", weight_decay=0.5)
    weights = model.trainable_variables
    optimizer = make_optimizer(config, weights)
    for w in weights:
        w.assign(np.ones(w.shape))
    optimizer.apply([tf.zeros(w.shape) for w in weights], weights)
    for w in weights:
        wanted = 0.75 if w.path.endswith("kernel") else 1.0
        np.testing.assert_allclose(w, np.full(w.shape, wanted), err_msg=w.path)


@pytest.mark.parametrize("kind", ["adam", "adamw"])
@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_a_factor_makes_two_optimizers_of_one(kind, policy):
    """Each weight moves as by the optimizer of its own rate; decay too."""
    config = TrainConfig(
        optimizer=kind,
        weight_decay=0.5,
        backbone_learning_rate_factor=0.25,
        dtype_policy=policy,
    )
    random = np.random.default_rng(0)
    weights = variables(random) + variables(random)
    start = [np.array(w, "float64") for w in weights]
    gradients = [
        [random.normal(size=w.shape).astype("float32") for w in weights]
        for _ in range(4)
    ]
    optimizer = make_optimizer(config, weights, weights[:3])
    optimizer.learning_rate = 0.1
    scale = optimizer.scale_loss(1.0)
    # Traced, as a train step is.
    update = tf.function(lambda step: optimizer.apply(step, weights))
    for step in gradients:
        update([tf.constant(g) * scale for g in step])
    decay = 0.5 if kind == "adamw" else 0.0
    wanted = []
    for rate, own in ((0.025, slice(0, 3)), (0.1, slice(3, 6))):
        *_, last = adam(start[own], [s[own] for s in gradients], rate, decay)
        wanted += last
    assert_equal([weights], [wanted])


def test_a_factor_of_the_trunk_reaches_only_the_trunk():
    """Adam's first step is the rate, whatever the gradient."""
    model = mgtl_tf.build_model(TINY.replace(recurrent_steps=1).model)
    config = TrainConfig(backbone_learning_rate_factor=0.1)
    weights = model.trainable_variables
    trunk = [w for b in model.backbones for w in b.trainable_variables]
    optimizer = make_optimizer(config, weights, trunk)
    optimizer.learning_rate = 0.5
    before = [w.numpy() for w in weights]
    optimizer.apply([tf.ones(w.shape) for w in weights], weights)
    for w, b in zip(weights, before, strict=True):
        rate = 0.05 if "block" in w.path else 0.5
        np.testing.assert_allclose(b - w, np.full(w.shape, rate), rtol=1e-4)


@pytest.mark.parametrize("groups", [False, True])
def test_a_factor_of_no_trunk_is_refused(groups):
    """Of one optimizer, and of one for every group."""
    fields = {"generator": True, "image_size": (24, 40)} if groups else {}
    model = small_model("toker", **fields)
    assert bool(model.groups) == groups
    config = TrainConfig(backbone_learning_rate_factor=0.5)
    said = "backbone_learning_rate_factor=0.5: toker has no VGG-16; give"
    with pytest.raises(UserError, match=said):
        optimizer_of(model, config)
    optimizer_of(model, TrainConfig())


def test_a_factor_of_a_fixed_trunk_is_refused():
    model = mgtl_tf.build_model(TINY.replace(recurrent_steps=1).model)
    config = TrainConfig(backbone_learning_rate_factor=0.5)
    optimizer_of(model, config)
    model.freeze_blocks(max(b.blocks for b in model.backbones))
    with pytest.raises(UserError, match="all blocks of VGG-16 are fixed"):
        optimizer_of(model, config)


def test_clipping_is_of_the_whole_gradient():
    config = TrainConfig(learning_rate=0.1, clip_norm=1.0)
    _, start, gradients, found = run(config)
    clipped = []
    for step in gradients:
        norm = np.sqrt(sum((g.astype("float64") ** 2).sum() for g in step))
        clipped.append([g / max(norm, 1.0) for g in step])
    assert_equal(found, adam(start, clipped))


def averages(optimizer):
    """Of the variables, in their order."""
    return [v for v in optimizer.variables if v.path.endswith("_average")]


def test_averages_follow_their_formula():
    """They begin as the weights after the first step."""
    config = TrainConfig(learning_rate=0.1, ema_momentum=0.15)
    optimizer, _, _, found = run(config, 6)
    wanted = found[0]
    for weights in found[1:]:
        pairs = zip(wanted, weights, strict=True)
        wanted = [0.15 * a + 0.85 * w for a, w in pairs]
    assert_equal([averages(optimizer)], [wanted])
    # The weights themselves are what they are without averages.
    _, _, _, plain = run(TrainConfig(learning_rate=0.1), 6)
    for a, b in zip(found[-1], plain[-1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_a_weight_without_gradient_is_kept():
    used, unused = (keras.Variable(np.full(2, v, "f4")) for v in (1, 2))
    config = TrainConfig(learning_rate=0.1, ema_momentum=0.9)
    optimizer = make_optimizer(config, [used, unused])
    optimizer.apply([tf.ones(2), None], [used, unused])
    with averaged_weights(optimizer, [used, unused]):
        np.testing.assert_array_equal(unused, [2, 2])


@pytest.mark.parametrize("fails", [False, True])
def test_weights_come_back_to_the_bit(fails):
    random = np.random.default_rng(2)
    weights = variables(random)
    optimizer = make_optimizer(TrainConfig(ema_momentum=0.9), weights)
    with averaged_weights(optimizer, weights) as averaged:
        assert not averaged  # there is nothing yet to average
    for _ in range(2):
        gradients = [tf.constant(random.normal(size=w.shape)) for w in weights]
        optimizer.apply([tf.cast(g, "float32") for g in gradients], weights)
    before = [np.array(w) for w in weights]
    try:
        with averaged_weights(optimizer, weights) as averaged:
            assert averaged
            for w, a in zip(weights, averages(optimizer), strict=True):
                np.testing.assert_array_equal(w, a)
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert fails
    for w, b in zip(weights, before, strict=True):
        np.testing.assert_array_equal(w, b)


def test_cosine_begins_at_the_peak_and_ends_at_zero():
    assert learning_rate(0, 100, 2.0, "cosine", 0.0) == 2.0
    assert learning_rate(50, 100, 2.0, "cosine", 0.0) == pytest.approx(1.0)
    assert learning_rate(25, 100, 2.0, "cosine", 0.0) == pytest.approx(
        1 + math.cos(math.pi / 4)
    )
    assert learning_rate(100, 100, 2.0, "cosine", 0.0) == pytest.approx(0.0)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_warmup_rises_to_the_peak(schedule):
    rates = [learning_rate(s, 100, 1.0, schedule, 0.1) for s in range(12)]
    assert rates[:10] == pytest.approx([(s + 1) / 11 for s in range(10)])
    assert rates[10] == pytest.approx(1.0)
    if schedule == "constant":  # the paper's, but for its warm-up
        assert rates[10:] == [1.0, 1.0]


def test_unknown_schedule():
    with pytest.raises(ValueError, match="linear"):
        learning_rate(0, 1, 1.0, "linear", 0.0)
