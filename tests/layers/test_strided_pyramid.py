"""Regmi and Shah's encoder against SciPy's correlation."""

import numpy as np
from keras import ops
from scipy.signal import correlate

from mgtl_tf.layers.trunks.strided_pyramid import StridedPyramid
from mgtl_tf.layers.vgg16 import CAFFE_MEANS_BGR
from tests.numpy_layers import randomise


def strided(maps, layer):
    """One 4x4 SAME convolution of stride 2, then ReLU; [h, w, C], odd sizes.

    An even size is padded by one line on each side; an odd one, 2 n - 1, by
    one before and two after.
    """
    height, width = maps.shape[:2]
    padded = np.pad(maps, [(1, 1 + height % 2), (1, 1 + width % 2), (0, 0)])
    kernel, bias = (np.asarray(w, "f8") for w in (layer.kernel, layer.bias))
    found = [
        correlate(padded, kernel[..., c], "valid")[::2, ::2, 0] + bias[c]
        for c in range(len(bias))
    ]
    return np.maximum(np.stack(found, -1), 0)


def test_the_last_three_maps_are_joined():
    layer = StridedPyramid(width_multiplier=1 / 64, depth=4, dropout=0.9)
    image = np.random.default_rng(0).uniform(0, 255, (1, 13, 22, 3))
    layer.build((None, 13, 22, 3))
    randomise(layer)
    maps, found = image[0, ..., ::-1] - CAFFE_MEANS_BGR, []
    for convolution in layer.convolutions:
        maps = strided(maps, convolution)
        found.append(maps.ravel())
    result = ops.convert_to_numpy(layer(image.astype("float32")))
    expected = np.concatenate(found[1:])[None]
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-3)


def test_published_sizes():
    layer = StridedPyramid()
    assert layer.compute_output_shape((None, 224, 1232, 3)) == (None, 53_760)
    assert layer.compute_output_shape((None, 512, 512, 3)) == (None, 43_008)


def test_the_next_convolution_reads_what_dropout_leaves():
    layer = StridedPyramid(width_multiplier=1 / 8, depth=4, dropout=0.5)
    images = np.random.default_rng(1).uniform(0, 255, (1, 32, 32, 3))
    layer.build((None, 32, 32, 3))
    found = np.asarray(layer(images.astype("float32"), training=True))[0]
    third, fourth = found[-768:-256], found[-256:]
    whole = strided(third.reshape(4, 4, 32), layer.convolutions[3]).ravel()
    kept = fourth > 0
    assert 0 < kept.sum() < (whole > 0).sum()
    # A small sum of large terms keeps their rounding.
    np.testing.assert_allclose(
        fourth[kept], 2 * whole[kept], rtol=1e-4, atol=1e-5
    )
