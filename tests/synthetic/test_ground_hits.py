"""Rays against terrain: closed form on a plane, a dense march on hills."""

import numpy as np
import pytest

from mgtl_tf.synthetic.cameras.rays import LAST_METRES, Rays, march
from mgtl_tf.synthetic.town.terrain import STEP_METRES, Terrain, make_terrain

RAYS = Rays(48, 240, 1)


@pytest.mark.parametrize("height", [1.5, 2.2])
def test_level_ground_lies_at_height_over_slope(height):
    flat = Terrain(np.full((80, 80), 5, np.float32), 80 * STEP_METRES)
    depth = march(RAYS, 0.3, flat, np.array([160, 160, 5 + height]))
    down = RAYS.slopes < -height / LAST_METRES
    expected = -height / RAYS.slopes[down]
    assert np.allclose(depth[down], expected[:, None], rtol=1e-3)
    assert np.all(np.isinf(depth[RAYS.slopes > 0]))


def test_hills_agree_with_a_dense_march():
    terrain = make_terrain(np.random.default_rng(5), 640.0)
    steep = Terrain(terrain.heights * 2, terrain.side)
    floor = float(steep.at(np.array([320.0]), np.array([320.0]))[0, 0])
    eye = np.array([320.0, 320.0, floor + 2.0])
    depth = march(RAYS, 0.0, steep, eye)
    reach = np.arange(1, 300, 0.1)
    right = wrong = 0
    for column in range(0, RAYS.columns, 12):
        azimuth = RAYS.azimuths[column]
        ground = steep.at(
            eye[0] + reach * np.sin(azimuth), eye[1] + reach * np.cos(azimuth)
        )[0]
        for row in range(0, RAYS.rows, 3):
            under = ground >= eye[2] + reach * RAYS.slopes[row]
            exact = reach[np.argmax(under)] if under.any() else np.inf
            ours = depth[row, column]
            if exact == np.inf:
                agrees = ours > 250
            else:
                agrees = abs(ours - exact) < 0.05 * exact + 0.2
            right, wrong = right + agrees, wrong + (not agrees)
    assert right / (right + wrong) > 0.97
