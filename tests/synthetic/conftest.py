"""Hand-made maps with nothing on them but what a test puts there."""

import numpy as np
import pytest

from mgtl_tf.synthetic.cameras.light import Appearance
from mgtl_tf.synthetic.town.canvas import blank_canvas
from mgtl_tf.synthetic.town.style import MapStyle
from mgtl_tf.synthetic.town.terrain import STEP_METRES, Terrain
from mgtl_tf.synthetic.town.things import Material, Poles, Trees, stack_boxes
from mgtl_tf.synthetic.town.world import Lanes, TownMap, coarsen

SIDE = 320.0
CENTRE = np.array([160.0, 160.0])


def no_rows(kind, *widths):
    """A record of no things; widths of its columns, 0 for one number."""
    shapes = [(0, width) if width else (0,) for width in widths]
    return kind(*(np.zeros(shape, np.float32) for shape in shapes))


@pytest.fixture
def bare_town():
    """A function: boxes (dicts) -> a flat map of nothing else."""

    def make(boxes=()):
        canvas = blank_canvas(SIDE, 0.5)
        canvas.ground[:] = 128
        canvas.ground_material[:] = Material.ASPHALT
        canvas.lift_ground()
        cells = int(SIDE / STEP_METRES)
        return TownMap(
            0,
            canvas,
            coarsen(canvas),
            Terrain(np.zeros((cells, cells), np.float32), SIDE),
            stack_boxes(list(boxes)),
            no_rows(Trees, 2, 0, 0, 0, 0, 0, 0, 3),
            no_rows(Poles, 2, 0, 0, 0, 3),
            no_rows(Lanes, 2, 2, 0),
            np.zeros(360, np.float32),
            CENTRE[None],
            MapStyle(),
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
