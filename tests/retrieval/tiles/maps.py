"""Maps whose pixels tell their own column (red) and row (green)."""

import numpy as np
import rasterio
from rasterio.transform import Affine

SIDE = 250


def own_coordinates(height=SIDE, width=SIDE):
    """RGB uint8 [3, height, width]."""
    row, column = np.mgrid[:height, :width]
    return np.stack([column, row, np.full_like(row, 77)]).astype(np.uint8)


def write_map(path, crs, middle, pixel, turn=0.0, pixels=None, **profile):
    """A GeoTIFF around a place.

    Args:
        middle: of the map, in its own coordinates.
        pixel: width and height of a pixel (y, downward) in them.
        turn: degrees.
    """
    pixels = own_coordinates() if pixels is None else pixels
    count, height, width = pixels.shape
    angle = np.radians(turn)
    matrix = np.array(
        [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    ) @ np.diag([pixel[0], -pixel[1]])
    corner = np.array(middle) - matrix @ [width / 2, height / 2]
    transform = Affine(*matrix[0], corner[0], *matrix[1], corner[1])
    mask = profile.pop("mask", None)
    colors = profile.pop("colors", None)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        crs=crs,
        transform=transform,
        count=count,
        height=height,
        width=width,
        dtype=pixels.dtype,
        **profile,
    ) as file:
        if colors is not None:
            file.colorinterp = colors
        file.write(pixels)
        if mask is not None:
            file.write_mask(mask)
    return path
