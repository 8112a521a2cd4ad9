"""Crops and quarter turns of aerial images alone, against NumPy and OpenCV."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.datasets.augmentation.aerial import centre_crop, quarter_turns


def _images(count, side=8, channels=3):
    random = np.random.default_rng(0)
    shape = (count, side, side, channels)
    return random.integers(0, 256, shape, dtype=np.uint8)


def _seed(number):
    return tf.constant([number, 1], tf.int32)


def test_quarter_turns_move_pixels_and_leave_two_in_five():
    images = _images(4000, side=3, channels=1)
    found = quarter_turns(images, _seed(0)).numpy()
    counts = [
        sum(
            np.array_equal(np.rot90(before, turn), after)
            for before, after in zip(images, found, strict=True)
        )
        for turn in range(4)
    ]
    assert sum(counts) == len(images)
    shares = np.array(counts) / len(images)
    np.testing.assert_allclose(shares, [0.4, 0.2, 0.2, 0.2], atol=0.03)


def test_quarter_turns_keep_any_dtype_and_number_of_channels():
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 5)).astype("f4")
    found = quarter_turns(images, _seed(1)).numpy()
    assert found.dtype == np.float32
    for before, after in zip(images, found, strict=True):
        assert any(np.array_equal(np.rot90(before, k), after) for k in range(4))


def test_crops_are_opencvs_about_the_centre():
    """Which share was kept is found out from the pixels' own positions."""
    side, count = 33, 64
    ramp = np.broadcast_to(np.arange(side, dtype="f4"), (count, side, side))
    ramp = tf.constant(ramp[..., None])
    kept = centre_crop(ramp, 0.5, _seed(2)).numpy()[:, 0, :, 0]
    kept = (kept[:, -1] - kept[:, 0]) / (side - 1)
    assert 0.5 < kept.min() and kept.max() == 1
    # Half of all draws are above a half; the rest keeps the whole image.
    assert 0.3 < np.mean(kept < 1) < 0.7
    images = _images(count, side)
    found = centre_crop(tf.constant(images), 0.5, _seed(2)).numpy()
    assert found.dtype == np.uint8
    for share, before, after in zip(kept, images, found, strict=True):
        middle = (1 - share) * (side - 1) / 2
        matrix = np.array([[share, 0, middle], [0, share, middle]])
        expected = cv2.warpAffine(
            before.astype("f4"),
            matrix,
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        # OpenCV rounds positions to 1/32 of a pixel.
        assert np.abs(expected - after).max() < 255 / 16
        if share == 1:
            np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    "change",
    [quarter_turns, lambda *given: centre_crop(given[0], 0.3, *given[1:])],
    ids=["quarter_turns", "centre_crop"],
)
def test_a_part_of_a_batch_changes_as_in_the_whole(change):
    images = tf.constant(_images(6))
    whole = change(images, _seed(3)).numpy()
    parts = [
        change(images[2 * i : 2 * i + 2], _seed(3), (i, 3)).numpy()
        for i in range(3)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert not np.array_equal(whole, images)
