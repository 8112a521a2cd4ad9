"""Cars: there when one camera came by, gone when the other did."""

from __future__ import annotations

import numpy as np

from mgtl_tf.synthetic.town.boxes import Boxes, Kind, join_boxes, stack_boxes
from mgtl_tf.synthetic.town.palette import CARS, pick
from mgtl_tf.synthetic.town.world import TownMap

REACH_METRES = 42.0
CLEAR_METRES = 7.0
GLASS = np.array([46, 52, 60], np.float32)


def draw_cars(
    rng: np.random.Generator, town: TownMap, centre: np.ndarray, mean: float
) -> Boxes:
    """Bodies and cabins of the cars around one camera.

    Args:
        rng: the view's own chances.
        town: the map.
        centre: float [2], the camera; it keeps 7 m free around it.
        mean: how many cars on average.

    Returns:
        boxes: all bodies, then all cabins.
    """
    lanes = town.lanes
    away = np.hypot(*(lanes.points - np.asarray(centre, np.float32)).T)
    near = np.flatnonzero((away < REACH_METRES) & (away > CLEAR_METRES))
    count = min(int(rng.poisson(mean)), len(near) // 4)
    if count == 0:
        return stack_boxes([])
    # Every fourth point at most, so that no car stands in another one.
    chosen = rng.choice(near[::4], size=count, replace=False)
    side = rng.choice([-1.0, 1.0], count)[:, None]
    parked = rng.random(count) < 0.5
    offset = np.where(parked, lanes.half_width[chosen] - 1.0, 1.7)
    offset = np.minimum(offset, lanes.half_width[chosen] - 0.9)
    tangents = lanes.tangents[chosen]
    normals = np.stack([-tangents[:, 1], tangents[:, 0]], 1)
    middle = lanes.points[chosen] + normals * offset[:, None] * side
    angle = np.arctan2(tangents[:, 1], tangents[:, 0])
    base = town.terrain.at(middle[:, 0], middle[:, 1])[0]
    paint = pick(rng, CARS, count, 0.06)
    body = _boxes(middle, (2.1, 0.9), angle, base, 0.95, paint, paint)
    glass = np.broadcast_to(GLASS, paint.shape)
    cabin = _boxes(middle, (1.15, 0.78), angle, base, 1.5, glass, paint)
    return join_boxes(body, cabin)


def _boxes(centre, half, angle, base, eaves, facade, roof) -> Boxes:
    """Boxes of one size."""
    count = len(centre)
    return Boxes(
        centre.astype(np.float32),
        np.tile(np.asarray(half, np.float32), (count, 1)),
        angle.astype(np.float32),
        base.astype(np.float32),
        np.full(count, eaves, np.float32),
        np.zeros(count, np.float32),
        np.asarray(facade, np.float32),
        np.asarray(roof, np.float32),
        np.full(count, int(Kind.CAR), np.int32),
        np.zeros((count, 3), np.float32),
    )
