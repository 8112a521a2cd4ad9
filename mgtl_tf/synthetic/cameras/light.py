"""Sunlight on a raster: slopes, and what stands in the sun's way."""

from __future__ import annotations

import cv2
import numpy as np

from mgtl_tf.synthetic.town.appearance import Appearance

# Metres at which the way to the sun is probed: close together near the
# ground point, where low things cast, wider where only houses reach up.
PROBES = [0.6, 1.2, 1.8, 2.5, 3.3, 4.2, 5.2, 6.4, 7.8, 9.4]
PROBES += [11.3, 13.5, 16.0, 19.0, 22.5, 26.5]


def shadows(
    casters: np.ndarray, receivers: np.ndarray | float, step: float, sun
) -> np.ndarray:
    """How much of the sun is hidden, float32 [H, W], 1 in the shade.

    Args:
        casters: float32 [H, W], height of the surface, metres.
        receivers: float32 [H, W], or one number: height of the lit points.
        step: metres a cell.
        sun: float32 [3], unit vector to the sun.
    """
    flat = float(np.hypot(sun[0], sun[1]))
    rise = float(sun[2]) / flat
    rows, columns = casters.shape
    blocked = casters.copy()
    for probe in PROBES:
        down = round(-float(sun[1]) / flat * probe / step)
        right = round(float(sun[0]) / flat * probe / step)
        if abs(down) >= rows or abs(right) >= columns:
            break
        target = blocked[_range(-down, rows), _range(-right, columns)]
        source = casters[_range(down, rows), _range(right, columns)]
        np.maximum(target, source - np.float32(probe * rise), out=target)
    hidden = (blocked - receivers) * np.float32(1.4) - np.float32(0.25)
    return np.clip(hidden, 0, 1, out=hidden)


def slope_light(height: np.ndarray, step: float, sun: np.ndarray) -> np.ndarray:
    """Lambert's cosine on a height raster, float32 [H, W], 0..1."""
    east = cv2.filter2D(height, -1, _EAST / np.float32(2 * step))
    north = cv2.filter2D(height, -1, _EAST.T / np.float32(-2 * step))
    # Sheer walls show no face from above: their gradient is no slope.
    np.clip(east, -1.2, 1.2, out=east)
    np.clip(north, -1.2, 1.2, out=north)
    length = cv2.sqrt(east * east + north * north + np.float32(1))
    cosine = sun[2] - east * sun[0] - north * sun[1]
    cosine /= length
    return np.maximum(cosine, 0, out=cosine)


def lit(
    colour: np.ndarray,
    material: np.ndarray,
    sunshine: np.ndarray,
    appearance: Appearance,
) -> np.ndarray:
    """Colour under the day's light and season, float32 [H, W, 3].

    Args:
        colour: uint8 [H, W, 3].
        material: uint8 [H, W].
        sunshine: float32 [H, W], cosine times the visible share of the sun.
        appearance: the day.
    """
    level = sunshine * np.float32(appearance.sunlight)
    level += np.float32(appearance.skylight)
    table = np.zeros((1, 256, 3), np.float32)
    table[0, : len(appearance.tints)] = appearance.tints
    tints = cv2.LUT(cv2.merge([material] * 3), table)
    return scaled(cv2.multiply(colour, tints, dtype=cv2.CV_32F), level)


def scaled(colours: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Colours float32 [..., 3] times level [...].

    NumPy takes six times as long to spread a level over three channels.
    """
    factor = cv2.merge([np.asarray(level, np.float32).reshape(-1, 1)] * 3)
    product = cv2.multiply(colours.reshape(-1, 1, 3), factor)
    return product.reshape(colours.shape)


def hazed(
    colours: np.ndarray, distance: np.ndarray, haze: np.ndarray, reach: float
) -> np.ndarray:
    """Colours float32 [..., 3] seen through metres [...] of air.

    Args:
        colours: of the things.
        distance: float32 [...], metres.
        haze: float32 [3], what they fade into.
        reach: metres at which 63 per cent of the way is done.
    """
    clear = np.exp(distance * np.float32(-1 / reach))
    own = scaled(colours, clear).reshape(-1, 1, 3)
    air = cv2.merge([(1 - clear).reshape(-1, 1) * part for part in haze])
    return cv2.add(own, air).reshape(colours.shape)


_EAST = np.array([[-1, 0, 1]], np.float32)


def _range(shift: int, count: int) -> slice:
    """The part of a range that stays inside it when shifted back."""
    return slice(max(shift, 0), count + min(shift, 0))
