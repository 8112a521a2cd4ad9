"""CVFT: its published size, its cells, and a response that was dead."""

import keras
import numpy as np
import tensorflow as tf

import mgtl_tf
from tests.models.published_size import part_sizes, published

SMALL = {
    "image_size": (32, 80),
    "satellite_size": (24, 24),
    "poolings": 2,
    "width_multiplier": 1 / 32,
    "channels": 6,
}


def small(seed=0):
    keras.utils.set_random_seed(seed)
    config = mgtl_tf.ModelConfig(system="cvft", **SMALL)
    return mgtl_tf.build_model(config)


def images(size):
    random = np.random.default_rng(0)
    return random.uniform(0, 255, (2, *size, 3)).astype("float32")


def units(vectors):
    flat = np.reshape(vectors, (len(vectors), -1))
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def test_parameters_as_published():
    model = published("cvft")
    sizes = part_sizes(model)
    view = 14_714_688 + 9 * 512 * 64 + 64
    assert sizes["ground"] == sizes["satellite"] == view
    assert sizes["transport"] == 64 + 1 + 64 * 4096 + 4096
    assert model.count_params() == sum(sizes.values()) == 30_285_633
    shapes = model.config.input_shapes
    assert shapes["ground"] == (None, 112, 616, 3)
    assert shapes["satellite"] == (None, 256, 256, 3)
    for view, network in (
        ("ground", model.ground),
        ("satellite", model.satellite),
    ):
        assert network.compute_output_shape(shapes[view]) == (None, 8, 8, 64)


def test_aerial_cells_stay_and_ground_cells_are_resized_and_carried():
    model = small()
    image = images((24, 24))
    backbone, head = model.satellite.layers
    cells = head(backbone(image, training=False))
    assert cells.shape == (2, 3, 3, 6)
    np.testing.assert_allclose(
        model.encode_satellite(image), units(cells), atol=1e-5
    )
    image = images((32, 80))
    backbone, head = model.ground.layers
    reduce, _, transport = head.layers
    cells = reduce(backbone(image, training=False))
    assert cells.shape == (2, 4, 10, 6)
    resized = tf.compat.v1.image.resize_bilinear(cells, (3, 3))
    expected = units(np.array(transport(resized)))
    np.testing.assert_allclose(model.encode_ground(image), expected, atol=1e-5)


def _alive(model):
    """The share of an image's cells whose response is above zero."""
    backbone, head = model.ground.layers
    cells = backbone(images((32, 80)), training=False)
    for layer in head.layers[:-1]:
        cells = layer(cells)
    return np.mean(np.array(head.layers[-1].response(cells)) > 0)


def test_no_run_starts_with_a_dead_response():
    """Of random networks some do not answer at all; `start_from` helps."""
    found = []
    for seed in range(6):
        model = small(seed)
        before = _alive(model)
        model.start_from("none")
        found.append((before, _alive(model)))
    assert min(before for before, _ in found) == 0
    assert min(after for _, after in found) >= 0.5
    kept = [after for before, after in found if before >= 0.5]
    assert kept == [before for before, _ in found if before >= 0.5] != []
