"""Maps whose pixels tell their own column (red) and row (green)."""

import cv2
import numpy as np
import rasterio
from rasterio.transform import Affine

from mgtl_tf.retrieval.galleries.sources import LeftOut
from mgtl_tf.retrieval.tiling.crop_source import crop_centres as sheets_centres
from mgtl_tf.retrieval.tiling.cropping import cut_crop as cut_sheets
from mgtl_tf.retrieval.tiling.finding import find_images
from mgtl_tf.retrieval.tiling.map import Sheets

SIDE = 250
UTM = ("EPSG:32632", (371000, 5200000), (0.5, 0.5))
"""Near Berne: coordinate system, middle and pixel of `write_map`."""


def scene(bands=3, seed=0, side=SIDE):
    """Soft colours 20 to 235, uint8 [bands, side, side]."""
    coarse = np.random.default_rng(seed).integers(20, 235, (9, 9, bands))
    soft = cv2.resize(np.float32(coarse), (side, side))
    return np.moveaxis(soft.reshape(side, side, bands), 2, 0).astype(np.uint8)


def fates(images, settings, folder, **arguments):
    """What becomes of each crop: "ok", or why it is left out."""
    source = find_images([images], None, lambda: settings, arguments)
    found = []
    for number in range(len(source)):
        try:
            source.load(number, folder)
            found.append("ok")
        except LeftOut as error:
            found.append(str(error))
    return source, found


def cut_crop(area, centre, settings):
    return cut_sheets(Sheets(area.name, [area]), centre, settings).pixels


def crop_centres(area, settings):
    return sheets_centres(Sheets(area.name, [area]), settings)


def shown(area, column, row, settings):
    """The crop around a pixel of a map, RGB uint8."""
    centre = area.to_degrees(np.array([column, row], float)).tolist()
    return cut_crop(area, tuple(centre), settings)


def own_coordinates(height=SIDE, width=SIDE):
    """RGB uint8 [3, height, width]."""
    row, column = np.mgrid[:height, :width]
    return np.stack([column, row, np.full_like(row, 77)]).astype(np.uint8)


def write_map(
    path, crs, middle, pixel, turn=0.0, pixels=None, values=None, **profile
):
    """A GeoTIFF around a place.

    Args:
        middle: of the map, in its own coordinates.
        pixel: width and height of a pixel (y, downward) in them.
        turn: degrees.
        values: attributes to be set, such as descriptions.
        profile: also "mask" (internal or .msk) and "colors".
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
        driver=profile.pop("driver", "GTiff"),
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
        for name, value in (values or {}).items():
            setattr(file, name, value)
    return path
