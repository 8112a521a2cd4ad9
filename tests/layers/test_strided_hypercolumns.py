"""OriCNN's encoder and its mean, against SciPy and by hand."""

import numpy as np
from keras import ops
from scipy.ndimage import map_coordinates
from scipy.signal import correlate

from mgtl_tf.layers.trunks.generalized_mean import GeneralizedMean
from mgtl_tf.layers.trunks.strided_hypercolumns import StridedHypercolumns
from tests.numpy_layers import randomise


def strided(maps, layer):
    """One 4x4 SAME convolution of stride 2, [h, w, C] of any size."""
    height, width = maps.shape[:2]
    padded = np.pad(maps, [(1, 1 + height % 2), (1, 1 + width % 2), (0, 0)])
    kernel, bias = (np.asarray(w, "f8") for w in (layer.kernel, layer.bias))
    found = [
        correlate(padded, kernel[..., c], "valid")[::2, ::2, 0] + bias[c]
        for c in range(len(bias))
    ]
    return np.stack(found, -1)


def sampled(maps, size):
    """SciPy's bilinear interpolation at the centres of another grid's cells."""
    places = []
    for source, target in zip(maps.shape[:2], size, strict=True):
        step = source / target
        places.append(np.arange(target) * step + (step - 1) / 2)
    grid = np.meshgrid(*places, indexing="ij")
    return np.stack(
        [
            map_coordinates(maps[..., c], grid, order=1, mode="nearest")
            for c in range(maps.shape[-1])
        ],
        -1,
    )


def test_hypercolumns_of_the_last_three_maps():
    layer = StridedHypercolumns(width_multiplier=1 / 64, depth=4)
    layer.build((None, 21, 44, 5))
    randomise(layer)
    image = np.random.default_rng(0).uniform(-1, 1, (21, 44, 5))
    maps = [strided(image, layer.convolutions[0])]
    for convolution, norm in zip(
        layer.convolutions[1:], layer.norms, strict=True
    ):
        before = np.where(maps[-1] > 0, maps[-1], 0.2 * maps[-1])
        values = strided(before, convolution)
        gamma, beta, mean, variance = (np.asarray(w) for w in norm.weights)
        values = (values - mean) / np.sqrt(variance + 1e-5) * gamma + beta
        maps.append(values)
    size = maps[-1].shape[:2]
    assert size == (2, 3)
    expected = np.concatenate([sampled(m, size) for m in maps[1:]], -1)
    found = ops.convert_to_numpy(layer(image[None].astype("float32")))
    np.testing.assert_allclose(found[0], expected, rtol=1e-4, atol=1e-4)


def test_a_map_of_one_row_is_sampled_too():
    """The published sampler divides by its height less one."""
    layer = StridedHypercolumns(width_multiplier=1 / 64, depth=5)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 32, 160, 5))
    found = ops.convert_to_numpy(layer(images.astype("float32")))
    assert found.shape == (2, 1, 5, 4 + 8 + 8) and np.isfinite(found).all()
    published = StridedHypercolumns().compute_output_shape
    assert published((None, 224, 1232, 5)) == (None, 2, 10, 1536)
    assert published((None, 512, 512, 5)) == (None, 4, 4, 1536)


def test_generalized_mean():
    features = np.array([[[[1.0, -4.0]], [[2.0, -5.0]], [[3.0, 0.0]]]], "f4")
    (found,) = ops.convert_to_numpy(GeneralizedMean()(features))
    np.testing.assert_allclose(found, [12 ** (1 / 3), 1e-6], rtol=1e-5)
    (mean,) = ops.convert_to_numpy(GeneralizedMean(power=1.0)(features))
    np.testing.assert_allclose(mean[0], 2, rtol=1e-6)
    large = ops.convert_to_numpy(GeneralizedMean(power=60.0)(features))
    assert large[0, 0] > 2.9
