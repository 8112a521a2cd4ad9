"""The polar transform against a float64 NumPy oracle and closed forms."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given, settings
from hypothesis import strategies as st

import polar
from polar.geometry import polar_to_aerial, sampling_grid

REAL = Path(__file__).parents[3] / "shared/data/real_pairs"


def oracle(image, height, width):
    """The written equation, pixel by pixel weights in float64."""
    side = len(image)
    i, j = np.mgrid[:height, :width].astype(np.float64)
    radius = (side / 2) * (height - 1 - i) / height
    row = side / 2 + radius * np.cos(2 * np.pi * j / width)
    column = side / 2 - radius * np.sin(2 * np.pi * j / width)
    top, left = np.floor(row).astype(int), np.floor(column).astype(int)
    padded = np.zeros((side + 3, side + 3, 3))
    padded[1 : side + 1, 1 : side + 1] = image
    result = np.zeros((height, width, 3))
    for down, right in itertools.product((0, 1), (0, 1)):
        weight = np.abs(1 - down - (row - top)) * np.abs(
            1 - right - (column - left)
        )
        pixels = padded[top + down + 1, left + right + 1]
        result += weight[..., None] * pixels
    return result


def _noise(side, seed=0):
    random = np.random.default_rng(seed)
    return random.integers(0, 256, (side, side, 3), dtype=np.uint8)


sizes = st.tuples(st.integers(1, 90), st.integers(1, 40), st.integers(1, 90))


@settings(max_examples=30)
@given(size=sizes, seed=st.integers(0, 9))
@example((750, 112, 616), 0)
@example((1200, 112, 616), 0)
def test_opencv_and_layer_within_one_grey_level(size, seed):
    side, height, width = size
    image = _noise(side, seed)
    expected = oracle(image, height, width)
    layer = polar.PolarTransform(height, width)
    for result, dtype in (
        (polar.polar_transform(image, height, width), np.uint8),
        (polar.polar_transform(image.astype("f4"), height, width), np.float32),
        (keras.ops.convert_to_numpy(layer(image[None]))[0], np.float32),
    ):
        assert result.dtype == dtype
        assert np.abs(result - expected).max() <= 1


@pytest.mark.parametrize("shape", [(30, 31), (31, 30)])
def test_layer_refuses_oblong_images(shape):
    images = np.zeros((1, *shape, 3), np.float32)
    layer = polar.PolarTransform(8, 16)
    with pytest.raises(ValueError, match="must be square"):
        layer(images)
    free = tf.TensorSpec([None, None, None, 3], tf.float32)
    traced = tf.function(lambda x: layer(x), input_signature=[free])
    with pytest.raises(tf.errors.InvalidArgumentError):
        traced(images)


@settings(max_examples=60)
@given(size=sizes, seed=st.integers(0, 9))
@example((750, 112, 616), 0)
@example((1025, 20, 616), 0)
def test_as_bare_opencv_to_the_bit(size, seed):
    side, height, width = size
    image = _noise(side, seed)
    rows, columns = sampling_grid(side, height, width)
    whole = cv2.remap(
        image,
        columns.astype(np.float32),
        rows.astype(np.float32),
        cv2.INTER_LINEAR,
    )
    result = polar.polar_transform(image, height, width)
    np.testing.assert_array_equal(result, whole)


@pytest.mark.parametrize(
    "path", sorted(REAL.glob("CVUSA/bingmap/19/*.jpg")) or [None]
)
def test_real_aerial_images(path):
    if path is None:
        pytest.skip("../shared/data/real_pairs is not here")
    image = cv2.imread(str(path))
    result = polar.polar_transform(image)
    assert np.abs(result - oracle(image, 112, 616)).max() <= 1


def test_directions():
    """Left edge south, W/4 west, centre north, 3W/4 east."""
    side, height, width = 101, 25, 80
    image = np.zeros((side, side, 3), np.uint8)
    for value, (row, column) in {
        50: (80, 50),
        100: (50, 20),
        150: (20, 50),
        200: (50, 80),
    }.items():
        image[row - 2 : row + 3, column - 2 : column + 3] = value
    bright = polar.polar_transform(image, height, width).max(axis=(0, 2))
    for value, column in {50: 0, 100: 20, 150: 40, 200: 60}.items():
        assert bright[column] == value


def test_bottom_row_is_the_camera_and_top_row_is_far():
    side = 750
    rows, columns = polar_to_aerial(
        np.array([0, 111])[:, None], np.arange(616), side, 112, 616
    )
    radius = np.hypot(rows - side / 2, columns - side / 2)
    np.testing.assert_allclose(radius[1], 0)
    np.testing.assert_allclose(radius[0], 375 * 111 / 112)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((4, 5, 3), np.uint8), ((3,), np.uint8), ((4, 4, 3), np.float64)],
)
def test_refused_images(shape, dtype):
    with pytest.raises(ValueError, match="must be"):
        polar.polar_transform(np.zeros(shape, dtype))


def test_any_memory_layout_and_grey_images():
    image = _noise(40)
    whole = polar.polar_transform(image, 9, 30)
    np.testing.assert_array_equal(
        polar.polar_transform(image[..., ::-1], 9, 30), whole[..., ::-1]
    )
    turned = np.asfortranarray(image)
    np.testing.assert_array_equal(polar.polar_transform(turned, 9, 30), whole)
    np.testing.assert_array_equal(
        polar.polar_transform(image[..., 0], 9, 30), whole[..., 0]
    )


def test_results_outlive_further_calls_and_threads_share_nothing():
    images = [_noise(side, side) for side in (30, 30, 41, 30)]
    alone = [polar.polar_transform(image, 9, 30) for image in images]
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(
                lambda n: polar.polar_transform(images[n % 4], 9, 30),
                range(200),
            )
        )
    for n, result in enumerate(together):
        np.testing.assert_array_equal(result, alone[n % 4])


def test_layer_traces_with_unknown_sizes_and_saves(tmp_path):
    layer = polar.PolarTransform(8, 24)
    traced = tf.function(
        layer, input_signature=[tf.TensorSpec([None, None, None, 3])]
    )
    for side in (16, 33):
        image = _noise(side).astype(np.float32)
        np.testing.assert_allclose(
            traced(image[None])[0], oracle(image, 8, 24), atol=0.05
        )
    model = keras.Sequential([keras.Input((16, 16, 3)), layer])
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    image = _noise(16)[None]
    np.testing.assert_array_equal(again(image), layer(image))


def test_layer_is_float32_under_mixed_policies():
    image = _noise(300)
    layer = polar.PolarTransform(20, 50, dtype="mixed_bfloat16")
    result = layer(image[None])
    assert result.dtype == "float32"
    assert np.abs(result[0] - oracle(image, 20, 50)).max() <= 1
