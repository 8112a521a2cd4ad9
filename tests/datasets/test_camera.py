"""Blur and JPEG against OpenCV's own, image by image."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.datasets.blur_and_jpeg import blur, jpeg


def pictures(count, height=40, width=64):
    """Smooth enough that a JPEG is not all noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (count, height // 4, width // 4, 3), np.uint8)
    return np.stack([cv2.resize(x, (width, height)) for x in coarse])


def opencv_blur(image, deviation, reach):
    """Round the columns, on over the rows' edges."""
    wide = np.pad(image, ((0, 0), (reach, reach), (0, 0)), "wrap")
    size = 2 * reach + 1
    wide = cv2.GaussianBlur(
        wide, (size, size), deviation, borderType=cv2.BORDER_REPLICATE
    )
    return wide[:, reach:-reach]


@pytest.mark.parametrize("shape", [(40, 64), (5, 8)])
def test_blur_is_opencvs_of_some_width(shape):
    """Also where the window is larger than the image."""
    images = pictures(6, *shape).astype("float32")
    found = blur(tf.constant(images), 2.0, tf.constant([1, 2])).numpy()
    widths = np.arange(0.05, 2.0, 0.01)
    nearest = []
    for before, after in zip(images, found, strict=True):
        errors = [
            np.abs(opencv_blur(before, s, 6) - after).max() for s in widths
        ]
        assert min(errors) < 1.0  # a grey level
        nearest.append(widths[np.argmin(errors)])
    assert len(set(nearest)) == 6 and np.ptp(nearest) > 0.5


def test_blur_goes_round_the_circle():
    image = np.zeros((1, 9, 16, 3), "float32")
    image[:, 4, 0] = 200
    found = blur(tf.constant(image), 2.0, tf.constant([3, 4])).numpy()[0]
    np.testing.assert_allclose(found[:, 1:8], found[:, :8:-1], atol=1e-4)
    assert found[4, -1].min() > 0
    assert found.sum() == pytest.approx(image.sum(), rel=1e-4)


def test_jpeg_is_opencvs_of_some_quality():
    images = pictures(8)
    found = jpeg(
        tf.constant(images.astype("float32")), 30, tf.constant([1, 2])
    ).numpy()
    qualities = []
    for before, after in zip(images, found, strict=True):
        same = []
        for quality in range(1, 101):
            options = [cv2.IMWRITE_JPEG_QUALITY, quality]
            file = cv2.imencode(".jpg", before[..., ::-1], options)[1]
            read = cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]
            same.append(np.abs(read.astype("f4") - after).max() <= 1)
        assert any(same)
        qualities.append(1 + np.argmax(same))
    assert min(qualities) >= 30 and max(qualities) <= 95
    assert len(set(qualities)) >= 5
