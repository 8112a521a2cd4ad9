"""Coordinate systems: of the Earth or not, beyond 180 degrees, beside."""

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS

from mgtl_tf.galleries.tiling.crop_source import MOST_CROPS
from mgtl_tf.galleries.tiling.finding import map_files
from mgtl_tf.utils.errors import UserError
from tests.galleries.tiling.maps import (
    SETTINGS,
    fates,
    find,
    own_coordinates,
    scene,
    write_map,
)

MOON = "+proj=eqc +R=1737400 +units=m"
ENGINEERING = (
    'ENGCRS["site",EDATUM["stone"],CS[Cartesian,2],AXIS["x",east],'
    'AXIS["y",north],LENGTHUNIT["metre",1]]'
)


@pytest.mark.parametrize(
    ("crs", "middle", "message"),
    [
        ('LOCAL_CS["Local (m)",UNIT["metre",1]]', (100, 300), "one of the Ea"),
        (ENGINEERING, (100, 300), "one of the Earth; .*gdal_edit.py -a_srs"),
        ("EPSG:4978", (100, 300), "Geocentric CRS. is no .* of the Earth"),
        (MOON, (100, 300), "no geographic or projected one of the Earth"),
        ("IAU_2015:49900", (7, 46), "no geographic or projected one of the"),
        ("EPSG:4326", (371000, 5200000), "lies outside of what its coordinate"),
        ("EPSG:3413", (0, 0), "contains a pole"),
    ],
)
def test_systems_without_a_place_on_the_earth(tmp_path, crs, middle, message):
    path = tmp_path / "m.tif"
    write_map(path, CRS.from_user_input(crs), middle, (0.5, 0.5))
    assert map_files(path) == [path]
    with pytest.raises(UserError, match=f"m.tif: .*{message}") as error:
        find(path)
    assert "\n" not in str(error.value)


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
    with pytest.raises(UserError, match="m.tif: has no affine .* gdalwarp"):
        find(path)


def test_a_world_file_needs_a_system_beside_it(tmp_path):
    path = tmp_path / "m.jpg"
    cv2.imwrite(str(path), np.moveaxis(scene(), 0, 2))
    path.with_suffix(".jgw").write_text("0.5\n0\n0\n-0.5\n370950\n5200060\n")
    assert not map_files(path)
    with pytest.raises(UserError, match="m.jpg: has no coordinate system; giv"):
        find(path)
    path.with_suffix(".prj").write_text(CRS.from_epsg(32632).to_wkt())
    _, found = fates(path, SETTINGS, tmp_path / "crops")
    assert set(found) == {"ok"} and len(found) > 9


def test_more_crops_than_anybody_wants(tmp_path):
    world = own_coordinates(180, 360)
    path = write_map(
        tmp_path / "m.tif", "EPSG:4326", (0, 0), (1, 1), pixels=world
    )
    with pytest.raises(UserError, match=f"more than {MOST_CROPS:,}") as error:
        find(path)
    assert "step_metres=20: makes some 1.9e+12 crops" in str(error.value)
