"""One crop of a map: reprojected, so that north is up and metres are metres.

The frame of a crop is the azimuthal equidistant projection around its centre:
there north is exactly up, and the scale is true whatever the map's own
projection does (Web Mercator at 60 degrees shows half the ground a pixel).
Sheets meet in that frame, whatever their own coordinate systems.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from mgtl_tf.retrieval.galleries.sources import NoData
from mgtl_tf.retrieval.tiling.crop_settings import CropSettings
from mgtl_tf.retrieval.tiling.map import Map, Sheets, Window
from mgtl_tf.utils.geodesy import move

# Pixels of a map a side of a crop's; finer ones are averaged while reading.
_FINEST = 4


@dataclass(frozen=True)
class Crop:
    """What was cut.

    Attributes:
        pixels: RGB uint8 [S, S, 3], north up; what the map lacks is filled
            from around it.
        missing: how many pixels that was.
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
    crop = np.zeros((4, settings.size, settings.size), np.uint8)
    half = settings.crop_metres / 2
    corners = move(
        np.array(centre),
        half * np.array([-1, -1, 1, 1]),
        half * np.array([-1, 1, -1, 1]),
    )
    for number in sheets.near(corners):
        _lay(crop, sheets.opened(number), centre, settings)
        if crop[3].all():
            break
    missing = crop[3] == 0
    if missing.all():
        raise NoData("no data in the map")
    if missing.mean() > settings.most_missing:
        raise NoData("no data in a part of it")
    pixels = np.ascontiguousarray(np.moveaxis(crop[:3], 0, -1))
    return Crop(inpainted(pixels, missing), int(missing.sum()))


def _lay(
    crop: np.ndarray,
    area: Map,
    centre: tuple[float, float],
    settings: CropSettings,
) -> None:
    """Adds what a sheet has where a crop, uint8 [4, S, S], has none yet."""
    left, top, right, bottom, finer = _window(area, centre, settings)
    if left >= right or top >= bottom:
        return
    window = area.read(left, top, right, bottom, finer / _FINEST)
    if window.mask.any():
        cut = _reproject(area, window, centre, settings)
        wanted = (crop[3] == 0) & (cut[3] > 127)
        crop[:3, wanted] = cut[:3, wanted]
        crop[3, wanted] = 255


def _window(
    area: Map, centre: tuple[float, float], settings: CropSettings
) -> tuple[int, int, int, int, float]:
    """Left, top, right, bottom of the map's pixels that a crop takes.

    And how many of them, a side, one of the crop's covers.
    """
    share = settings.crop_metres / 2 * np.array([-1.0, 0.0, 1.0])
    points = area.to_pixels(
        move(np.array(centre), share[:, None], share[None, :])
    ).reshape(-1, 2)
    if not np.isfinite(points).all():
        return 0, 0, 0, 0, 1.0
    low, high = points.min(axis=0), points.max(axis=0)
    # What a resampling kernel takes from beyond.
    margin = 2 + 2 * (high - low) / settings.size
    left, top = np.floor(low - margin).astype(int).tolist()
    right, bottom = np.ceil(high + margin).astype(int).tolist()
    return (
        max(left, 0),
        max(top, 0),
        min(right, area.width),
        min(bottom, area.height),
        float((high - low).min()) / settings.size,
    )


def _reproject(
    area: Map,
    window: Window,
    centre: tuple[float, float],
    settings: CropSettings,
) -> np.ndarray:
    """RGB and mask of the crop, uint8 [4, S, S]."""
    from rasterio.crs import CRS
    from rasterio.transform import Affine
    from rasterio.warp import Resampling, reproject

    a, b, c, d, e, f = area.transform
    half, pixel = settings.crop_metres / 2, settings.pixel_metres
    cut = np.zeros((4, settings.size, settings.size), np.uint8)
    reproject(
        np.concatenate([window.pixels, window.mask[None]]),
        cut,
        src_transform=Affine(
            a * window.step[0],
            b * window.step[1],
            c + a * window.column + b * window.row,
            d * window.step[0],
            e * window.step[1],
            f + d * window.column + e * window.row,
        ),
        src_crs=area.crs,
        # What is missing lends no colour to what is beside it.
        src_alpha=4,
        dst_alpha=4,
        dst_transform=Affine(pixel, 0, -half, 0, -pixel, half),
        dst_crs=CRS.from_user_input(area.frame(centre)),
        # Where the crop is coarser than the map, its kernel grows and takes
        # the mean of what a pixel covers.
        resampling=Resampling.bilinear,
    )
    return cut


_RADIUS = 3


def inpainted(pixels: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Missing pixels as Telea's inpainting continues what is there.

    Black holes or bands would be seen by a model as something of the place.

    Args:
        pixels: RGB uint8 [S, S, 3].
        missing: bool [S, S]; not all of them.

    Returns:
        RGB uint8 [S, S, 3]; pixels that are not missing are as they were.
    """
    if not missing.any():
        return pixels
    mask = missing.astype(np.uint8)
    painted = cv2.inpaint(pixels, mask, _RADIUS, cv2.INPAINT_TELEA)
    return np.where(missing[..., None], painted, pixels)
