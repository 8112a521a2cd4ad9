"""The linear probe: one linear map a column over frozen VGG-16 blocks."""

import keras
import numpy as np
import pytest

import mgtl_tf
from mgtl_tf.layers.column_projection import ColumnProjection
from mgtl_tf.utils.errors import UserError

SIZE = (32, 80)


def probe(**fields):
    keras.utils.set_random_seed(0)
    return mgtl_tf.build_model(
        mgtl_tf.ModelConfig(
            system="linear_probe",
            image_size=SIZE,
            **{"width_multiplier": 1 / 16, "channels": 6, **fields},
        )
    )


def test_columns_are_one_linear_map_of_standardised_roots():
    """Against NumPy, for training's statistics and for the averages."""
    random = np.random.default_rng(0)
    features = random.gamma(1.0, 3.0, (4, 3, 7, 5)).astype("float32")
    layer = ColumnProjection(6, dropout=0.0)
    trained = np.array(layer(features, training=True))
    root = np.sqrt(features + 0.01).transpose(0, 2, 1, 3).reshape(4, 7, 15)
    kernel, bias = map(np.array, layer.projection.weights)
    mean, variance = root.mean((0, 1)), root.var((0, 1))
    wanted = (root - mean) / np.sqrt(variance + 1e-2) @ kernel + bias
    np.testing.assert_allclose(trained, wanted, rtol=1e-4, atol=1e-4)
    # One batch moves the averages a tenth of the way.
    moved_mean, moved = 0.1 * mean, 0.9 + 0.1 * variance
    wanted = (root - moved_mean) / np.sqrt(moved + 1e-2) @ kernel + bias
    np.testing.assert_allclose(layer(features), wanted, rtol=1e-4, atol=1e-4)


def test_a_turn_of_both_views_leaves_the_similarity():
    """Columns are treated alike, so rolled features roll the columns."""
    random = np.random.default_rng(1)
    layer = ColumnProjection(6)
    features = random.random((2, 3, 7, 5)).astype("float32")
    np.testing.assert_allclose(
        np.roll(layer(features), 3, axis=1),
        layer(np.roll(features, 3, axis=2)),
        atol=1e-5,
    )


def test_it_has_the_blocks_it_asks_for_and_no_more():
    """The published widths: blocks 1 to 4 have 7,635,264 parameters."""
    model = probe(width_multiplier=1.0)
    trunk = model.backbones[0]
    assert trunk.count_params() == 7_635_264
    assert len(trunk.convolutions) == 10
    image = np.zeros((1, *SIZE, 3), "float32")
    assert trunk(image).shape == (1, 2, 5, 512)
    assert model.encode_ground(image).shape == (1, 5 * 6)


def test_vgg16s_first_convolutions_start_it(tmp_path):
    whole = keras.applications.VGG16(weights=None, include_top=False)
    path = tmp_path / "vgg16.weights.h5"
    whole.save_weights(path)
    model = probe(width_multiplier=1.0)
    model.start_from(str(path))
    theirs = [n for n in whole.layers if isinstance(n, keras.layers.Conv2D)]
    for trunk in model.backbones:
        for ours, layer in zip(trunk.convolutions, theirs, strict=False):
            np.testing.assert_array_equal(ours.kernel, layer.kernel)


def test_frozen_it_learns_the_linear_maps_alone():
    model = probe()
    model.freeze_blocks(4)
    names = {w.path.split("/")[-2] for w in model.trainable_weights}
    assert names == {"projection"}
    with pytest.raises(UserError, match="freeze_blocks=5: .* 4 blocks"):
        model.freeze_blocks(5)
