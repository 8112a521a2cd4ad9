"""Zhai et al.'s layers, against NumPy and OpenCV."""

import cv2
import numpy as np

from mgtl_tf.datasets.label_maps import COLOURS
from mgtl_tf.layers.label_layout import LabelLayout
from mgtl_tf.layers.layout_transfer import LayoutTransfer
from mgtl_tf.layers.trunks.hypercolumn import Hypercolumn
from tests.numpy_layers import dense

RANDOM = np.random.default_rng(0)


def normal(x, layer):
    """Batch normalisation as it is after training, then ReLU."""
    mean, variance = (
        np.asarray(v) for v in (layer.moving_mean, layer.moving_variance)
    )
    shift = np.asarray(layer.beta)
    return np.maximum((x - mean) / np.sqrt(variance + 1e-3) + shift, 0)


def set_statistics(layer):
    """So that normalisation is not the identity."""
    for weight in layer.weights:
        if "moving" in weight.path or "beta" in weight.path:
            weight.assign(RANDOM.uniform(0.5, 1.5, weight.shape))


def test_sizes_of_the_trunk():
    """224 pixels: 220, 106, 47 and 17 cells; 960 channels."""
    layer = Hypercolumn()
    assert layer.compute_output_shape((2, 224, 224, 3)) == (2, 17, 17, 960)


def test_a_hypercolumn_is_sampled_where_its_cell_is():
    """Convolutions that pass a ramp on, so that places can be read off."""
    layer = Hypercolumn(1 / 64)  # 1, 2, 4 and 8 channels
    layer.build((1, 100, 104, 3))
    for stages in layer.blocks:
        for stage in stages:
            if hasattr(stage, "kernel"):
                kernel = np.zeros(stage.kernel.shape)
                kernel[1, 1, 0] = 1
                stage.kernel.assign(kernel)
    ramp = np.arange(104.0) * np.ones((1, 100, 1))
    found = np.asarray(layer(np.stack([ramp] * 3, -1).astype("f4")))
    assert found.shape == layer.compute_output_shape((1, 100, 104, 3))
    # Of the first block, 100 columns that begin at pixel 2, and s = 100 / w;
    # every normalisation divides by the root of 1.001.
    width = found.shape[2]
    step = 100 / width
    wanted = 2 + np.arange(width) * step + (step - 1) / 2
    np.testing.assert_allclose(
        found[0, 0, :, 0], wanted / np.sqrt(1.001) ** 2, rtol=1e-5
    )


def test_layout_transfer_cell_by_cell():
    layer = LayoutTransfer((2, 3))
    scores = RANDOM.normal(size=(2, 3, 2, 4)).astype("f4")
    features = RANDOM.normal(size=(2, 3, 2, 5)).astype("f4")
    layer(scores, features)
    set_statistics(layer)
    layer.row_bias.assign(RANDOM.normal(size=(2, 4)))
    found = np.asarray(layer(scores, features))
    code = normal(features @ np.asarray(layer.code.kernel), layer.code_norm)
    code = dense(code, layer.code_last).reshape(2, 6)
    wanted = np.empty((2, 2, 3, 4))
    for image in range(2):
        for y in range(2):
            for x in range(3):
                weights = []
                for i in range(3):
                    for j in range(2):
                        place = np.array([i / 2, j, y, x / 2])
                        hidden = place @ np.asarray(layer.of_place.kernel)
                        hidden += code[image] @ np.asarray(layer.of_code.kernel)
                        hidden = normal(hidden, layer.first_norm)
                        hidden = hidden @ np.asarray(layer.second.kernel)
                        hidden = normal(hidden, layer.second_norm)
                        weights.append(dense(hidden, layer.last).item())
                weights = np.exp(weights) / np.exp(weights).sum()
                wanted[image, y, x] = weights @ scores[image].reshape(6, 4)
                wanted[image, y, x] += np.asarray(layer.row_bias)[y]
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_a_layout_is_the_area_of_each_class():
    labels = RANDOM.integers(0, 4, (2, 28, 50))
    found = np.asarray(LabelLayout((8, 12))(COLOURS[labels]))
    for row, wanted in zip(labels, found, strict=True):
        shares = np.eye(4, dtype="f4")[row]
        area = cv2.resize(shares, (12, 8), interpolation=cv2.INTER_AREA)
        np.testing.assert_allclose(area, wanted, atol=1e-5)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-6)
