"""The convolution of spectral norm 1 against NumPy's singular values."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from mgtl_tf.layers.trunks.spectral_conv import SpectralConv2D

SHAPE = (2, 6, 7, 3)


@pytest.fixture
def layer():
    keras.utils.set_random_seed(3)
    layer = SpectralConv2D(5, 3, reflect=True)
    layer(_maps())
    return layer


def _maps():
    return np.random.default_rng(0).normal(size=SHAPE).astype("float32")


def _matrix(layer):
    return np.asarray(layer.kernel, "f8").reshape(-1, 5).T


def test_one_power_iteration_a_training_call_and_none_else(layer):
    matrix, left = _matrix(layer), np.asarray(layer.direction, "f8")
    unit = lambda v: v / np.linalg.norm(v)  # noqa: E731
    right = unit(matrix.T @ unit(left))
    wanted = unit(matrix @ right)
    layer(_maps(), training=True)
    np.testing.assert_allclose(layer.direction, wanted, rtol=1e-4)
    kept = np.asarray(layer.direction)
    layer(_maps(), training=False)
    np.testing.assert_array_equal(layer.direction, kept)


def test_the_kernel_is_kept_and_divided_by_its_largest_singular_value(layer):
    before = np.asarray(layer.kernel)
    for _ in range(60):
        layer(_maps(), training=True)
    np.testing.assert_array_equal(layer.kernel, before)
    largest = np.linalg.svd(_matrix(layer), compute_uv=False)[0]
    for training in (True, False):
        found = layer.normalized_kernel(training)
        np.testing.assert_allclose(found, before / largest, rtol=1e-4)


def test_the_output_is_that_of_keras_convolution_of_mirrored_borders(layer):
    layer.bias.assign(np.arange(5))
    plain = keras.layers.Conv2D(5, 3)
    padded = np.pad(_maps(), [(0, 0), (1, 1), (1, 1), (0, 0)], "reflect")
    plain.build(padded.shape)
    plain.kernel.assign(layer.normalized_kernel())
    plain.bias.assign(layer.bias)
    np.testing.assert_allclose(layer(_maps()), plain(padded), atol=1e-5)


def test_the_gradient_passes_through_sigma(layer):
    """By differences of W / (u^T W v), u and v fixed."""
    for _ in range(60):
        layer(_maps(), training=True)
    weights = np.random.default_rng(1).normal(size=layer.kernel.shape)
    with tf.GradientTape() as tape:
        loss = ops.sum(layer.normalized_kernel() * weights.astype("float32"))
    found = tape.gradient(loss, layer.trainable_weights[0])
    matrix = _matrix(layer)
    u, values, vt = np.linalg.svd(matrix, full_matrices=False)
    flat = weights.reshape(-1, 5).T
    outer = np.outer(u[:, 0], vt[0])
    wanted = flat / values[0] - np.sum(flat * matrix) / values[0] ** 2 * outer
    wanted = wanted.T.reshape(weights.shape)
    np.testing.assert_allclose(found, wanted, atol=2e-3 * np.abs(wanted).max())
    # A kernel twice as large is the same filter: no gradient along it.
    along = np.sum(np.asarray(found) * np.asarray(layer.kernel))
    assert abs(along) < 1e-3 * np.linalg.norm(found)
