"""Places: how far apart they are, and how far cameras stray from them."""

import numpy as np
import pytest

from mgtl_tf.synthetic.pairs import CLEAR_METRES, draw_pose
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.world import (
    MARGIN_METRES,
    choose,
    make_map,
    without_isolated,
)


def nearest(places):
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1)
    np.fill_diagonal(apart, np.inf)
    return apart.min(1)


@pytest.mark.parametrize("seed, count", [(0, 2), (1, 57), (2, 140)])
def test_every_place_has_its_nearest_one_6_to_12_metres_away(seed, count):
    settings = WorldSettings(seed=seed, metres_per_pixel=1.0)
    town = make_map(settings, 0, count)
    assert town.places.shape == (count, 2)
    gaps = nearest(town.places)
    assert gaps.min() >= 6 and gaps.max() <= 12
    assert town.places.min() >= MARGIN_METRES
    assert town.places.max() <= town.canvas.side - MARGIN_METRES


def test_cameras_stray_within_the_bounds_and_never_into_a_wall():
    settings = WorldSettings(seed=4, metres_per_pixel=1.0)
    town = make_map(settings, 1, 60)
    tall = np.concatenate([town.trees.centre, town.poles.centre])
    blocked = 0
    for row, place in enumerate(town.places):
        pose = draw_pose(settings, town, row)
        error = np.hypot(*(pose.position - place))
        assert 1 - 1e-9 <= error <= 3 + 1e-9
        assert 1 <= abs(np.degrees(pose.heading)) <= 3
        gap = np.hypot(*(tall - pose.position).T).min()
        blocked += gap < CLEAR_METRES - 1e-3
    assert blocked <= 1
    headings = [draw_pose(settings, town, row).heading for row in range(60)]
    assert 10 < np.sum(np.array(headings) > 0) < 50


def test_isolated_places_go_and_leave_no_isolated_ones():
    line = np.array([[0.0, 0], [8, 0], [30, 0], [50, 0], [58, 0]])
    kept = without_isolated(line, 12.0)
    assert kept.tolist() == [[0, 0], [8, 0], [50, 0], [58, 0]]
    assert len(without_isolated(line[2:3], 12.0)) == 0


def test_choose_takes_as_many_as_asked_without_orphans():
    line = np.array([[0.0, 0], [8, 0], [30, 0], [38, 0], [50, 0]])
    assert len(choose(line, 2, 12.0)) == 2
    assert len(choose(line, 3, 12.0)) in (0, 2, 3)
    assert nearest(choose(line, 4, 12.0)).max() <= 12
