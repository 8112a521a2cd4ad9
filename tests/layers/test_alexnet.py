"""AlexNet's own layers against NumPy, SciPy and Keras."""

import keras
import numpy as np
import pytest
from keras import ops

from mgtl_tf.layers.trunks.alexnet import AlexNet
from mgtl_tf.layers.trunks.ceil_max_pooling import CeilMaxPooling2D
from mgtl_tf.layers.trunks.grouped_conv import GroupedConv2D
from mgtl_tf.layers.trunks.local_response_normalization import (
    LocalResponseNormalization,
)
from tests.models.published_size import shapes_alone


def test_local_response_normalisation_is_its_formula():
    x = np.random.default_rng(0).normal(0, 200, (2, 3, 4, 7))
    squares, expected = x**2, np.zeros_like(x)
    for c in range(7):
        near = squares[..., max(0, c - 2) : c + 3].sum(-1)
        expected[..., c] = x[..., c] / (1 + 1e-4 / 5 * near) ** 0.75
    found = LocalResponseNormalization()(x.astype("float32"))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize(
    ("side", "expected"),
    [(54, 27), (55, 27), (27, 13), (13, 6), (4, 2), (3, 1), (2, 1), (1, 1)],
)
def test_pooling_covers_all_and_counts_nothing_beyond(side, expected):
    """By hand; the first four are Caffe's sizes of 224 and 227 pixels."""
    maps = np.random.default_rng(1).normal(-5, 1, (1, side, 6, 2))
    found = np.asarray(CeilMaxPooling2D()(maps.astype("float32")))
    wanted = np.array(
        [
            [
                maps[0, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((0, 1))
                for j in range(3)
            ]
            for i in range(expected)
        ]
    )
    np.testing.assert_allclose(found[0], wanted, rtol=1e-6)


def test_grouped_convolution_is_one_with_zeros_between_groups():
    layer = GroupedConv2D(6, 3, groups=2, padding="same")
    maps = np.random.default_rng(2).normal(size=(2, 5, 6, 4)).astype("float32")
    found = layer(maps)
    whole = keras.layers.Conv2D(6, 3, padding="same")
    whole.build(maps.shape)
    kernel = np.zeros(whole.kernel.shape)
    kernel[:, :, :2, :3] = layer.kernel[..., :3]
    kernel[:, :, 2:, 3:] = layer.kernel[..., 3:]
    whole.kernel.assign(kernel)
    np.testing.assert_allclose(found, whole(maps), atol=1e-5)
    assert tuple(layer.kernel.shape) == (3, 3, 2, 6)


def test_six_by_six_of_224_pixels_and_the_published_parameters():
    shape = (None, 224, 224, 3)
    counts = []
    for groups in (1, 2):
        layer = AlexNet(groups=groups)
        with shapes_alone():
            layer.build(shape)
        counts.append(layer.count_params())
    fully_connected = 37_752_832 + 16_781_312
    assert counts == [3_747_200 + fully_connected, 2_334_080 + fully_connected]


def test_he_normal_keeps_the_size_of_activations():
    keras.utils.set_random_seed(0)
    layer = AlexNet(1 / 8, start="he_normal", groups=2)
    images = np.random.default_rng(3).uniform(0, 255, (2, 40, 80, 3))
    found = ops.convert_to_numpy(layer(images.astype("float32")))
    assert found.shape == (2, 512)
    assert 5 < np.sqrt(np.mean(found**2)) < 500
