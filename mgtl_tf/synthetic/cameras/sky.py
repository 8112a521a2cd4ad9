"""Sky, clouds and the far skyline."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from mgtl_tf.synthetic.cameras.rays import Rays
from mgtl_tf.synthetic.town.appearance import Appearance
from mgtl_tf.synthetic.town.noise import octaves

ZENITH = np.array([108, 150, 210], np.float32)
HORIZON = np.array([206, 220, 232], np.float32)
CLOUD = np.array([226, 227, 230], np.float32)
FAR_HILLS = np.array([116, 130, 138], np.float32)


def haze_colour(appearance: Appearance) -> np.ndarray:
    """What far things fade into, float32 [3]."""
    return HORIZON + (CLOUD - HORIZON) * np.float32(appearance.cloud)


def draw_sky(
    rays: Rays,
    rows: int,
    heading: float,
    skyline: np.ndarray,
    appearance: Appearance,
    rng: np.random.Generator,
) -> np.ndarray:
    """The upper rows of a panorama as if nothing stood on the ground.

    Args:
        rays: of the panorama.
        rows: how many rows from the top.
        heading: azimuth, radians, that the centre column really looks at.
        skyline: float32 [360], elevation of the far hills by degree.
        appearance: the day.
        rng: of the clouds.

    Returns:
        float32 [rows, columns, 3].
    """
    fine = rays.samples
    # Clouds are soft: one ray a pixel is enough, whatever the rest takes.
    rays = dataclasses.replace(rays, samples=1)
    wanted, rows = rows, -(-rows // fine)
    slopes = rays.slopes[:rows, None]
    up = np.clip(slopes / np.float32(0.7), 0, 1)[..., None]
    haze = haze_colour(appearance)
    clear = haze + (ZENITH - haze) * np.sqrt(up)
    cell = rays.columns / 9
    noise = octaves(rng, rows, rays.columns, [cell, cell / 3, cell / 9])
    cover = np.clip(noise * 0.5 + appearance.cloud * 2.4 - 0.9, 0, 1)
    sky = clear + (CLOUD - clear) * cover[..., None].astype(np.float32)
    degrees = np.degrees(rays.azimuths + heading) % 360
    ridge = np.tan(skyline)[degrees.astype(np.int32) % 360]
    hills = 0.5 * FAR_HILLS + 0.5 * haze
    sky[slopes < ridge] = hills
    if fine > 1:
        size = (rays.columns * fine, rows * fine)
        sky = cv2.resize(sky, size, interpolation=cv2.INTER_NEAREST)
    return sky[:wanted]
