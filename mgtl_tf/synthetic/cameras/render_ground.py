"""The view from the street: 360 degrees, north in the centre column."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras import shading
from mgtl_tf.synthetic.cameras import spans as strips
from mgtl_tf.synthetic.cameras.light import hazed, lit, shadows
from mgtl_tf.synthetic.cameras.rays import Rays, march
from mgtl_tf.synthetic.cameras.render_aerial import crop
from mgtl_tf.synthetic.cameras.spans import Part, Spans
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.town.appearance import Appearance, expose
from mgtl_tf.synthetic.town.boxes import Boxes, join_boxes
from mgtl_tf.synthetic.town.canvas import Canvas
from mgtl_tf.synthetic.town.world import TownMap

SIGHT_METRES = 140.0
NEAR_EXTENT_METRES = 44.0
FAR_EXTENT_METRES = 240.0
SHADOW_STEP_METRES = 0.5


@dataclasses.dataclass(frozen=True)
class Pose:
    """Where a panorama camera really stands and looks.

    Attributes:
        position: float64 [2], east and north, metres.
        heading: radians clockwise from north that the centre column looks
            at; 0 without a heading error.
    """

    position: np.ndarray
    heading: float


def render_ground(
    town: TownMap,
    pose: Pose,
    settings: WorldSettings,
    appearance: Appearance,
    cars: Boxes,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draws one panorama.

    Args:
        town: the map.
        pose: of the camera.
        settings: sizes.
        appearance: light, season and camera.
        cars: the cars of this view.
        rng: of the clouds and the sensor noise.

    Returns:
        uint8 [H, W, 3] RGB.
    """
    rays = Rays(
        settings.ground_height, settings.ground_width, settings.supersampling
    )
    floor = town.terrain.at(*pose.position[:, None])[0, 0]
    eye = np.append(pose.position, floor + settings.camera_height)
    eye = eye.astype(np.float32)
    depth = march(rays, pose.heading, town.terrain, eye)
    image = _backdrop(rays, town, pose, depth, appearance, rng)
    _add_obstacles(image, rays, town, pose, eye, depth, cars, appearance)
    size = (settings.ground_width, settings.ground_height)
    if rays.samples > 1:
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return expose(image, appearance, rng)


def _backdrop(
    rays: Rays,
    town: TownMap,
    pose: Pose,
    depth: np.ndarray,
    day: Appearance,
    rng: np.random.Generator,
) -> np.ndarray:
    """Sky, skyline and ground without obstacles, float32."""
    on_ground = np.isfinite(depth)
    ground_rows = np.flatnonzero(on_ground.any(1))
    sky_rows = np.flatnonzero(~on_ground.all(1))
    first = ground_rows[0] if len(ground_rows) else rays.rows
    image = np.empty((*depth.shape, 3), np.float32)
    image[first:] = _ground(rays, town, pose, depth[first:], day)
    count = sky_rows[-1] + 1 if len(sky_rows) else 0
    above = shading.draw_sky(rays, count, pose.heading, town.skyline, day, rng)
    image[:first] = above[:first]
    both = slice(first, count)
    if first < count:
        hidden = on_ground[both, :, None]
        image[both] = np.where(hidden, image[both], above[both])
    return image


def _ground(
    rays: Rays, town: TownMap, pose: Pose, depth: np.ndarray, day: Appearance
) -> np.ndarray:
    """Colour of the ground at distances [rows, columns], with haze."""
    looks = rays.azimuths + np.float32(pose.heading)
    reach = np.minimum(depth, np.float32(4 * FAR_EXTENT_METRES))
    east, north = reach * np.sin(looks), reach * np.cos(looks)
    far_step = town.coarse.step
    far = _lit_ground(town.coarse, pose, FAR_EXTENT_METRES, far_step, day)
    image = _look_up(far, east, north, far_step)
    # Only the rows below contain anything of the finer, nearer ground.
    inner = NEAR_EXTENT_METRES / 2
    rows = np.flatnonzero((reach < inner).any(1))
    if len(rows):
        part = slice(rows[0], None)
        step = town.canvas.step
        near = _lit_ground(town.canvas, pose, NEAR_EXTENT_METRES, step, day)
        fine = _look_up(near, east[part], north[part], step)
        is_near = (
            np.maximum(np.abs(east[part]), np.abs(north[part])) < inner - 1
        )
        image[part] = np.where(is_near[..., None], fine, image[part])
    return hazed(image, reach, shading.haze_colour(day), day.haze)


def _lit_ground(
    canvas: Canvas, pose: Pose, extent: float, step: float, day: Appearance
) -> np.ndarray:
    """A square of bare ground around the camera under the day's light."""
    centre = pose.position
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
    rays: Rays,
    town: TownMap,
    pose: Pose,
    eye: np.ndarray,
    depth: np.ndarray,
    cars: Boxes,
    day: Appearance,
) -> None:
    """Draws all that stands on the ground, in place."""
    boxes = join_boxes(_in_sight(town.boxes, eye), cars)
    trees, poles = _in_sight(town.trees, eye), _in_sight(town.poles, eye)
    spans = strips.join_spans(
        strips.box_spans(rays, pose.heading, boxes, eye),
        strips.tree_spans(rays, pose.heading, trees, eye),
        strips.stem_spans(rays, pose.heading, trees, poles, eye),
    )
    nearest = strips.paint_spans(rays, spans, depth)
    pixel = np.flatnonzero(nearest.ravel() >= 0)
    if not len(pixel):
        return
    first = nearest.ravel()[pixel]
    colours = shading.span_colours(spans, boxes, trees, poles, day)[first]
    row = pixel // rays.columns
    _detail(colours, rays, spans, first, row, boxes, eye, day)
    haze = shading.haze_colour(day)
    colours = hazed(colours, spans.depth[first], haze, day.haze)
    image.reshape(-1, 3)[pixel] = colours


def _detail(
    colours: np.ndarray,
    rays: Rays,
    spans: Spans,
    first: np.ndarray,
    row: np.ndarray,
    boxes: Boxes,
    eye: np.ndarray,
    day: Appearance,
) -> None:
    """Windows on facades and light on leaves, in place on colours [K, 3]."""
    part = spans.part[first]
    side = np.flatnonzero(part == Part.SIDE)
    hit = first[side]
    height = rays.slopes[row[side]] * spans.depth[hit] + eye[2]
    height -= boxes.base[spans.thing[hit]]
    share = shading.glass_share(spans, boxes, hit, height)[:, None]
    colours[side] += (shading.GLASS - colours[side]) * share
    crown = np.flatnonzero(part == Part.CROWN)
    hit = first[crown]
    span = spans.bottom[hit] - spans.top[hit]
    share = 2 * (row[crown] + np.float32(0.5) - spans.top[hit]) / span - 1
    level = shading.crown_light(spans, hit, share.astype(np.float32), day)
    leaf = strips.speckle(row[crown] * 8191 + spans.column[hit])
    level *= np.float32(0.86) + leaf * np.float32(0.28)
    colours[crown] *= level[:, None]


def _in_sight(things, eye: np.ndarray):
    """The things within sight of a camera."""
    away = things.centre - eye[:2]
    return things.take(np.flatnonzero(np.hypot(*away.T) < SIGHT_METRES))
