"""The view from the street: 360 degrees, north in the centre column."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras import shading
from mgtl_tf.synthetic.cameras import spans as strips
from mgtl_tf.synthetic.cameras.light import (
    Appearance,
    expose,
    hazed,
    lit,
    shadows,
)
from mgtl_tf.synthetic.cameras.rays import Camera, march
from mgtl_tf.synthetic.cameras.render_aerial import crop
from mgtl_tf.synthetic.cameras.spans import Part, Spans
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.canvas import Canvas
from mgtl_tf.synthetic.town.style import MapStyle
from mgtl_tf.synthetic.town.things import Boxes, Poles, Trees
from mgtl_tf.synthetic.town.world import TownMap

SIGHT_METRES = 140.0
NEAR_EXTENT_METRES = 44.0
FAR_EXTENT_METRES = 240.0
SHADOW_STEP_METRES = 0.5

_Things = TypeVar("_Things", Boxes, Trees, Poles)


class Pose(NamedTuple):
    """Where a panorama camera really stands and looks."""

    position: np.ndarray  # float64 [2], east and north, metres
    heading: float  # radians clockwise from north, of the centre column
    horizon: float = 0.5  # of the picture, as a share of its height


def render_ground(
    town: TownMap,
    pose: Pose,
    settings: WorldSettings,
    day: Appearance,
    cars: Boxes,
    rng: np.random.Generator,
) -> np.ndarray:
    """One panorama, uint8 [H, W, 3] RGB."""
    size = settings.ground_height, settings.ground_width
    camera = camera_of(town, pose, settings, settings.supersampling)
    depth = march(camera, town.terrain)
    image = _backdrop(camera, town, pose.position, depth, day, rng)
    _add_obstacles(image, camera, town, depth, cars, day)
    if camera.samples > 1:
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    return expose(image, day, rng)


def camera_of(
    town: TownMap, pose: Pose, settings: WorldSettings, samples: int
) -> Camera:
    """The camera of a panorama, with so many rays a pixel and axis."""
    floor = town.terrain.at(*pose.position[:, None])[0, 0]
    eye = np.append(pose.position, floor + settings.camera_height)
    return Camera(
        settings.ground_height,
        settings.ground_width,
        samples,
        eye.astype(np.float32),
        pose.heading,
        pose.horizon,
    )


def _backdrop(
    camera: Camera,
    town: TownMap,
    position: np.ndarray,
    depth: np.ndarray,
    day: Appearance,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sky, skyline and ground without obstacles, float32."""
    on_ground = np.isfinite(depth)
    ground_rows = np.flatnonzero(on_ground.any(1))
    sky_rows = np.flatnonzero(~on_ground.all(1))
    first = ground_rows[0] if len(ground_rows) else camera.rows
    image = np.empty((*depth.shape, 3), np.float32)
    image[first:] = _ground(camera, town, position, depth[first:], day)
    count = sky_rows[-1] + 1 if len(sky_rows) else 0
    above = shading.draw_sky(camera, count, town.skyline, day, rng)
    image[:first] = above[:first]
    if first < count:
        both = slice(first, count)
        hidden = on_ground[both, :, None]
        image[both] = np.where(hidden, image[both], above[both])
    return image


def _ground(
    camera: Camera,
    town: TownMap,
    position: np.ndarray,
    depth: np.ndarray,
    day: Appearance,
) -> np.ndarray:
    """Colour of the ground at distances [rows, columns], with haze."""
    reach = np.minimum(depth, np.float32(4 * FAR_EXTENT_METRES))
    east, north = (reach * part for part in camera.directions)
    far = _lit_ground(town.coarse, position, FAR_EXTENT_METRES, day)
    image = _look_up(far, east, north, town.coarse.step)
    # Only the rows below contain anything of the finer, nearer ground.
    inner = NEAR_EXTENT_METRES / 2
    rows = np.flatnonzero((reach < inner).any(1))
    if len(rows):
        part = slice(rows[0], None)
        near = _lit_ground(town.canvas, position, NEAR_EXTENT_METRES, day)
        fine = _look_up(near, east[part], north[part], town.canvas.step)
        offset = np.maximum(np.abs(east[part]), np.abs(north[part]))
        is_near = (offset < inner - 1)[..., None]
        image[part] = np.where(is_near, fine, image[part])
    return hazed(image, reach, shading.haze_colour(day), day.haze)


