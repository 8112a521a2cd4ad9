"""The panorama against closed forms and a brute-force ray caster."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mgtl_tf.synthetic.cameras import spans as strips
from mgtl_tf.synthetic.cameras.rays import Camera
from mgtl_tf.synthetic.cameras.render_ground import Pose, render_ground
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.things import Kind, Trees, stack_boxes

CENTRE = np.array([160.0, 160.0])
RAYS = Camera(64, 320, 1, np.array([160.0, 160.0, 2.0], np.float32))
RED = (250, 10, 10)


def standing_at(bearing, distance):
    angle = np.radians(bearing)
    return CENTRE + distance * np.array([np.sin(angle), np.cos(angle)])


def wall(bearing, distance, half=(2.0, 0.2), eaves=9.0, **more):
    """A slab seen square-on."""
    return {
        "centre": standing_at(bearing, distance),
        "half": half,
        "angle": -np.radians(bearing),
        "eaves": eaves,
        "kind": Kind.WALL,
        "facade": RED,
        "roof": RED,
        **more,
    }


def red_pixels(town, day, heading=0.0):
    settings = WorldSettings(camera_height=2.0, supersampling=1)
    pose, none = Pose(CENTRE, heading), stack_boxes([])
    rng = np.random.default_rng(0)
    image = render_ground(town, pose, settings, day, none, rng).astype(int)
    return (image[..., 0] > 150) & (image[..., 1] < 60)


def first_hits(boxes):
    spans = strips.join_spans(strips.box_spans(RAYS, boxes))
    sky = np.full((RAYS.rows, RAYS.columns), np.inf, np.float32)
    first = strips.paint_spans(RAYS, spans, sky)
    return np.where(first >= 0, np.append(spans.thing, -1)[first], -1)


@pytest.mark.parametrize("bearing", [0, 31, 90, 180, 222, 270, 345])
@pytest.mark.parametrize("distance", [6.0, 15.0, 60.0])
def test_a_tower_is_in_the_column_of_its_bearing_and_the_row_of_its_top(
    bare_town, plain_day, bearing, distance
):
    red = red_pixels(bare_town([wall(bearing, distance + 0.2)]), plain_day)
    columns = np.flatnonzero(red.any(0))
    wanted = (bearing / 360 * 320 + 160) % 320
    off = (columns - wanted + 160) % 320 - 160
    half = np.degrees(np.arctan(2 / distance)) / (360 / 320)
    assert off.max() == pytest.approx(half, abs=1.01)
    assert off.min() == pytest.approx(-half, abs=1.01)
    middle = red[:, round(wanted) % 320]
    top = 32 - np.degrees(np.arctan(7 / distance)) / (360 / 320)
    foot = 32 + np.degrees(np.arctan(2 / distance)) / (360 / 320)
    rows = np.flatnonzero(middle)
    assert rows[0] == pytest.approx(max(top, 0), abs=1.01)
    assert rows[-1] + 1 == pytest.approx(foot, abs=1.01)
    assert len(rows) == rows[-1] - rows[0] + 1


def test_heading_error_moves_everything_the_other_way(bare_town, plain_day):
    town = bare_town([wall(0, 15.0, half=(0.5, 0.2))])
    for turn in (-9.0, 9.0):
        red = red_pixels(town, plain_day, np.radians(turn))
        seen = np.flatnonzero(red.any(0)).mean()
        assert seen == pytest.approx(160 - turn * 320 / 360, abs=1)


def test_a_wall_hides_what_is_behind_it():
    near = wall(40, 6, half=(4.0, 0.2), eaves=4.0)
    low = wall(40, 20, half=(2.0, 1.0), eaves=4.0)
    tall = wall(40, 30, half=(2.0, 1.0), eaves=30.0)
    seen = first_hits(stack_boxes([low, near, tall]))
    assert not np.any(seen == 0)
    assert np.any(seen == 1)
    column = round(40 / 360 * 320 + 160)
    rows = np.flatnonzero(seen[:, column] == 2)
    assert rows[-1] < np.flatnonzero(seen[:, column] == 1)[0]


def brute_force(boxes):
    """First box on each ray, stepping along it 2 cm at a time."""
    reach = np.arange(0.5, 60, 0.02)
    hits = np.full((RAYS.rows, RAYS.columns), -1)
    for column in range(0, RAYS.columns, 8):
        azimuth = float(RAYS.azimuths[column])
        point = CENTRE + reach[:, None] * [np.sin(azimuth), np.cos(azimuth)]
        heights = np.zeros((len(boxes), len(reach)))
        for n in range(len(boxes)):
            east, north = (point - boxes.centre[n]).T
            c, s = np.cos(boxes.angle[n]), np.sin(boxes.angle[n])
            u, v = east * c + north * s, north * c - east * s
            inside = (abs(u) <= boxes.half[n, 0]) & (abs(v) <= boxes.half[n, 1])
            roof = boxes.rise[n] * (1 - abs(v) / boxes.half[n, 1])
            heights[n] = np.where(inside, boxes.eaves[n] + roof, -9)
        for row in range(RAYS.rows):
            z = 2 + reach * RAYS.slopes[row]
            under = (heights >= z) & (z >= 0)
            if under.any():
                step = np.argmax(under.any(0))
                hits[row, column] = np.argmax(under[:, step])
    return hits


@hypothesis_settings(max_examples=6)
@given(st.integers(0, 10_000))
def test_boxes_agree_with_a_brute_force_ray_caster(seed):
    rng = np.random.default_rng(seed)
    rows = [
        {
            "centre": standing_at(60 * n + rng.uniform(-9, 9), distance),
            "half": rng.uniform(1, 4, 2),
            "angle": rng.uniform(0, 6.3),
            "eaves": rng.uniform(1, 9),
            "rise": rng.uniform(0, 4) * (n % 2),
        }
        for n in range(6)
        for distance in (rng.uniform(9, 14), rng.uniform(25, 40))
    ]
    boxes = stack_boxes(rows)
    ours, exact = first_hits(boxes), brute_force(boxes)
    columns = slice(0, RAYS.columns, 8)
    # Below the ground line our walls go on; the terrain hides that part.
    above = np.ones((RAYS.rows, 1), bool)
    above[RAYS.slopes < 0] = False
    same = (ours == exact)[:, columns] | ~above
    assert same.mean() > 0.985


@pytest.mark.parametrize("conifer", [False, True])
@pytest.mark.parametrize("distance", [4.0, 12.0, 45.0])
def test_a_crown_stands_on_its_trunk(conifer, distance, bare_town):
    centre = standing_at(70, distance)[None].astype(np.float32)
    sizes = np.array([[0.0], [2.0], [2.5], [8.0], [0.2]], np.float32)
    colour = np.zeros((1, 3), np.float32)
    trees = Trees(centre, *sizes, np.array([conifer]), colour)
    poles = bare_town().poles
    spans = strips.join_spans(
        strips.tree_spans(RAYS, trees),
        strips.stem_spans(RAYS, trees, poles),
    )
    sky = np.full((RAYS.rows, RAYS.columns), np.inf, np.float32)
    seen = strips.paint_spans(RAYS, spans, sky) >= 0
    column = round(70 / 360 * 320 + 160) % 320
    rows = np.flatnonzero(seen[:, column])
    assert len(rows) == rows[-1] - rows[0] + 1
    foot = 32 + np.degrees(np.arctan(2 / distance)) / (360 / 320)
    assert rows[-1] + 1 >= min(foot, 64) - 1
    wide = np.flatnonzero(seen.any(0))
    exact = 2 * np.degrees(np.arcsin(2 / distance)) / (360 / 320)
    assert len(wide) == pytest.approx(exact, abs=2.5)


def test_ground_pixels_beyond_an_obstacle_only(bare_town, plain_day):
    boxes = stack_boxes([wall(0, 20)])
    spans = strips.join_spans(strips.box_spans(RAYS, boxes))
    near_ground = np.full((RAYS.rows, RAYS.columns), 10, np.float32)
    assert np.all(strips.paint_spans(RAYS, spans, near_ground) == -1)
