"""One crop of a map: resampled so that north is up and metres are metres.

Its frame is the azimuthal equidistant projection around its centre, in which
sheets of any coordinate system meet.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
from scipy.interpolate import RectBivariateSpline

from mgtl_tf.galleries.sources import NoData
from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.map import Map, Sheets, Window
from mgtl_tf.utils.geodesy import move

# Places a side of a crop that are projected; between them, cubic splines
# are exact to far less than a pixel.
_KNOTS = 9
# Of a map's pixels more in one of a crop's, without taking their mean.
_TOO_FEW = 0.25
_RADIUS = 3


class Crop(NamedTuple):
    """What was cut.

    Attributes:
        pixels: RGB uint8 [S, S, 3], north up; missing ones are inpainted.
        missing: how many pixels were missing.
    """

    pixels: np.ndarray
    missing: int


def cut_crop(
    sheets: Sheets, centre: tuple[float, float], settings: CropSettings
) -> Crop:
    """The crop around a place.

    Args:
        sheets: the map.
        centre: latitude and longitude, degrees.
        settings: of the crop.

    Raises:
        NoData: where the map has none under all or more than
            `settings.most_missing` of it.
        LeftOut: where the map is damaged there.
    """
    pixels = np.zeros((settings.size, settings.size, 3), np.uint8)
    missing = np.ones((settings.size, settings.size), bool)
    knots = settings.crop_metres * np.linspace(-0.5, 0.5, _KNOTS)
    places = move(np.array(centre), knots[None, :], knots[:, None])
    for number in sheets.near(places.reshape(-1, 2)):
        sheet = sheets.opened(number)
        found = _resampled(sheet, sheet.to_pixels(places), settings.size)
        if found is not None:
            wanted = missing & (found[..., 3] >= 127)
            pixels[wanted] = found[wanted, :3]
            missing &= ~wanted
        if not missing.any():
            break
    if missing.all():
        raise NoData("no data in the map")
    if missing.mean() > settings.most_missing:
        raise NoData("no data in a part of it")
    return Crop(inpainted(pixels, missing), int(missing.sum()))


def _resampled(area: Map, points: np.ndarray, size: int) -> np.ndarray | None:
    """What a sheet has of a crop: RGBA uint8 [S, S, 4], or None.

    Args:
        area: the sheet.
        points: its columns and rows at the crop's knots, [K, K, 2]; from
            south to north, from west to east.
        size: S.
    """
    if not np.isfinite(points).all():
        return None
    low, high = points.min(axis=(0, 1)), points.max(axis=(0, 1))
    finer = float((high - low).min()) / size
    margin = 2 + 2 * (high - low) / size  # What a kernel takes from beyond.
    limits = area.width, area.height
    left, top = np.maximum(low - margin, 0).astype(int).tolist()
    right, bottom = (
        np.minimum(np.ceil(high + margin), limits).astype(int).tolist()
    )
    if left >= right or top >= bottom:
        return None
    window = area.read(left, top, right, bottom, finer)
    if not window.pixels[..., 3].any():
        return None
    # A pixel of the crop is the mean of as many as it covers.
    times = max(1, math.ceil(finer / max(window.step) - _TOO_FEW))
    fine = _interpolated(window, points, times * size)
    crop = cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)
    # Missing pixels, zeros, lend no colour to those beside them.
    crop[..., :3] = crop[..., :3] * (255 / np.maximum(crop[..., 3:], 1))
    return np.rint(crop).clip(0, 255).astype(np.uint8)


def _interpolated(window: Window, points: np.ndarray, size: int) -> np.ndarray:
    """RGBA, colours multiplied by alpha: float32 [size, size, 4]."""
    knots = np.linspace(-0.5, 0.5, len(points))
    along = (np.arange(size) + 0.5) / size - 0.5
    column, row = (
        RectBivariateSpline(knots, knots, points[..., axis])(along, along)[::-1]
        for axis in (0, 1)
    )
    source = window.pixels.astype(np.float32)
    source[..., :3] *= source[..., 3:] / 255
    column = (column - window.column) / window.step[0] - 0.5
    row = (row - window.row) / window.step[1] - 0.5
    return cv2.remap(
        source,
        column.astype(np.float32),
        row.astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )


def inpainted(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Missing pixels filled by Telea's inpainting.

    Args:
        pixels: RGB uint8 [S, S, 3].
        missing: bool [S, S]; not all of them.

    Returns:
        RGB uint8 [S, S, 3]; pixels that are not missing are unchanged.
    """
    if not missing.any():
        return pixels
    mask = missing.astype(np.uint8)
    painted = cv2.inpaint(pixels, mask, _RADIUS, cv2.INPAINT_TELEA)
    return np.where(missing[..., None], painted, pixels)
