"""Vo and Hays: turns against NumPy, the angle that is to be predicted."""

import numpy as np
import pytest

from mgtl_tf.layers.turned_crop import TurnedCrop
from mgtl_tf.losses import generative_loss, soft_margin_triplet_loss
from tests.models.systems import noise, small_model


def _image(side=9):
    random = np.random.default_rng(0)
    return random.uniform(0, 255, (1, side, side, 3)).astype("float32")


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_quarter_turns_are_exact_and_clockwise(quarters):
    placement = np.float32([[quarters * np.pi / 2, 0, 0, 0]])
    found = TurnedCrop(margin=2)(_image(), placement)
    wanted = np.rot90(_image(), -quarters, axes=(1, 2))[:, 2:-2, 2:-2]
    np.testing.assert_allclose(found, wanted, atol=0.05)


def test_shifts_show_what_lies_right_and_below_and_black_beyond():
    found = np.asarray(TurnedCrop()(_image(), np.float32([[0, 0, 2, 1]])))
    np.testing.assert_allclose(found[:, :-1, :-2], _image()[:, 1:, 2:])
    assert not found[:, -1].any() and not found[:, :, -2:].any()


def test_a_scale_of_two_shows_half_as_much():
    found = TurnedCrop()(_image(), np.float32([[0, np.log(2), 0, 0]]))
    # From the centre, pixel 4, every second output pixel is an input pixel.
    wanted = _image()[:, 2:7, 2:7]
    np.testing.assert_allclose(found[:, ::2, ::2], wanted, atol=0.05)


@pytest.fixture(scope="module")
def model():
    return small_model("vo", largest_turn=180.0, crop_margins=(0, 1))


def _inputs(model, batch=64):
    return {v: noise(model, v, 1, batch) for v in ("ground", "satellite")}


def test_angles_are_drawn_from_the_whole_circle_while_training(model):
    inputs = _inputs(model)
    first, second = (
        np.asarray(model(inputs, training=True)["targets"][0]) for _ in range(2)
    )
    np.testing.assert_allclose(np.sum(first**2, axis=1), 1, rtol=1e-4)
    quadrants = {(s > 0, c > 0) for s, c in first}
    assert len(quadrants) == 4
    assert np.abs(first - second).max() > 0.1
    straight = np.asarray(model(inputs, training=False)["targets"][0])
    np.testing.assert_array_equal(straight, [[0, 1]] * 64)


@pytest.mark.parametrize("offsets", [False, True])
def test_aerial_images_stay_in_place_where_offsets_are_learnt(offsets):
    model = small_model(
        "vo", offset_head=offsets, largest_turn=0.0, crop_margins=(1, 2)
    )
    ground, satellite = (
        np.asarray(model._placements(view, 64))
        for view in ("ground", "satellite")
    )
    for placements, margin in ((ground, 1), (satellite, 0 if offsets else 2)):
        assert not placements[:, :2].any()
        moved = np.abs(placements[:, 2:]).max()
        assert moved == 0 if not margin else 0.8 * margin < moved <= margin


def test_the_losses_are_those_of_the_authors(model):
    """Softplus of differences of squared distances, half a squared error."""
    outputs = model(_inputs(model, 4), training=False)
    ground, satellite = (
        np.asarray(outputs[v], "f8") for v in ("ground", "satellite")
    )
    apart = ((ground[:, None] - satellite) ** 2).sum(-1)
    true, wrong = np.diag(apart), ~np.eye(4, dtype=bool)
    margins = np.stack([true[:, None] - apart, true[None] - apart])[:, wrong]
    found = model.retrieval_loss(
        outputs["ground"],
        outputs["satellite"],
        default=soft_margin_triplet_loss,
        gamma=1.0,
        scorer=model.scorer,
    )
    wanted = np.mean(np.logaddexp(0, margins))
    assert float(found) == pytest.approx(wanted, rel=1e-4)
    guessed = np.asarray(outputs["generated"][0])
    half = 0.5 * np.mean(np.sum((guessed - [0, 1]) ** 2, axis=1))
    found = generative_loss(outputs["generated"], outputs["targets"])
    assert float(found) == pytest.approx(half, rel=1e-5)
