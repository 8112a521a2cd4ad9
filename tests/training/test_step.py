"""One train step: the sum of its parts, the true gradient, a falling loss."""

import functools

import numpy as np
import pytest
from keras import ops

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.step_losses import LOSS_NAMES, retrieval_loss
from tests.training.small_networks import (
    OneLayer,
    Restarted,
    batch,
    make_step,
    one_layer,
)


@pytest.fixture(scope="module")
def made():
    build = lambda: one_layer(normalized=True)  # noqa: E731
    return Restarted(make_step(build, generative_weight=0.3))


@pytest.fixture
def step(made):
    """At the beginning."""
    return made.begin()


def test_reported_figures_follow_from_the_descriptors(step):
    model = step.model
    pairs = batch()
    outputs = model(pairs, training=True)
    values = {k: float(v) for k, v in step(pairs, 0.0).items()}
    ground, satellite = (
        np.asarray(outputs[v], "float64") for v in ("ground", "satellite")
    )
    distances = 2 - 2 * ground @ satellite.T
    true, wrong = np.diag(distances), ~np.eye(4, dtype=bool)
    margins = np.concatenate(
        [
            (true[:, None] - distances)[wrong],
            (true[None] - distances)[wrong],
        ]
    )
    triplet = np.mean(np.logaddexp(0, 10 * margins))
    knowledge = zip(outputs["generated"], outputs["targets"], strict=True)
    generative = sum(
        np.mean((np.asarray(a) - np.asarray(b)) ** 2) for a, b in knowledge
    )
    assert values["triplet_loss"] == pytest.approx(triplet, rel=1e-3)
    assert values["generative_loss"] == pytest.approx(generative, rel=1e-3)
    assert values["loss"] == pytest.approx(triplet + 0.3 * generative, rel=1e-3)
    assert values["positive_distance"] == pytest.approx(true.mean(), rel=1e-3)
    assert values["negative_distance"] == pytest.approx(
        distances[wrong].mean(), rel=1e-3
    )


def test_a_compiled_step_is_the_same_step():
    """XLA's figures and weights, after two steps."""
    pairs, found = batch(), []
    for compiled in (False, True):
        step = make_step(one_layer, jit_compile=compiled)
        losses = [float(step(pairs, 1e-3)["loss"]) for _ in range(2)]
        weights = [v.numpy() for v in step.model.trainable_variables]
        found.append((losses, weights))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-5)
    for plain, compiled in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_allclose(plain, compiled, atol=1e-5)


def test_the_offset_head_is_trained_beside_retrieval():
    """Its loss by hand, its share of the whole, and that it falls."""
    build = lambda: one_layer(offsets=True)  # noqa: E731
    step, pairs = make_step(build, offset_weight=0.5), batch()
    outputs = step.model(pairs, training=True)
    ground, satellite = (
        np.asarray(outputs[v]) for v in ("ground", "satellite")
    )
    both = np.concatenate([ground, satellite], axis=1, dtype="float64")
    both *= np.sqrt(ground.shape[1])  # unit vectors of root mean square 1
    head = step.model.offset_head
    first, second = ((d.kernel.numpy(), d.bias.numpy()) for d in _maps(head))
    found = np.maximum(both @ first[0] + first[1], 0) @ second[0] + second[1]
    wanted = np.mean(np.sum((found - pairs["offsets"]) ** 2, axis=1))
    values = {k: float(v) for k, v in step(pairs, 0.0).items()}
    assert values["offset_loss"] == pytest.approx(wanted, rel=1e-4)
    others = values["triplet_loss"] + 0.05 * values["generative_loss"]
    assert values["loss"] == pytest.approx(others + 0.5 * wanted, rel=1e-4)
    for _ in range(60):
        last = step(pairs, 3e-3)
    assert float(last["offset_loss"]) < wanted / 2
    assert float(last["triplet_loss"]) < values["triplet_loss"]


def _maps(head):
    return head.hidden, head.point


def test_zero_learning_rate_changes_no_trainable_weight(step):
    model = step.model
    before = [v.numpy() for v in model.trainable_variables]
    step(batch(), 0.0)
    for a, b in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_places_that_may_not_be_negatives_are_left_out(step):
    """With one allowed pair the loss is that pair's alone (R15)."""
    model = step.model
    pairs = batch()
    pairs["negatives"] = np.zeros((4, 4), bool)
    pairs["negatives"][0, 2] = True
    outputs = model(pairs, training=True)
    distances = (
        2
        - 2 * np.asarray(outputs["ground"]) @ np.asarray(outputs["satellite"]).T
    )
    expected = [
        np.logaddexp(0, 10 * (distances[0, 0] - distances[0, 2])),
        np.logaddexp(0, 10 * (distances[2, 2] - distances[0, 2])),
    ]
    loss = float(step(pairs, 0.0)["triplet_loss"])
    assert loss == pytest.approx(np.mean(expected), rel=1e-3)


def test_loss_halves_at_any_learning_rate_with_one_trace(step):
    pairs = batch()
    first = float(step(pairs, 1e-3)["triplet_loss"])
    for rate in (1e-3, 2e-3, 0.0, *[1e-3] * 40):
        last = float(step(pairs, rate)["triplet_loss"])
    assert last < first / 2
    assert step._traced.experimental_get_tracing_count() == 1


# Four places at right angles: true pairs at distance 0, wrong ones at 2.
EYE = np.eye(4, dtype="float32")
ALL = ~np.eye(4, dtype=bool)
THREE = ALL & ([True] * 3 + [False]) & np.array([[True]] * 3 + [[False]])
NCE = {"temperature": 0.5, "label_smoothing": 0.3, "loss": "info_nce"}


@pytest.mark.parametrize(
    ("settings", "negatives", "value"),
    [
        ({}, ALL, np.log1p(np.exp(-20))),
        ({"hard_negatives_per_query": 1}, ALL, np.log1p(np.exp(-20))),
        (
            {"gamma": 0.5, "distance": "euclidean"},
            ALL,
            np.log1p(np.exp(-0.5 * np.sqrt(2))),
        ),
        ({}, ALL & False, 0),
        (NCE, ALL, np.log1p(3 * np.exp(-2)) + 3 * 0.3 / 4 * 2),
        (NCE, THREE, np.log1p(2 * np.exp(-2)) + 2 * 0.3 / 3 * 2),
        (NCE, ALL & False, 0),
    ],
)
def test_the_settings_reach_the_loss(settings, negatives, value):
    config = TrainConfig(**settings)
    loss = retrieval_loss(config)(EYE, EYE, negatives=negatives)
    assert float(loss) == pytest.approx(value, rel=1e-4)
    assert LOSS_NAMES[config.loss] == f"{config.loss}_loss"


class Regression(OneLayer):
    """Positives only: the mean squared distance of true pairs."""

    loss_name = "regression_loss"

    def retrieval_loss(self, ground, satellite, negatives, default):
        return ops.mean(ops.sum(ops.square(ground - satellite), axis=-1))


def test_a_networks_own_loss_is_minimised_whole_and_in_pieces():
    found = []
    for pieces in (0, 2):
        build = functools.partial(one_layer, kind=Regression)
        step = make_step(build, generative_weight=0.0, micro_batch=pieces)
        values = {k: float(v) for k, v in step(batch(), 1e-3).items()}
        assert "triplet_loss" not in values
        assert values["loss"] == values["regression_loss"]
        assert values["loss"] == pytest.approx(values["positive_distance"])
        found.append([w.numpy() for w in step.model.trainable_variables])
    for whole, parts in zip(*found, strict=True):
        np.testing.assert_allclose(parts, whole, atol=2e-5)
