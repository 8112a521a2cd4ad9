"""Maps whose pixels tell their own column (red) and row (green)."""

import dataclasses
import math

import cv2
import numpy as np
import pyproj
import rasterio
from rasterio.transform import Affine

from mgtl_tf.galleries.sources import LeftOut
from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.crop_source import crop_centres as sheets_centres
from mgtl_tf.galleries.tiling.cropping import cut_crop as cut_sheets
from mgtl_tf.galleries.tiling.finding import find_images
from mgtl_tf.galleries.tiling.map import Sheets

SIDE = 250
UTM = ("EPSG:32632", (371000, 5200000), (0.5, 0.5))
"""Near Berne: coordinate system, middle and pixel of `write_map`."""

SETTINGS = CropSettings(40.0, 0.5, 20.0)

GEOD = pyproj.Geod(ellps="WGS84")

TILE = 64
ZOOM = 20
# Oslo: https://wiki.openstreetmap.org/wiki/Slippy_map_tilenames
FIRST = (555_600, 305_000)


def scene(bands=3, seed=0, side=SIDE):
    """Soft colours 20 to 235, uint8 [bands, side, side]."""
    coarse = np.random.default_rng(seed).integers(20, 235, (9, 9, bands))
    soft = cv2.resize(np.float32(coarse), (side, side))
    return np.moveaxis(soft.reshape(side, side, bands), 2, 0).astype(np.uint8)


def find(path, settings=SETTINGS, **flags):
    """The crops of a map."""
    return find_images([path], None, "", dataclasses.asdict(settings) | flags)


def fates(path, settings, folder, **flags):
    """What becomes of each crop: "ok", or why it is left out."""
    source = find(path, settings, **flags)
    found = []
    for number in range(len(source)):
        try:
            missing = source.load(number, folder)[1]
            if missing:
                source.count_filled(number, missing)
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


def offsets(settings):
    """Metres east and north of the crop's pixel centres, [S, S] each."""
    pixel = settings.crop_metres / settings.size
    along = (np.arange(settings.size) + 0.5) * pixel - settings.crop_metres / 2
    return np.meshgrid(along, -along)


def errors(settings, centre, longitude, latitude):
    """Metres east and north by which pixels of a crop show other places.

    Args:
        centre: of the crop.
        longitude, latitude: of what its pixels show, [S, S].
    """
    azimuth, _, metres = GEOD.inv(
        np.full_like(longitude, centre[1]),
        np.full_like(longitude, centre[0]),
        longitude,
        latitude,
    )
    angle = np.radians(azimuth)
    east, north = offsets(settings)
    return metres * np.sin(angle) - east, metres * np.cos(angle) - north


def whole(area):
    """All colours [H, W, 3] and alpha [H, W] of a map."""
    pixels = area.read(0, 0, area.width, area.height).pixels
    return pixels[..., :3], pixels[..., 3]


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
    shape = {"count": count, "height": height, "width": width}
    profile = {"driver": "GTiff", "dtype": pixels.dtype} | shape | profile
    with rasterio.open(
        path, "w", crs=crs, transform=transform, **profile
    ) as file:
        if colors is not None:
            file.colorinterp = colors
        file.write(pixels)
        if mask is not None:
            file.write_mask(mask)
        for name, value in (values or {}).items():
            setattr(file, name, value)
    return path


def write_vrt(path, size, sources, middle=UTM[1], values=(None,) * 3):
    """A virtual raster in UTM: files beside it, each from a column on."""
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}">'
        + (f"<NoDataValue>{value}</NoDataValue>" if value else "")
        + f"<ColorInterp>{color}</ColorInterp>"
        + "".join(
            '<SimpleSource><SourceFilename relativeToVRT="1">'
            f"{name}</SourceFilename><SourceBand>{band}</SourceBand><SrcRect"
            f' xOff="0" yOff="0" xSize="{wide}" ySize="{size[1]}"/><DstRect'
            f' xOff="{left}" yOff="0" xSize="{wide}" ySize="{size[1]}"/>'
            "</SimpleSource>"
            for name, left, wide in sources
        )
        + "</VRTRasterBand>"
        for band, color, value in zip(
            (1, 2, 3), ("Red", "Green", "Blue"), values, strict=True
        )
    )
    west, north = middle[0] - size[1] / 4, middle[1] + size[1] / 4
    path.write_text(
        f'<VRTDataset rasterXSize="{size[0]}" rasterYSize="{size[1]}"><SRS>'
        f"{UTM[0]}</SRS><GeoTransform>{west}, 0.5, 0, {north}, 0, -0.5"
        f"</GeoTransform>{bands}</VRTDataset>"
    )
    return path


def write_tiles(folder, count=3, zoom=ZOOM, first=FIRST, suffix=".png"):
    """Tiles that tell their own column (red) and row (green) in the map."""
    row, column = np.mgrid[: count * TILE, : count * TILE]
    image = np.stack([np.full_like(row, 50), row, column], axis=-1)
    for y in range(count):
        for x in range(count):
            path = tile_path(folder, x, y, zoom, first, suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            part = np.s_[y * TILE : (y + 1) * TILE, x * TILE : (x + 1) * TILE]
            cv2.imwrite(str(path), image[part].astype(np.uint8))
    return folder


def tile_path(folder, x, y, zoom=ZOOM, first=FIRST, suffix=".png"):
    """The file of a tile of `write_tiles`, counted from the first one."""
    return folder / f"{zoom}/{first[0] + x}/{first[1] + y}{suffix}"


def corner(tile, zoom):
    """Latitude and longitude of a tile's north-west corner, as published."""
    longitude = tile[0] / 2**zoom * 360 - 180
    turn = math.pi * (1 - 2 * tile[1] / 2**zoom)
    return math.degrees(math.atan(math.sinh(turn))), longitude
