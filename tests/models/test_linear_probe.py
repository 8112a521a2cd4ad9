"""The linear probe: one linear map a column over frozen VGG-16 blocks.

Its size is test_published_sizes.py's, its start test_pretrained.py's.
"""

import numpy as np
import pytest

from mgtl_tf.layers.column_projection import ColumnProjection
from mgtl_tf.utils.errors import UserError
from tests.models.systems import small_model


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


def test_frozen_it_learns_the_linear_maps_alone():
    model = small_model("linear_probe")
    model.freeze_blocks(4)
    names = {w.path.split("/")[-2] for w in model.trainable_weights}
    assert names == {"projection"}
    with pytest.raises(UserError, match="freeze_blocks=5: .* 4 blocks"):
        model.freeze_blocks(5)
