"""One crop of a map: reprojected, so that north is up and metres are metres.

The frame of a crop is the azimuthal equidistant projection around its centre:
there north is exactly up, and the scale is true whatever the map's own
projection does (Web Mercator at 60 degrees shows half the ground a pixel).
"""

from __future__ import annotations

import numpy as np

from mgtl_tf.retrieval.sources import NoData
from mgtl_tf.retrieval.tiles.crop_settings import CropSettings
from mgtl_tf.retrieval.tiles.ground import move
from mgtl_tf.retrieval.tiles.map import Map
from mgtl_tf.retrieval.tiles.map import Window


def cut_crop(
    area: Map, centre: tuple[float, float], settings: CropSettings
) -> np.ndarray:
    """The crop around a place.

    Args:
        area: the map; the whole crop must lie on it.
        centre: latitude and longitude, degrees.
        settings: of the crop.

    Returns:
        RGB uint8 [S, S, 3], north up.

    Raises:
        NoData: where the map has no data under a part of it.
        LeftOut: where the map is damaged there.
    """
    window = area.read(*_window(area, centre, settings))
    if not window.mask.any():
        raise NoData("no data in the map")
    cut = _reproject(area, window, centre, settings)
    if cut[3].min() < 255:
        raise NoData("no data in a part of it")
    return np.ascontiguousarray(np.moveaxis(cut[:3], 0, -1))


def _window(
    area: Map, centre: tuple[float, float], settings: CropSettings
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the map's pixels that a crop takes."""
    share = settings.crop_metres / 2 * np.array([-1.0, 0.0, 1.0])
    points = area.to_pixels(
        move(np.array(centre), share[:, None], share[None, :])
    ).reshape(-1, 2)
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
    from rasterio.warp import Resampling
    from rasterio.warp import reproject

    latitude, longitude = centre
    frame = CRS.from_string(
        f"+proj=aeqd +lat_0={latitude!r} +lon_0={longitude!r} +datum=WGS84"
        " +units=m +no_defs"
    )
    a, b, c, d, e, f = area.transform
    half, pixel = settings.crop_metres / 2, settings.pixel_metres
    cut = np.zeros((4, settings.size, settings.size), np.uint8)
    reproject(
        np.concatenate([window.pixels, window.mask[None]]),
        cut,
        src_transform=Affine(
            a,
            b,
            c + a * window.column + b * window.row,
            d,
            e,
            f + d * window.column + e * window.row,
        ),
        src_crs=area.crs,
        dst_transform=Affine(pixel, 0, -half, 0, -pixel, half),
        dst_crs=frame,
        # Where the crop is coarser than the map, its kernel grows and takes
        # the mean of what a pixel covers.
        resampling=Resampling.bilinear,
    )
    return cut
