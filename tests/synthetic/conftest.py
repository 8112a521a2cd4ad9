"""Hand-made maps with nothing on them but what a test puts there."""

import numpy as np
import pytest

from mgtl_tf.synthetic.town.appearance import Appearance
from mgtl_tf.synthetic.town.barriers import Poles
from mgtl_tf.synthetic.town.boxes import stack_boxes
from mgtl_tf.synthetic.town.canvas import blank_canvas
from mgtl_tf.synthetic.town.palette import Material
from mgtl_tf.synthetic.town.terrain import STEP_METRES, Terrain
from mgtl_tf.synthetic.town.vegetation import Trees
from mgtl_tf.synthetic.town.world import Lanes, TownMap, coarsen

SIDE = 320.0
CENTRE = np.array([160.0, 160.0])


def trees_of(rows):
    """Trees from dicts with `centre`, and what differs from a plain tree."""
    plain = {
        "base": 0.0,
        "radius": 2.0,
        "bottom": 2.5,
        "top": 8.0,
        "trunk": 0.2,
        "conifer": False,
        "colour": (80, 100, 50),
    }
    rows = [{**plain, **row} for row in rows]

    def column(name, *shape):
        values = [row[name] for row in rows]
        return np.asarray(values, np.float32).reshape(len(rows), *shape)

    return Trees(
        column("centre", 2),
        column("base"),
        column("radius"),
        column("bottom"),
        column("top"),
        column("trunk"),
        column("conifer").astype(bool),
        column("colour", 3),
    )


def no_poles():
    none = np.zeros(0, np.float32)
    pairs, colours = none.reshape(0, 2), none.reshape(0, 3)
    return Poles(pairs, none, none, none, colours)


@pytest.fixture
def bare_town():
    """A function: boxes (dicts) and trees (dicts) -> a flat, empty map."""

    def make(boxes=(), trees=()):
        canvas = blank_canvas(SIDE, 0.5)
        canvas.ground[:] = 128
        canvas.ground_material[:] = Material.ASPHALT
        canvas.lift_ground()
        cells = int(SIDE / STEP_METRES)
        flat = Terrain(np.zeros((cells, cells), np.float32), SIDE)
        lanes = Lanes(
            np.zeros((0, 2), np.float32),
            np.zeros((0, 2), np.float32),
            np.zeros(0, np.float32),
        )
        return TownMap(
            0,
            canvas,
            coarsen(canvas),
            flat,
            stack_boxes(list(boxes)),
            trees_of(list(trees)),
            no_poles(),
            lanes,
            np.zeros(360, np.float32),
            CENTRE[None],
        )

    return make


@pytest.fixture
def plain_day():
    """Even light, no tint, no noise, no haze."""
    return Appearance(
        np.array([0.0, -0.6, 0.8], np.float32),
        0.0,
        1.0,
        np.ones((len(Material), 3), np.float32),
        np.ones(3, np.float32),
        1.0,
        0.0,
        100,
        1e9,
        1.0,
    )
