"""One pair of pictures of a place, each view on its own day, with its cars."""

from __future__ import annotations

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras.render_aerial import render_aerial
from mgtl_tf.synthetic.cameras.render_ground import Pose, render_ground
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.appearance import draw_appearance
from mgtl_tf.synthetic.town.boxes import Boxes, Kind, join_boxes, stack_boxes
from mgtl_tf.synthetic.town.palette import CARS, pick
from mgtl_tf.synthetic.town.terrain import generator
from mgtl_tf.synthetic.town.world import TownMap

CLEAR_METRES = 1.2
TRIES = 16
# Last number of a generator's address, so that no two uses share one.
_POSE, _AERIAL, _GROUND = 2, 3, 4
REACH_METRES = 42.0
CAR_CLEAR_METRES = 7.0
GLASS = np.array([46, 52, 60], np.float32)


def draw_pose(settings: WorldSettings, town: TownMap, row: int) -> Pose:
    """Where the panorama camera of a place stands and looks.

    Args:
        settings: the bounds of both errors.
        town: the map.
        row: which of its places.
    """
    rng = generator(settings.seed, town.index, row, _POSE)
    turn = rng.uniform(settings.heading_error_min, settings.heading_error_max)
    heading = float(np.radians(turn) * rng.choice([-1.0, 1.0]))
    place = town.places[row]
    for _ in range(TRIES):
        reach = rng.uniform(
            settings.position_error_min, settings.position_error_max
        )
        angle = rng.uniform(0, 2 * np.pi)
        position = place + reach * np.array([np.cos(angle), np.sin(angle)])
        if _is_clear(town, position):
            break
    return Pose(position, heading)


def aerial_picture(
    settings: WorldSettings, town: TownMap, row: int
) -> tuple[np.ndarray, int]:
    """The aerial image of a place, uint8 [S, S, 3] RGB, and its quality."""
    rng = generator(settings.seed, town.index, row, _AERIAL)
    day = draw_appearance(rng, settings.appearance_change, settings.noise)
    centre = town.places[row]
    cars = draw_cars(rng, town, centre, settings.cars)
    image = render_aerial(town, centre, settings, day, cars, rng)
    return image, day.jpeg_quality


def ground_picture(
    settings: WorldSettings, town: TownMap, row: int
) -> tuple[np.ndarray, int]:
    """The panorama of a place, uint8 [H, W, 3] RGB, and its quality."""
    rng = generator(settings.seed, town.index, row, _GROUND)
    day = draw_appearance(rng, settings.appearance_change, settings.noise)
    pose = draw_pose(settings, town, row)
    cars = draw_cars(rng, town, pose.position, settings.cars)
    image = render_ground(town, pose, settings, day, cars, rng)
    return image, day.jpeg_quality


def as_jpeg(image: np.ndarray, quality: int) -> bytes:
    """JPEG bytes of an RGB image."""
    _, data = cv2.imencode(
        ".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    return data.tobytes()


def _is_clear(town: TownMap, position: np.ndarray) -> bool:
    """Whether no wall, trunk or pole is within CLEAR_METRES."""
    point = position.astype(np.float32)
    for things in (town.trees, town.poles):
        away = np.hypot(*(things.centre - point).T)
        if np.any(away < CLEAR_METRES):
            return False
    boxes = town.boxes
    east, north = (point - boxes.centre).T
    cosine, sine = np.cos(boxes.angle), np.sin(boxes.angle)
    along = np.abs(east * cosine + north * sine) - boxes.half[:, 0]
    across = np.abs(north * cosine - east * sine) - boxes.half[:, 1]
    return not np.any((along < CLEAR_METRES) & (across < CLEAR_METRES))


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
    near = np.flatnonzero((away < REACH_METRES) & (away > CAR_CLEAR_METRES))
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
