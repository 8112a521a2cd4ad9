"""CVFT's transport against Sinkhorn's scaling in NumPy."""

import keras
import numpy as np
import pytest

from mgtl_tf.layers.feature_transport import FeatureTransport


def _plan(features, kernel, bias, cost, offset, rounds, sharpness):
    """Sinkhorn's own way, by division, without logarithms."""
    cells = features.reshape(-1, features.shape[-1])
    response = np.maximum(0, cells @ kernel[:, 0] + bias[0])
    size = len(cells)
    plan = np.exp(-sharpness * (response @ cost + offset).reshape(size, size))
    for _ in range(rounds):
        plan /= plan.sum(axis=1, keepdims=True)
        plan /= plan.sum(axis=0, keepdims=True)
    return plan


@pytest.mark.parametrize(("rounds", "sharpness"), [(1, 3.0), (20, 100.0)])
def test_plan_and_cells_are_sinkhorns(rounds, sharpness):
    random = np.random.default_rng(0)
    features = random.random((2, 2, 3, 4)).astype("float32")
    layer = FeatureTransport(rounds, sharpness)
    layer.build((None, 2, 3, 4))
    scales = (1, 1, 3 / sharpness, 3 / sharpness)
    weights = [
        scale * random.normal(size=w.shape)
        for scale, w in zip(scales, layer.weights, strict=True)
    ]
    layer.set_weights(weights)
    plans, found = np.array(layer.plan(features)), np.array(layer(features))
    for image, plan, cells in zip(features, plans, found, strict=True):
        expected = _plan(image.astype("f8"), *weights, rounds, sharpness)
        np.testing.assert_allclose(plan, expected, atol=1e-5)
        carried = expected.T @ image.reshape(6, 4)
        np.testing.assert_allclose(
            cells.reshape(6, 4), carried, rtol=1e-4, atol=1e-4
        )


def test_a_plan_gives_and_gets_all_of_every_cell():
    layer = FeatureTransport()
    features = np.random.default_rng(1).random((2, 4, 4, 5)).astype("f4")
    layer(features)
    plan = np.array(layer.plan(features))
    np.testing.assert_allclose(plan.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(plan.sum(axis=2), 1, atol=1e-3)
    # To stay costs one more than to go: the start is not the identity.
    assert plan[:, range(16), range(16)].max() < 1e-6


def test_it_starts_as_published():
    layer = FeatureTransport()
    layer.build((None, 8, 8, 64))
    assert layer.count_params() == 65 + 266_240
    cost = np.array(layer.cost.kernel)
    assert 0.003 < cost.std() < 0.006 and np.abs(cost).max() < 0.0101
    identity = np.array(layer.cost.bias).reshape(64, 64)
    np.testing.assert_array_equal(identity, np.eye(64))


@pytest.mark.parametrize("seed", range(6))
def test_a_dead_response_is_drawn_anew(seed):
    """Of six filters some are dead on non-negative cells, and none stays."""
    keras.utils.set_random_seed(seed)
    layer = FeatureTransport()
    random = np.random.default_rng(0)
    # What all cells share outweighs their differences.
    features = (random.random(6) + 0.1 * random.random((2, 3, 4, 6))).astype(
        "f4"
    )
    layer(features)
    before = np.array(layer.response.kernel)
    alive = np.mean(np.array(layer.response(features)) > 0)
    assert layer.wake(features) == (alive < 0.5)
    assert np.mean(np.array(layer.response(features)) > 0) >= 0.5
    np.testing.assert_array_equal(
        np.abs(before), np.abs(np.array(layer.response.kernel))
    )
    assert not layer.wake(features)
