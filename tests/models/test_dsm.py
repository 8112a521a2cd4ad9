"""DSM: circular columns, its two ways to compare, fields of view, headings."""

import keras
import numpy as np
import pytest

from mgtl_tf import build_model
from mgtl_tf.config import ModelConfig
from mgtl_tf.layers.circular_padding import CircularPadding
from mgtl_tf.layers.vgg16 import VGG16Features
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import DOT

SIZE = (16, 80)
SMALL = {"image_size": SIZE, "width_multiplier": 1 / 8}
SEARCH = {**SMALL, "shift_search": True}


def _model(**fields):
    keras.utils.set_random_seed(1)
    return build_model(ModelConfig(system="dsm", **fields))


def _images(count=2, seed=0):
    random = np.random.default_rng(seed)
    return random.uniform(0, 255, (count, *SIZE, 3)).astype("float32")


def test_padding_is_numpys():
    features = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype("f4")
    expected = np.pad(features, [(0, 0), (0, 0), (1, 1), (0, 0)], "wrap")
    expected = np.pad(expected, [(0, 0), (1, 1), (0, 0), (0, 0)])
    np.testing.assert_array_equal(CircularPadding()(features), expected)


def test_circular_vgg16_is_the_middle_of_a_map_that_goes_round_thrice():
    """Zeros at the far ends do not reach it."""
    kind = {"width_multiplier": 1 / 32, "poolings": 2, "dropout": 0.0}
    circular = VGG16Features(**kind, blocks=3, circular=True)
    plain = VGG16Features(**kind, blocks=3)
    images = _images()
    found = circular(images)
    plain(images)
    plain.set_weights(circular.get_weights())
    rounds = np.asarray(plain(np.concatenate([images] * 3, axis=2)))
    np.testing.assert_allclose(found, rounds[:, :, 20:40], atol=1e-4)


def test_a_turned_aerial_image_has_turned_columns():
    model, images = _model(**SEARCH), _images()
    columns = np.asarray(model.encode_satellite(images)).reshape(2, 10, -1)
    turned = model.encode_satellite(np.roll(images, 3 * 8, axis=2))
    np.testing.assert_allclose(
        np.asarray(turned).reshape(2, 10, -1),
        np.roll(columns, 3, axis=1),
        atol=1e-5 * np.abs(columns).max(),
    )
    # And they are no unit vectors, as those of panoramas are.
    assert (np.abs(np.linalg.norm(columns, axis=(1, 2)) - 1) > 1e-3).all()
    ground = model.encode_ground(images)
    np.testing.assert_allclose(np.linalg.norm(ground, axis=1), 1, atol=1e-5)


def test_aligned_and_searched_have_the_same_weights_and_columns():
    aligned, search = _model(**SMALL), _model(**SEARCH)
    search.set_weights(aligned.get_weights())
    images = _images()
    assert aligned.scorer == DOT and search.scorer.columns == 10
    found = np.asarray(search.encode_satellite(images))
    units = found / np.linalg.norm(found, axis=1, keepdims=True)
    np.testing.assert_allclose(
        aligned.encode_satellite(images), units, atol=1e-6
    )


@pytest.mark.parametrize("degrees", [180, 70])
def test_of_a_narrow_view_only_the_middle_is_seen(degrees):
    seen = 80 * degrees // 360
    first = (80 - seen) // 2
    images = _images()
    outside = images.copy()
    outside[:, :, :first] = 0
    outside[:, :, first + seen :] = 0
    for shift in (True, False):
        model = _model(**SMALL, shift_search=shift, field_of_view=degrees)
        found = model.encode_ground(images)
        # Of one row and 16 channels a column.
        assert found.shape == (2, 16 * -(-seen // 8))
        np.testing.assert_array_equal(found, model.encode_ground(outside))
        satellite = model.encode_satellite(images)
        assert model.scorer.fits(found.shape[1], satellite.shape[1])


def test_settings_that_do_not_fit_are_refused():
    for fields in ({"image_size": (16, 84)}, {"field_of_view": 361}):
        with pytest.raises(UserError, match=next(iter(fields))):
            ModelConfig(system="dsm", **fields)
    with pytest.raises(UserError, match="feature_cache"):
        _model(**SMALL).frozen_features({})
