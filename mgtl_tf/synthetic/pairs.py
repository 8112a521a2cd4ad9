"""One pair of pictures of a place, each view on its own day."""

from __future__ import annotations

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras.render_aerial import render_aerial
from mgtl_tf.synthetic.cameras.render_ground import Pose, render_ground
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.appearance import draw_appearance
from mgtl_tf.synthetic.town.cars import draw_cars
from mgtl_tf.synthetic.town.noise import generator
from mgtl_tf.synthetic.town.world import TownMap

CLEAR_METRES = 1.2
TRIES = 16
# Last number of a generator's address, so that no two uses share one.
_POSE, _AERIAL, _GROUND = 2, 3, 4


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
