"""Coordinate systems: of the Earth or not, beyond 180 degrees, beside."""

import math

import cv2
import numpy as np
import pyproj
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from mgtl_tf.retrieval.tiling.crop_settings import CropSettings
from mgtl_tf.retrieval.tiling.crop_source import MOST_CROPS, crop_centres
from mgtl_tf.retrieval.tiling.cropping import cut_crop
from mgtl_tf.retrieval.tiling.finding import is_map, open_map
from mgtl_tf.retrieval.tiling.map import Sheets
from mgtl_tf.retrieval.tiling.raster import RasterMap
from mgtl_tf.utils.errors import UserError
from tests.retrieval.tiling.maps import (
    UTM,
    fates,
    own_coordinates,
    scene,
    write_map,
)

SETTINGS = CropSettings(40.0, 0.5, 20.0)
MOON = "+proj=eqc +R=1737400 +units=m"
ENGINEERING = (
    'ENGCRS["site",EDATUM["stone"],CS[Cartesian,2],AXIS["x",east],'
    'AXIS["y",north],LENGTHUNIT["metre",1]]'
)


@pytest.mark.parametrize(
    ("crs", "middle", "message"),
    [
        ('LOCAL_CS["Local (m)",UNIT["metre",1]]', (100, 300), "not tied to"),
        (ENGINEERING, (100, 300), "not tied to the Earth; give the one"),
        ("EPSG:4978", (100, 300), "Geocentric CRS. is not tied to"),
        (MOON, (100, 300), r"another body than the Earth \(radius 1,737 km"),
        ("IAU_2015:49900", (7, 46), r"another body .*\(radius 3,396 km"),
        ("EPSG:4326", (371000, 5200000), "lies outside of what its coordinate"),
        ("EPSG:3413", (0, 0), "contains a pole"),
    ],
)
def test_systems_that_say_no_place_on_the_earth(tmp_path, crs, middle, message):
    path = tmp_path / "m.tif"
    write_map(path, CRS.from_user_input(crs), middle, (0.5, 0.5))
    assert is_map(path)
    with pytest.raises(UserError, match=message) as error:
        open_map(path, SETTINGS)
    assert "\n" not in str(error.value) and "m" in str(error.value)


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_control_points_only(tmp_path):
    path = tmp_path / "m.tif"
    points = [
        GroundControlPoint(row, column, 7 + column / 1e5, 46 - row / 1e5)
        for row in (0, 250)
        for column in (0, 250)
    ]
    with rasterio.open(
        path, "w", driver="GTiff", count=3, height=250, width=250, dtype="uint8"
    ) as file:
        file.gcps = points, CRS.from_epsg(4326)
        file.write(scene())
    with pytest.raises(UserError, match="m.tif: has ground control points o"):
        fates(path, SETTINGS, tmp_path)


# Coordinate system, middle of the map, pixel; what each shows is by PROJ.
BEYOND = {
    "0 to 360": ("EPSG:4326", (352.0, 40.0), (6e-6, 5e-6)),
    "to 180.0009": ("EPSG:4326", (180.0001, -17.0), (6e-6, 5e-6)),
    "from -180.0006": ("EPSG:4326", (-179.9999, -17.0), (6e-6, 5e-6)),
    "Web Mercator": ("EPSG:3857", (math.pi * 6378137, -19e5), (0.5, 0.5)),
    "its other side": ("EPSG:3857", (-math.pi * 6378137, -19e5), (0.5, 0.5)),
    "with heights": ("EPSG:32632+5773", UTM[1], (0.5, 0.5)),
    "US survey feet": ("EPSG:2263", (990000, 200000), (1.6, 1.6)),
    "north before east": ("EPSG:2193", (1749000, 5428000), (0.5, 0.5)),
    # Several ways lead from these datums to WGS 84, by region.
    "ED50 in Germany": ("EPSG:23032", (571700, 5539300), (0.5, 0.5)),
    "ED50 in Norway": ("EPSG:23032", (444000, 6651500), (0.5, 0.5)),
    "NAD27 in Yucatan": ("EPSG:4267", (-90.0, 20.0), (6e-6, 5e-6)),
    "west of its zone": ("EPSG:31467", (3225414, 5770461), (0.5, 0.5)),
    "gons": ("EPSG:4807", (0.5, 54.0), (7e-6, 5e-6)),
}


@pytest.mark.parametrize("name", BEYOND)
def test_every_crop_shows_its_own_place(tmp_path, name):
    """The map's pixel in a crop's middle is the crop's own centre, by PROJ."""
    crs, middle, pixel = BEYOND[name]
    path = write_map(tmp_path / "m.tif", crs, middle, pixel)
    area = RasterMap(path)
    sheets = Sheets("m", [area])
    centres = crop_centres(sheets, SETTINGS)
    assert len(centres) >= 4 and (np.abs(centres[:, 1]) <= 180).all()
    with rasterio.open(path) as file:
        a, _, c, _, e, f = tuple(file.transform)[:6]
    inverse = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    geod = pyproj.Geod(ellps="WGS84")
    for centre in centres[:: len(centres) // 3].tolist():
        crop = cut_crop(sheets, centre, SETTINGS)
        assert crop.missing == 0
        column, row = crop.pixels[39:41, 39:41, :2].mean(axis=(0, 1)) + 0.5
        longitude, latitude = inverse.transform(a * column + c, e * row + f)
        _, _, metres = geod.inv(longitude, latitude, centre[1], centre[0])
        assert metres < 0.5


def test_a_world_file_needs_a_system_beside_it(tmp_path):
    path = tmp_path / "m.jpg"
    cv2.imwrite(str(path), np.moveaxis(scene(), 0, 2))
    path.with_suffix(".jgw").write_text("0.5\n0\n0\n-0.5\n370950\n5200060\n")
    assert not is_map(path)
    with pytest.raises(UserError, match="m.jpg has no coordinate system; give"):
        fates(path, SETTINGS, tmp_path, crop_metres=40.0)
    path.with_suffix(".prj").write_text(CRS.from_epsg(32632).to_wkt())
    _, found = fates(path, SETTINGS, tmp_path / "crops", crop_metres=40.0)
    assert set(found) == {"ok"} and len(found) > 9


def test_more_crops_than_anybody_wants(tmp_path):
    world = own_coordinates(180, 360)
    path = write_map(
        tmp_path / "m.tif", "EPSG:4326", (0, 0), (1, 1), pixels=world
    )
    sheets = open_map(path, SETTINGS)
    with pytest.raises(UserError, match=f"more than {MOST_CROPS:,}") as error:
        crop_centres(sheets, SETTINGS)
    assert "step_metres=20: makes some 1.9e+12 crops" in str(error.value)
