"""One pair of pictures of a place, each view on its own day, with its cars."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras.label_aerial import label_aerial
from mgtl_tf.synthetic.cameras.label_ground import label_ground
from mgtl_tf.synthetic.cameras.light import draw_appearance
from mgtl_tf.synthetic.cameras.render_aerial import render_aerial
from mgtl_tf.synthetic.cameras.render_ground import Pose, render_ground
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.streets import left_of
from mgtl_tf.synthetic.town.terrain import generator
from mgtl_tf.synthetic.town.things import CARS, Boxes, Kind, pick, stack_boxes
from mgtl_tf.synthetic.town.world import TownMap

CLEAR_METRES = 1.2
TRIES = 16
# Last number of a generator's address, so that no two uses share one.
_POSE, _AERIAL, _GROUND, _FRAME = 2, 3, 4, 5
REACH_METRES = 42.0
CAR_CLEAR_METRES = 7.0
GLASS = np.array([46, 52, 60], np.float32)


def draw_pose(settings: WorldSettings, town: TownMap, row: int) -> Pose:
    """Where the panorama camera of a place stands and looks."""
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
    return Pose(position, heading, _frame(settings, town, row)[0])


def aerial_picture(settings: WorldSettings, town: TownMap, row: int) -> bytes:
    """The aerial image of a place, as JPEG."""
    return as_jpeg(*_aerial_image(settings, town, row))


def aerial_tile(settings: WorldSettings, town: TownMap, row: int) -> bytes:
    """The same as PNG."""
    image = _aerial_image(settings, town, row)[0]
    return cv2.imencode(".png", image[..., ::-1])[1].tobytes()


def _aerial_image(
    settings: WorldSettings, town: TownMap, row: int
) -> tuple[np.ndarray, int]:
    """RGB uint8 [S, S, 3], and the quality of its JPEG."""
    rng = generator(settings.seed, town.index, row, _AERIAL)
    day = draw_appearance(rng, settings.appearance_change, settings.noise)
    centre = town.places[row]
    cars = draw_cars(rng, town, centre, settings.cars)
    extent = _frame(settings, town, row)[1]
    wanted = dataclasses.replace(settings, aerial_metres=extent)
    image = render_aerial(town.canvas, centre, wanted, day, cars, rng)
    return image, day.jpeg_quality


def _frame(
    settings: WorldSettings, town: TownMap, row: int
) -> tuple[float, float]:
    """The horizon of a place's panorama and the metres of its aerial image."""
    rng = generator(settings.seed, town.index, row, _FRAME)
    horizon = rng.uniform(settings.horizon_min, settings.horizon_max)
    least = settings.aerial_metres_min or settings.aerial_metres
    return float(horizon), float(rng.uniform(least, settings.aerial_metres))


def ground_picture(settings: WorldSettings, town: TownMap, row: int) -> bytes:
    """The panorama of a place, as JPEG."""
    rng = generator(settings.seed, town.index, row, _GROUND)
    day = draw_appearance(rng, settings.appearance_change, settings.noise)
    pose = draw_pose(settings, town, row)
    cars = draw_cars(rng, town, pose.position, settings.cars)
    image = render_ground(town, pose, settings, day, cars, rng)
    return as_jpeg(image, day.jpeg_quality)


def label_picture(settings: WorldSettings, town: TownMap, row: int) -> bytes:
    """The classes of a panorama's pixels, as PNG; see `label_ground`."""
    rng = generator(settings.seed, town.index, row, _GROUND)
    draw_appearance(rng, settings.appearance_change, settings.noise)
    pose = draw_pose(settings, town, row)
    # The draws of `ground_picture`, so that the cars are the same.
    cars = draw_cars(rng, town, pose.position, settings.cars)
    labels = label_ground(town, pose, settings, cars)
    return cv2.imencode(".png", labels)[1].tobytes()


def aerial_label_picture(
    settings: WorldSettings, town: TownMap, row: int
) -> bytes:
    """The classes of an aerial image's pixels, as PNG; see `label_aerial`."""
    rng = generator(settings.seed, town.index, row, _AERIAL)
    draw_appearance(rng, settings.appearance_change, settings.noise)
    centre = town.places[row]
    # The draws of `_aerial_image`, so that the cars are the same.
    cars = draw_cars(rng, town, centre, settings.cars)
    extent = _frame(settings, town, row)[1]
    wanted = dataclasses.replace(settings, aerial_metres=extent)
    labels = label_aerial(town.canvas, centre, wanted, cars)
    return cv2.imencode(".png", labels)[1].tobytes()


def as_jpeg(image: np.ndarray, quality: int) -> bytes:
    """JPEG bytes of an RGB image."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return cv2.imencode(".jpg", image[..., ::-1], options)[1].tobytes()


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
    """Bodies, then cabins, of about `mean` cars around a camera at `centre`."""
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
    middle = lanes.points[chosen] + left_of(tangents) * offset[:, None] * side
    angle = np.arctan2(tangents[:, 1], tangents[:, 0])
    base = town.terrain.at(middle[:, 0], middle[:, 1])[0]
    paint = pick(rng, CARS, count, 0.06)
    cars = [
        {"centre": c, "angle": a, "base": b, "roof": p, "kind": Kind.CAR}
        for c, a, b, p in zip(middle, angle, base, paint, strict=True)
    ]
    body = {"half": (2.1, 0.9), "eaves": 0.95}
    cabin = {"half": (1.15, 0.78), "eaves": 1.5, "facade": GLASS}
    bodies = [{**car, **body, "facade": car["roof"]} for car in cars]
    return stack_boxes(bodies + [{**car, **cabin} for car in cars])
