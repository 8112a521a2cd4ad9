"""Where the rays of a panorama meet the terrain."""

from __future__ import annotations

import numpy as np

from mgtl_tf.synthetic.cameras.rays import Rays
from mgtl_tf.synthetic.town.terrain import Terrain

FIRST_METRES = 1.0
LAST_METRES = 360.0
MARCH_STEPS = 44


def march(
    rays: Rays, heading: float, terrain: Terrain, eye: np.ndarray
) -> np.ndarray:
    """Marches all columns over the height raster at once.

    Along a column the slope to the highest ground so far only rises, so the
    number of steps that lie below a ray says where the ray lands.

    Args:
        rays: of the panorama.
        heading: azimuth, radians, that the centre column really looks at.
        terrain: the height raster.
        eye: float [3], the camera (east, north, height).

    Returns:
        float32 [rows, columns], metres to the ground, inf where the ray
        meets none.
    """
    steps = np.geomspace(FIRST_METRES, LAST_METRES, MARCH_STEPS)
    reach = steps.astype(np.float32)[:, None]
    looks = rays.azimuths + np.float32(heading)
    east = eye[0] + reach * np.sin(looks)
    north = eye[1] + reach * np.cos(looks)
    slope = (terrain.at(east, north) - np.float32(eye[2])) / reach
    horizon = np.maximum.accumulate(slope, axis=0)
    passed = _steps_below(rays, horizon)
    return _between(rays, horizon, reach[:, 0], passed)


def _steps_below(rays: Rays, horizon: np.ndarray) -> np.ndarray:
    """How many steps of [K, columns] each ray passes over, int32."""
    first_hit = rays.first_row_below(horizon)
    address = first_hit * rays.columns + np.arange(rays.columns)
    cells = (rays.rows + 1) * rays.columns
    count = np.bincount(address.ravel(), minlength=cells).astype(np.int32)
    started = count.reshape(-1, rays.columns)
    return len(horizon) - np.cumsum(started, axis=0, dtype=np.int32)[:-1]


def _between(
    rays: Rays, horizon: np.ndarray, reach: np.ndarray, steps: np.ndarray
) -> np.ndarray:
    """Distances, linear in 1 / distance between two steps.

    On level ground slope is -height / distance, so this is exact there.
    """
    last = len(horizon) - 1
    distance = np.full(steps.shape, np.inf, np.float32)
    # Half of the rows see nothing but sky: leave them out.
    first = int(np.argmax((steps <= last).any(1)))
    steps, slopes = steps[first:], rays.slopes[first:, None]
    column = np.arange(rays.columns, dtype=np.int32)
    after = np.minimum(steps, last)
    before = np.maximum(after - 1, 0)
    low = np.take(horizon, before * rays.columns + column)
    high = np.take(horizon, after * rays.columns + column)
    inverse = 1 / reach
    gap = np.maximum(high - low, np.float32(1e-7))
    share = np.clip((slopes - low) / gap, 0, 1)
    near, far = np.take(inverse, before), np.take(inverse, after)
    hit = 1 / (near + share * (far - near))
    hit[steps > last] = np.inf
    distance[first:] = hit
    return distance
