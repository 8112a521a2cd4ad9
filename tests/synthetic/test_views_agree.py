"""Both views of one place show the same streets in the same columns."""

import dataclasses

import numpy as np
import pytest

from mgtl_tf.synthetic.cameras.render_aerial import render_aerial
from mgtl_tf.synthetic.cameras.render_ground import Pose, render_ground
from mgtl_tf.synthetic.pairs import draw_pose
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.things import Material, stack_boxes
from mgtl_tf.synthetic.town.world import coarsen, make_map
from polar.transform import polar_transform

PAVED = (
    Material.ASPHALT,
    Material.PAVING,
    Material.GRAVEL,
    Material.MARKING,
)


@pytest.fixture(scope="module")
def street_map():
    """A map on which streets are white and nothing else is there."""
    town = make_map(WorldSettings(seed=11), 0, 60)
    canvas = town.canvas
    paved = np.isin(canvas.ground_material, PAVED)
    canvas.ground[:] = paved[..., None] * np.uint8(255)
    canvas.ground_material[:] = Material.CAR
    canvas.height[:] = 0
    canvas.lift_ground()
    nothing = np.zeros(0, int)
    return dataclasses.replace(
        town,
        coarse=coarsen(canvas),
        terrain=dataclasses.replace(
            town.terrain, heights=np.zeros_like(town.terrain.heights)
        ),
        boxes=town.boxes.take(nothing),
        trees=town.trees.take(nothing),
        poles=town.poles.take(nothing),
    )


def best_shift(town, place, pose, day):
    """Columns of 320 by which the panorama fits the polar view best."""
    settings, none = WorldSettings(supersampling=1), stack_boxes([])
    rng = np.random.default_rng(0)
    above = render_aerial(town.canvas, place, settings, day, none, rng)
    polar = polar_transform(above, 64, 320)[..., 0].astype(float)
    seen = render_ground(town, pose, settings, day, none, rng)[..., 0]
    # Metres from 6 to 24: what both views resolve.
    far = polar[12:51].mean(0)
    near = seen[37:51].astype(float).mean(0)
    scores = [
        np.corrcoef(np.roll(near, shift), far)[0, 1] for shift in range(320)
    ]
    shift = int(np.argmax(scores))
    return shift - 320 if shift > 160 else shift


def test_streets_stand_in_the_same_columns(street_map, plain_day):
    shifts = [
        best_shift(street_map, place, Pose(place, 0.0), plain_day)
        for place in street_map.places[::2]
    ]
    assert np.mean(np.abs(shifts) <= 2) >= 0.9


def test_errors_of_pose_move_streets_by_little(street_map, plain_day):
    settings = WorldSettings(seed=11)
    shifts = [
        best_shift(
            street_map,
            street_map.places[row],
            draw_pose(settings, street_map, row),
            plain_day,
        )
        for row in range(0, 60, 2)
    ]
    assert np.mean(np.abs(shifts) <= 12) >= 0.75
    assert np.mean(np.abs(shifts)) > 0.5
