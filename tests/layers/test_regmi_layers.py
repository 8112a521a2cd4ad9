"""Layers of Regmi and Shah's synthesis: edges, generator, discriminator."""

import cv2
import numpy as np
import pytest
from keras import ops

from mgtl_tf.layers.trunks.aerial_generator import AerialGenerator
from mgtl_tf.layers.trunks.canny_edges import CannyEdges
from mgtl_tf.layers.trunks.patch_discriminator import PatchDiscriminator
from tests.models.published_size import shapes_alone
from tests.numpy_layers import randomise

RANDOM = np.random.default_rng(0)


def greys(height=24, width=40):
    """An image of soft shapes, uint8 [H, W]."""
    small = RANDOM.integers(0, 256, (6, 9), np.uint8)
    size = (width, height)
    return cv2.resize(small, size, interpolation=cv2.INTER_CUBIC)


def rgb(grey):
    return np.repeat(grey[None, ..., None], 3, -1).astype("float32")


@pytest.mark.parametrize("thresholds", [(50, 100), (20, 300)])
def test_edges_are_opencvs(thresholds):
    layer = CannyEdges(*thresholds, reach=60)
    noise = RANDOM.integers(0, 256, (24, 40), np.uint8)
    for grey in (greys(), noise, np.full_like(noise, 9)):
        wanted = cv2.Canny(grey, *thresholds) > 0
        found = np.asarray(layer(rgb(grey)))[0, ..., 0]
        np.testing.assert_array_equal(found, wanted)


def test_edges_are_of_the_luma_and_weak_ones_reach_so_far():
    image = np.zeros((1, 8, 8, 3), "float32")
    image[:, :, 4:, 2] = 255.0  # blue is hardly bright: 29
    assert not np.any(CannyEdges(120, 130)(image))
    # A step that is strong in its first row alone.
    image = np.zeros((12, 8), np.uint8)
    image[:, 4:] = 20
    image[0, 4:] = 60
    found = [
        float(ops.sum(CannyEdges(50, 100, reach)(rgb(image))))
        for reach in (0, 3, 20)
    ]
    assert found[0] < found[1] < found[2]
    assert found[2] == np.sum(cv2.Canny(image, 50, 100) > 0)


@pytest.mark.parametrize(
    ("layer", "count", "shape", "output"),
    [
        (
            AerialGenerator(),
            30_825_670,
            (None, 224, 1232, 3),
            (None, 512, 512, 6),
        ),
        (
            PatchDiscriminator(1.0, 4, "batch"),
            6_962_369,
            (None, 512, 512, 3),
            (None, 30, 30, 1),
        ),
    ],
)
def test_published_parameters_and_shapes(layer, count, shape, output):
    with shapes_alone():
        layer.build(shape)
    learnt = [w for w in layer.weights if "moving" not in w.path]
    assert sum(int(np.prod(w.shape)) for w in learnt) == count
    assert layer.compute_output_shape(shape) == output


@pytest.fixture(scope="module")
def generator():
    layer = AerialGenerator(16, 1 / 64, depth=3)
    layer.build((None, 8, 32, 3))
    randomise(layer)
    return layer


def _convolved(x, layer):
    """4 x 4 kernels that read every other cell, zeros around, by loops."""
    kernel, bias = np.asarray(layer.kernel, "f8"), np.asarray(layer.bias, "f8")
    padded = np.pad(x, [(1, 1), (1, 1), (0, 0)])
    rows, columns = x.shape[0] // 2, x.shape[1] // 2
    return (
        np.array(
            [
                [
                    np.tensordot(
                        padded[2 * i : 2 * i + 4, 2 * j : 2 * j + 4], kernel, 3
                    )
                    for j in range(columns)
                ]
                for i in range(rows)
            ]
        )
        + bias
    )


def _doubled(x, layer):
    """Every cell adds its kernel to 4 x 4 cells, one of them cut off around."""
    kernel, bias = np.asarray(layer.kernel, "f8"), np.asarray(layer.bias, "f8")
    rows, columns, _ = x.shape
    found = np.zeros((2 * rows + 2, 2 * columns + 2, kernel.shape[2]))
    for i in range(rows):
        for j in range(columns):
            patch = np.tensordot(kernel, x[i, j], (3, 0))
            found[2 * i : 2 * i + 4, 2 * j : 2 * j + 4] += patch
    return found[1:-1, 1:-1] + bias


def _normed(x, layer):
    mean, variance, gamma, beta = (
        np.asarray(v, "f8")
        for v in (
            layer.moving_mean,
            layer.moving_variance,
            layer.gamma,
            layer.beta,
        )
    )
    return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta


def _run(x, layers):
    for layer in layers:
        kind = type(layer).__name__
        if kind == "LeakyReLU":
            x = np.where(x > 0, x, 0.2 * x)
        elif kind == "ReLU":
            x = np.maximum(x, 0)
        elif kind == "BatchNormalization":
            x = _normed(x, layer)
        elif kind == "Conv2D":
            x = _convolved(x, layer)
        elif kind == "Conv2DTranspose":
            x = _doubled(x, layer)
    return x


def test_the_generator_by_numpy(generator):
    """Panorama and edges, halved three times; cells in rows become a square."""
    image = RANDOM.integers(0, 256, (8, 32, 3)).astype("float32")
    grey = np.round(image @ np.float32([0.299, 0.587, 0.114])).astype(np.uint8)
    edges = cv2.Canny(grey, 50, 100)[..., None] / 127.5 - 1
    x = np.concatenate([image / 127.5 - 1, edges], -1)
    x = _run(x, generator.halving)
    assert x.shape[:2] == (1, 4)
    x = np.concatenate([x[:, :2], x[:, 2:]])  # 1 x 4 cells as 2 x 2
    x = _run(x, generator.doubling)
    tails = generator.image_tail, generator.label_tail
    wanted = np.tanh(np.concatenate([_run(x, t) for t in tails], -1))
    found = np.asarray(generator(image[None]))[0]
    assert found.shape == (16, 16, 6)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_its_dropouts_are_the_first_three_of_seven_doublings():
    whole = AerialGenerator(256, 1 / 64)
    whole.build((None, 128, 512, 3))
    kinds = [type(layer).__name__ for layer in whole.doubling]
    assert (
        kinds[:12]
        == [
            "ReLU",
            "Conv2DTranspose",
            "BatchNormalization",
            "Dropout",
        ]
        * 3
    )
    assert "Dropout" not in kinds[12:]
    names = {w.path for w in whole.weights} - {
        w.path for w in whole.image_weights
    }
    assert names == {
        w.path for layer in whole.label_tail for w in layer.weights
    }


def test_the_discriminator_by_numpy():
    """Normalised between the first convolution and the last; a patch a cell."""
    layer = PatchDiscriminator(1 / 64, 1, "batch")
    images = RANDOM.normal(size=(1, 8, 8, 3)).astype("float32")
    layer.build(images.shape)
    randomise(layer)
    first, inner, last = layer.convolutions
    x = _convolved(images[0], first)
    x = _strideless(np.where(x > 0, x, 0.2 * x), inner)
    (norm,) = layer.norms.values()
    x = _normed(x, norm)
    x = _strideless(np.where(x > 0, x, 0.2 * x), last)
    np.testing.assert_allclose(np.asarray(layer(images))[0], x, atol=1e-4)


def _strideless(x, layer):
    kernel, bias = np.asarray(layer.kernel, "f8"), np.asarray(layer.bias, "f8")
    padded = np.pad(x, [(1, 1), (1, 1), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), (0, 1))
    return np.einsum("ijcxy,xyco->ijo", windows, kernel) + bias