def _lit_ground(
    canvas: Canvas, centre: np.ndarray, extent: float, day: Appearance
) -> np.ndarray:
    """A square of bare ground around the camera under the day's light."""
    step = canvas.step
    coarse = max(step, SHADOW_STEP_METRES)
    casters = crop(canvas, canvas.height, centre, extent, coarse)
    sunshine = 1 - shadows(casters, 0.0, coarse, day.sun)
    sunshine *= day.sun[2]
    count = round(extent / step)
    if coarse != step:
        sunshine = cv2.resize(sunshine, (count, count))
    return lit(
        crop(canvas, canvas.ground, centre, extent, step),
        crop(canvas, canvas.ground_material, centre, extent, step),
        sunshine,
        day,
    )


def _look_up(
    patch: np.ndarray, east: np.ndarray, north: np.ndarray, step: float
) -> np.ndarray:
    """A patch's colours at metres from its centre, float32 [..., 3]."""
    middle = np.float32((patch.shape[0] - 1) / 2)
    column = east * np.float32(1 / step) + middle
    row = middle - north * np.float32(1 / step)
    return cv2.remap(
        patch, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )


def _add_obstacles(
    image: np.ndarray,
    camera: Camera,
    town: TownMap,
    depth: np.ndarray,
    cars: Boxes,
    day: Appearance,
) -> None:
    """Draws all that stands on the ground, in place."""
    spans, boxes, trees, poles = obstacles_of(camera, town, cars)
    nearest = strips.paint_spans(camera, spans, depth)
    pixel = np.flatnonzero(nearest.ravel() >= 0)
    if not len(pixel):
        return
    first = nearest.ravel()[pixel]
    colours = shading.span_colours(spans, boxes, trees, poles, day)[first]
    row = pixel // camera.columns
    _add_windows(colours, camera, spans, first, row, boxes)
    _light_crowns(colours, spans, first, row, day, town.style)
    haze = shading.haze_colour(day)
    colours = hazed(colours, spans.depth[first], haze, day.haze)
    image.reshape(-1, 3)[pixel] = colours


class Obstacles(NamedTuple):
    """All that stands in sight, and the strips that it shows."""

    spans: Spans
    boxes: Boxes
    trees: Trees
    poles: Poles


def obstacles_of(camera: Camera, town: TownMap, cars: Boxes) -> Obstacles:
    """What stands in a camera's sight, of a map and of the cars around."""
    boxes = Boxes.join(_in_sight(town.boxes, camera), cars)
    trees, poles = _in_sight(town.trees, camera), _in_sight(town.poles, camera)
    spans = strips.join_spans(
        strips.box_spans(camera, boxes),
        strips.tree_spans(camera, trees, town.style.leaf_clumps),
        strips.stem_spans(camera, trees, poles),
    )
    return Obstacles(spans, boxes, trees, poles)


def _add_windows(
    colours: np.ndarray,
    camera: Camera,
    spans: Spans,
    first: np.ndarray,
    row: np.ndarray,
    boxes: Boxes,
) -> None:
    """Windows on facades, in place on colours [K, 3]."""
    side = np.flatnonzero(spans.part[first] == Part.SIDE)
    hit = first[side]
    height = camera.slopes[row[side]] * spans.depth[hit] + camera.eye[2]
    height -= boxes.base[spans.thing[hit]]
    share = shading.glass_share(spans, boxes, hit, height)[:, None]
    colours[side] += (shading.GLASS - colours[side]) * share


def _light_crowns(
    colours: np.ndarray,
    spans: Spans,
    first: np.ndarray,
    row: np.ndarray,
    day: Appearance,
    style: MapStyle,
) -> None:
    """Light on leaves, in place on colours [K, 3]."""
    crown = np.flatnonzero(spans.part[first] == Part.CROWN)
    hit = first[crown]
    span = spans.bottom[hit] - spans.top[hit]
    share = 2 * (row[crown] + np.float32(0.5) - spans.top[hit]) / span - 1
    level = shading.crown_light(spans, hit, share.astype(np.float32), day)
    if style.leaf_clumps:
        leaf = strips.clumped(row[crown] + spans.thing[hit], spans.column[hit])
    else:
        leaf = strips.speckle(row[crown] * 8191 + spans.column[hit])
    contrast = style.leaf_contrast
    level *= np.float32(1 - contrast / 2) + leaf * np.float32(contrast)
    colours[crown] *= level[:, None]


def _in_sight(things: _Things, camera: Camera) -> _Things:
    away = things.centre - camera.eye[:2]
    return things.take(np.flatnonzero(np.hypot(*away.T) < SIGHT_METRES))
