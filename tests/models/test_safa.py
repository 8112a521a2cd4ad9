"""SAFA: its published size, and its head against NumPy."""

import numpy as np

import mgtl_tf
from mgtl_tf.layers.spatial_maps import SpatialMaps
from tests.models.published_size import published


def test_parameters_as_published():
    """Two VGG-16 and two heads of 80 cells, 40 hidden, 8 maps."""
    model = published("safa")
    head = 80 * 40 * 8 + 40 * 8 + 40 * 80 * 8 + 80 * 8
    assert head == 52_160
    assert model.count_params() == 2 * (14_714_688 + head)
    for layers in model.parts.values():
        assert layers[0].layers[1].count_params() == head


def test_head_as_its_authors_code_has_it():
    """Mean over channels, two maps without activation, weighted sums."""
    random = np.random.default_rng(0)
    height, width, channels, maps = 3, 5, 4, 2
    features = random.normal(size=(2, height, width, channels))
    layer = SpatialMaps(maps)
    layer.build((None, height, width, channels))
    assert np.all(layer.first_bias == 0.1) and np.all(layer.second_bias == 0.1)
    assert 0.003 < np.std(layer.first) < 0.007
    weights = [random.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    first, first_bias, second, second_bias = weights
    assert first.shape == (15, 7, maps) and second.shape == (7, 15, maps)

    expected = np.zeros((2, maps, channels))
    for image in range(2):
        cells = features[image].reshape(15, channels)
        salience = cells.mean(axis=1)
        for m in range(maps):
            hidden = salience @ first[:, :, m] + first_bias[:, m]
            weight = hidden @ second[:, :, m] + second_bias[:, m]
            expected[image, m] = weight @ cells
    result = layer(features.astype("float32"))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-4)


def test_descriptor_is_the_sums_side_by_side():
    config = mgtl_tf.ModelConfig(
        system="safa", image_size=(16, 32), width_multiplier=1 / 32
    )
    model = mgtl_tf.build_model(config)
    images = np.random.default_rng(1).uniform(0, 255, (2, 16, 32, 3))
    backbone, head = model.satellite.layers
    features = backbone(images, training=False)
    sums = np.asarray(head(features)).reshape(2, -1)
    expected = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    found = model.encode_satellite(images)
    np.testing.assert_allclose(found, expected, atol=1e-5)
