"""Colour and light of what a panorama shows: sky, facades, roofs, leaves."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras.light import Appearance
from mgtl_tf.synthetic.cameras.rays import Camera
from mgtl_tf.synthetic.cameras.spans import Part, Spans
from mgtl_tf.synthetic.town.terrain import octaves
from mgtl_tf.synthetic.town.things import Boxes, Kind, Material, Poles, Trees

GLASS = np.array([70, 82, 98], np.float32)
BARK = np.array([92, 74, 58], np.float32)
# Windows finer than rays would shimmer, so far facades show their mean.
WINDOW_REACH_METRES = 110.0
ZENITH = np.array([108, 150, 210], np.float32)
HORIZON = np.array([206, 220, 232], np.float32)
CLOUD = np.array([226, 227, 230], np.float32)
FAR_HILLS = np.array([116, 130, 138], np.float32)


def span_colours(
    spans: Spans, boxes: Boxes, trees: Trees, poles: Poles, day: Appearance
) -> np.ndarray:
    """The lit colour of each strip, float32 [M, 3]."""
    colour = np.empty((len(spans.part), 3), np.float32)
    rows = np.flatnonzero(spans.part == Part.SIDE)
    thing = spans.thing[rows]
    is_hedge = (boxes.kind[thing] == Kind.HEDGE)[:, None]
    tint = np.where(is_hedge, day.tints[Material.HEDGE], 1)
    colour[rows] = boxes.facade[thing] * tint
    rows = np.flatnonzero(spans.part == Part.ROOF)
    colour[rows] = boxes.roof[spans.thing[rows]] * day.tints[Material.ROOF]
    rows = np.flatnonzero(spans.part == Part.CROWN)
    conifer = trees.conifer[spans.thing[rows], None]
    season = np.where(
        conifer, day.tints[Material.CONIFER], day.tints[Material.LEAF]
    )
    colour[rows] = trees.colour[spans.thing[rows]] * season
    rows = np.flatnonzero(spans.part == Part.STEM)
    barks = np.broadcast_to(BARK, (len(trees.radius), 3))
    colour[rows] = np.concatenate([barks, poles.colour])[spans.thing[rows]]
    return colour * _light(spans, day)[:, None]


def glass_share(
    spans: Spans, boxes: Boxes, first: np.ndarray, height: np.ndarray
) -> np.ndarray:
    """How much of each facade's ray is window, float32 [K], 0..1.

    Args:
        spans, boxes: the strips, and what they are of.
        first: int [K], the strip of each ray, all of them sides of boxes.
        height: float32 [K], metres of the hit above the box's base.
    """
    thing = spans.thing[first]
    pitch, storey, share = boxes.window[thing].T
    is_house = boxes.kind[thing] == Kind.BUILDING
    pitch = np.where(is_house, pitch, 1)
    storey = np.where(is_house, storey, 1)
    floor = height / storey
    across = spans.across[first] / pitch
    in_row = np.abs(floor % 1 - np.float32(0.55)) < 0.24
    in_column = np.abs(across % 1 - np.float32(0.5)) < share / 2
    below_eaves = (height < boxes.eaves[thing]) & (height > 0)
    window = is_house & in_row & in_column & below_eaves
    sharp = 1 - np.minimum(spans.depth[first] / WINDOW_REACH_METRES, 1)
    mean = np.where(is_house & below_eaves, share * 0.48, 0)
    return (window * sharp + mean * (1 - sharp)).astype(np.float32)


def crown_light(
    spans: Spans, first: np.ndarray, share: np.ndarray, day: Appearance
) -> np.ndarray:
    """Light on crowns relative to their strips': bright towards the sun.

    Args:
        spans: the strips.
        first: int [K], the strip of each ray, all of them crowns.
        share: float32 [K], -1 at the strip's top .. 1 at its bottom.
        day: the sun.
    """
    across = spans.across[first]
    look_east, look_north = -spans.face_east[first], -spans.face_north[first]
    # The right-hand side of a viewer who looks (east, north).
    sideways = day.sun[0] * look_north - day.sun[1] * look_east
    facing = sideways * across - day.sun[2] * share * np.float32(0.8)
    level = np.float32(0.95) + np.float32(day.sunlight * 0.55) * facing
    return np.clip(level, 0.35, 1.6)


def _light(spans: Spans, day: Appearance) -> np.ndarray:
    """Light on each strip, float32 [M]."""
    facing = spans.face_east * day.sun[0] + spans.face_north * day.sun[1]
    upright = np.maximum(facing, 0)
    sloping = np.maximum(facing * 0.5 + day.sun[2] * 0.85, 0)
    level = np.where(spans.part == Part.ROOF, sloping, upright)
    level = np.where(spans.part == Part.CROWN, 0.45, level)
    return np.float32(day.skylight) + np.float32(day.sunlight) * level


def haze_colour(appearance: Appearance) -> np.ndarray:
    """What far things fade into, float32 [3]."""
    return HORIZON + (CLOUD - HORIZON) * np.float32(appearance.cloud)


def draw_sky(
    camera: Camera,
    rows: int,
    skyline: np.ndarray,
    appearance: Appearance,
    rng: np.random.Generator,
) -> np.ndarray:
    """The upper `rows` of a panorama of nothing, float32 [rows, columns, 3].

    `skyline`, float32 [360], is the elevation of the far hills by degree.
    """
    fine = camera.samples
    # Clouds are soft: one ray a pixel is enough, whatever the rest takes.
    camera = dataclasses.replace(camera, samples=1)
    wanted, rows = rows, -(-rows // fine)
    slopes = camera.slopes[:rows, None]
    up = np.clip(slopes / np.float32(0.7), 0, 1)[..., None]
    haze = haze_colour(appearance)
    clear = haze + (ZENITH - haze) * np.sqrt(up)
    cell = camera.columns / 9
    noise = octaves(rng, rows, camera.columns, [cell, cell / 3, cell / 9])
    cover = np.clip(noise * 0.5 + appearance.cloud * 2.4 - 0.9, 0, 1)
    sky = clear + (CLOUD - clear) * cover[..., None].astype(np.float32)
    degrees = np.degrees(camera.azimuths + camera.heading) % 360
    ridge = np.tan(skyline)[degrees.astype(np.int32) % 360]
    sky[slopes < ridge] = 0.5 * FAR_HILLS + 0.5 * haze
    if fine > 1:
        size = (camera.columns * fine, rows * fine)
        sky = cv2.resize(sky, size, interpolation=cv2.INTER_NEAREST)
    return sky[:wanted]
