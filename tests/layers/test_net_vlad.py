"""NetVLAD against sums written out in NumPy."""

import numpy as np
import scipy.special

from mgtl_tf.layers.net_vlad import NetVLAD


def _oracle(features, kernel, bias, centres):
    channels, clusters = centres.shape
    vectors = []
    for image in features:
        found = np.zeros((channels, clusters))
        for cell in image.reshape(-1, channels):
            cell = cell / np.linalg.norm(cell)
            shares = scipy.special.softmax(cell @ kernel + bias)
            for k in range(clusters):
                found[:, k] += shares[k] * (cell - centres[:, k])
        found /= np.linalg.norm(found, axis=0)
        vectors.append(found.ravel() / np.linalg.norm(found))
    return np.array(vectors)


def test_sums_of_residuals_are_those_of_the_paper():
    random = np.random.default_rng(0)
    features = random.normal(size=(2, 3, 4, 5))
    layer = NetVLAD(clusters=6)
    layer.build((None, None, None, 5))
    assert layer.count_params() == 5 * 6 + 6 + 5 * 6
    weights = [random.normal(size=w.shape) for w in layer.weights]
    layer.set_weights(weights)
    found = layer(features.astype("float32"))
    np.testing.assert_allclose(found, _oracle(features, *weights), atol=1e-5)
    # Built for no size in particular: it is a sum over cells.
    rows = features[:, :2]
    found = layer(rows.astype("float32"))
    np.testing.assert_allclose(found, _oracle(rows, *weights), atol=1e-5)


def test_it_starts_as_published():
    layer = NetVLAD()
    layer.build((None, 7, 39, 512))
    assert layer.count_params() == 65_600
    kernel, bias, centres = (np.array(w) for w in layer.weights)
    for weight in (kernel, bias, centres):
        assert 0.8 * 512**-0.5 < weight.std() < 1.2 * 512**-0.5
    assert np.abs(kernel - centres).max() > 0


def test_cells_of_zeros_give_numbers():
    layer = NetVLAD(clusters=2)
    found = np.array(layer(np.zeros((1, 2, 2, 3), "float32")))
    assert np.isfinite(found).all()
