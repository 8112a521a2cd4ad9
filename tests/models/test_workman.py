"""Regression of fixed ground features: what moves, what does not."""

import numpy as np
import pytest

from mgtl_tf.config import TrainConfig
from mgtl_tf.training.optimizers import make_optimizer
from mgtl_tf.training.step import TrainStep
from mgtl_tf.utils.errors import UserError
from tests.models.systems import SIZE, small_model


def _model():
    """Of two views of one size."""
    polar = {"satellite_size": (0, 0), "satellite_form": "polar"}
    return small_model("workman", **polar)


def test_only_the_aerial_network_moves_and_without_any_negative():
    model = _model()
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
