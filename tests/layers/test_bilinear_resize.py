"""Bilinear resizing against TensorFlow's own kernel, and by hand."""

import numpy as np
import pytest
import tensorflow as tf

from mgtl_tf.layers.bilinear_resize import BilinearResize


@pytest.mark.parametrize("half_pixel_centres", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (4, 20), (3, 50), (1, 7)])
def test_it_is_tensorflow_1s_kernel(size, half_pixel_centres):
    features = np.random.default_rng(0).normal(size=(2, 4, 20, 3))
    found = BilinearResize(size, half_pixel_centres)(features.astype("f4"))
    expected = tf.compat.v1.image.resize_bilinear(
        features, size, half_pixel_centers=half_pixel_centres
    )
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_points_and_areas_by_hand():
    row = np.arange(6, dtype="float32").reshape(1, 1, 6, 1)
    points = BilinearResize((1, 2), half_pixel_centres=False)(row)
    areas = BilinearResize((1, 2))(row)
    assert np.ravel(points).tolist() == [0, 3]
    assert np.ravel(areas).tolist() == [1, 4]
