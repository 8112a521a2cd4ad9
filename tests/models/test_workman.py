"""Regression of fixed ground features: what moves, what does not."""

import numpy as np
import pytest

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from tests.models.systems import SIZE, small_model


def _model(name="workman"):
    """Of two views of one size."""
    polar = {"satellite_size": (0, 0), "satellite_form": "polar"}
    # Batch statistics and dropout show whether the ground network is at rest.
    return small_model(name, backbone_dropout=0.2, **polar)


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("name", ["workman", "workman_vgg16"])
def test_only_the_aerial_network_moves_and_without_any_negative(name):
    model = _model(name)
    model.freeze_blocks(len(model.backbones))
    model.start_from("none")
    for ours, theirs in zip(
        model.ground.get_weights(), model.satellite.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (2, 4, *SIZE, 3)).astype("float32")
    batch = {"ground": images[0], "satellite": images[1]}
    before = model.ground.get_weights()
    config = TrainConfig(generative_weight=0.0)
    optimizer = make_optimizer(config, model.trainable_variables)
    step = TrainStep(model, optimizer, config)
    figures = step({**batch, "negatives": np.zeros((4, 4), bool)}, 1e-3)
    assert float(figures["regression_loss"]) > 0
    for old, new in zip(before, model.ground.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert all("satellite" in w.path for w in model.trainable_weights)
    # What the ground network gives is what evaluation gives.
    calm = model(batch, training=True)["ground"]
    np.testing.assert_allclose(calm, model.encode_ground(images[0]), atol=1e-6)


def test_views_of_other_sizes_are_refused():
    with pytest.raises(UserError, match="map of the size"):
        small_model("workman_vgg16", satellite_size=(32, 80)).start_from("none")


def test_the_loss_is_the_mean_squared_distance_of_true_pairs():
    random = np.random.default_rng(2)
    ground, satellite = random.normal(size=(2, 5, 3))
    expected = np.mean(np.sum((ground - satellite) ** 2, axis=1))
    found = _model().retrieval_loss(
        ground.astype("float32"), satellite.astype("float32")
    )
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_weights_of_vgg16_are_refused():
    with pytest.raises(UserError, match="workman has no VGG-16"):
        _model().start_from("imagenet")
