"""Crops of maps in any projection: north is up, metres are metres."""

import math

import numpy as np
import pyproj
import pytest
import rasterio

from mgtl_tf.galleries.tiling.crop_settings import CropSettings, crop_settings
from mgtl_tf.galleries.tiling.raster import RasterMap
from mgtl_tf.utils.errors import UserError
from tests.galleries.tiling.maps import (
    GEOD,
    crop_centres,
    cut_crop,
    errors,
    offsets,
    write_map,
)

A = 6378137.0
E2 = (2 - 1 / 298.257223563) / 298.257223563


def test_web_mercator_at_60_degrees_in_closed_form(tmp_path):
    """A pixel of 0.6 m on the map is one of 0.3 m on the ground there."""
    latitude, longitude = 60.0, 10.75
    x = A * math.radians(longitude)
    y = A * math.asinh(math.tan(math.radians(latitude)))
    path = write_map(tmp_path / "m.tif", "EPSG:3857", (x, y), (0.6, 0.6))
    settings = CropSettings(36.0, 0.25, 10.0)
    crop = cut_crop(RasterMap(path), (latitude, longitude), settings)
    assert crop.shape == (144, 144, 3)
    east, north = offsets(settings)
    root = math.sqrt(1 - E2 * math.sin(math.radians(latitude)) ** 2)
    phi = math.radians(latitude) + north * root**3 / (A * (1 - E2))
    lam = math.radians(longitude) + east * root / (A * np.cos(phi))
    column = (A * lam - x) / 0.6 + 125 - 0.5
    row = (y - A * np.arcsinh(np.tan(phi))) / 0.6 + 125 - 0.5
    np.testing.assert_allclose(crop[..., 0], column, atol=0.7)
    np.testing.assert_allclose(crop[..., 1], row, atol=0.7)
    # 36 m are 120 map pixels of 0.3 m: the scale itself, within 0.5 %.
    assert np.ptp(column) == pytest.approx(120 * 143 / 144, rel=0.005)
    assert (crop[..., 2] == 77).all()


# Coordinate system, middle of the map, pixel in its units, turn.
SYSTEMS = {
    "UTM": ("EPSG:32632", (371000, 5200000), (0.4, 0.4), 0),
    "UTM, turned": ("EPSG:32632", (371000, 5200000), (0.4, 0.4), 33),
    "UTM, pixels not square": ("EPSG:32756", (334000, 6250000), (0.3, 0.5), 0),
    "south up": ("EPSG:32756", (334000, 6250000), (0.4, -0.4), 0),
    "degrees": ("EPSG:4326", (7.44, 46.95), (5e-6, 4e-6), 0),
    "Switzerland": ("EPSG:2056", (2600000, 1200000), (0.4, 0.4), 0),
    "polar stereographic": ("EPSG:3413", (900000, -2100000), (0.4, 0.4), 0),
    "feet": ("EPSG:2263", (990000, 200000), (1.3, 1.3), 0),
    "0 to 360": ("EPSG:4326", (352.0, 40.0), (6e-6, 5e-6), 0),
    "to 180.0009": ("EPSG:4326", (180.0001, -17.0), (6e-6, 5e-6), 0),
    "from -180.0006": ("EPSG:4326", (-179.9999, -17.0), (6e-6, 5e-6), 0),
    "Web Mercator": ("EPSG:3857", (math.pi * 6378137, -19e5), (0.5, 0.5), 0),
    "its other side": ("EPSG:3857", (-math.pi * 6378137, -19e5), (0.5, 0.5), 0),
    "with heights": ("EPSG:32632+5773", (371000, 5200000), (0.5, 0.5), 0),
    "US survey feet": ("EPSG:2263", (990000, 200000), (1.6, 1.6), 0),
    "north before east": ("EPSG:2193", (1749000, 5428000), (0.5, 0.5), 0),
    # Several ways lead from these datums to WGS 84, by region.
    "ED50 in Germany": ("EPSG:23032", (571700, 5539300), (0.5, 0.5), 0),
    "ED50 in Norway": ("EPSG:23032", (444000, 6651500), (0.5, 0.5), 0),
    "NAD27 in Yucatan": ("EPSG:4267", (-90.0, 20.0), (6e-6, 5e-6), 0),
    "west of its zone": ("EPSG:31467", (3225414, 5770461), (0.5, 0.5), 0),
    "gons": ("EPSG:4807", (0.5, 54.0), (7e-6, 5e-6), 0),
    "180 degrees": ("EPSG:32601", (166100, 100000), (0.4, 0.4), 0),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_pixel_shows_its_own_place(tmp_path, name):
    """By PROJ: the map's pixel that is seen, as metres from the centre."""
    crs, middle, pixel, turn = SYSTEMS[name]
    path = write_map(tmp_path / "m.tif", crs, middle, pixel, turn)
    area = RasterMap(path)
    settings = CropSettings(30.0, 0.5, 12.0)
    centres = crop_centres(area, settings)
    assert len(centres) > 4
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    with rasterio.open(path) as file:
        a, b, c, d, e, f = tuple(file.transform)[:6]
    for centre in centres[:: max(1, len(centres) // 4)].tolist():
        crop = cut_crop(area, tuple(centre), settings).astype(float)
        column, row = crop[..., 0] + 0.5, crop[..., 1] + 0.5
        seen = to_degrees.transform(
            a * column + b * row + c, d * column + e * row + f
        )
        for error in errors(settings, centre, *seen):
            # A pixel's value is whole; half a map's pixel is 0.25 m at most.
            assert abs(error).max() < 0.45
            assert abs(error.mean()) < 0.05


def test_a_grid_is_even_on_the_ground(tmp_path):
    path = write_map(
        tmp_path / "m.tif", "EPSG:4326", (25.0, 65.0), (2e-5, 1e-5)
    )
    settings = CropSettings(60.0, 0.5, 25.0)
    centres = crop_centres(RasterMap(path), settings)
    rows = np.unique(centres[:, 0])
    assert (np.diff(centres[:, 0]) <= 0).all()
    # 250 pixels of 2e-5 degrees at 65 north, of 1e-5 degrees northward.
    _, _, width = GEOD.inv(25.0, 65.0, 25.005, 65.0)
    _, _, height = GEOD.inv(25.0, 65.0, 25.0, 65.0025)
    assert len(rows) == int((height - 60) / 25) + 1
    for latitude in rows:
        longitudes = centres[centres[:, 0] == latitude, 1]
        assert len(longitudes) == int((width - 60) / 25) + 1
        apart = GEOD.line_lengths(
            longitudes, np.full_like(longitudes, latitude)
        )
        np.testing.assert_allclose(apart, 25, rtol=1e-4)
        assert longitudes.mean() == pytest.approx(25.0, abs=1e-9)
    apart = GEOD.line_lengths(np.full_like(rows, 25.0), rows)
    np.testing.assert_allclose(apart, 25, rtol=1e-4)
    assert rows.mean() == pytest.approx(65.0, abs=1e-9)


def test_a_map_of_just_one_crop_and_a_smaller_one(tmp_path):
    utm = ("EPSG:32632", (500000, 5200000))
    path = write_map(tmp_path / "m.tif", *utm, (0.5, 0.5))
    metres = 125 / 0.9996  # UTM's scale on its meridian
    for side, count in ((metres - 0.05, 1), (metres + 0.05, 0)):
        settings = CropSettings(side, 0.5, 10.0)
        assert len(crop_centres(RasterMap(path), settings)) == count
    settings = CropSettings(124.9, 0.5, 10.0)
    (centre,) = crop_centres(RasterMap(path), settings).tolist()
    assert cut_crop(RasterMap(path), centre, settings).shape == (250, 250, 3)


def test_a_coarser_crop_takes_means(tmp_path):
    """No aliasing: a checkerboard of single pixels becomes grey."""
    row, column = np.mgrid[:250, :250]
    board = np.repeat(255 * ((row + column) % 2)[None], 3, axis=0)
    path = write_map(
        tmp_path / "m.tif",
        "EPSG:32632",
        (500000, 5200000),
        (0.1, 0.1),
        pixels=board.astype(np.uint8),
    )
    area, settings = RasterMap(path), CropSettings(20.0, 1.0, 10.0)
    centre = area.to_degrees(np.array([125.0, 125.0])).tolist()
    crop = cut_crop(area, centre, settings)
    np.testing.assert_allclose(crop, 127.5, atol=8)


def test_what_is_known_of_training_images():
    assert crop_settings("procedural") == CropSettings(60.0, 60 / 128, 30.0)
    # Zoom 20 at Canberra: 156543 m over 2^20 and the latitude's cosine.
    pixel = 156543.034 / 2**20 * math.cos(math.radians(35.3))
    canberra = crop_settings("cvact")
    assert canberra.metres_per_pixel == pytest.approx(pixel, rel=1e-3)
    assert canberra.size == 1200
    assert crop_settings("cvusa").size == 750
    assert crop_settings("csv", 50, 0.5, 7) == CropSettings(50, 0.5, 7)
    with pytest.raises(UserError, match="crop_metres: must be given to cut"):
        crop_settings("csv", metres_per_pixel=0.5)
    with pytest.raises(UserError, match="metres_per_pixel: must be given"):
        crop_settings("", crop_metres=50)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0, 1, 1), "crop_metres=0: must be above 0"),
        ((50, -1, 1), "metres_per_pixel=-1: must be above 0"),
        ((50, 1, math.nan), "step_metres=nan: must be 0.5 metres"),
        ((50, 1, 0.1), "step_metres=0.1: must be 0.5 metres"),
        ((50, 20, 1), "50 m 2.5 pixels a side; must be 8 to"),
        ((5000, 0.1, 1), "50000 pixels a side"),
        ((math.inf, 0.1, 1), "crop_metres=inf"),
        ((1e300, 1e-300, 1), "metres_per_pixel=1e-300: makes a crop of"),
        ((50, 0.5, -math.inf), "step_metres=-inf: must be 0.5 met"),
        ((50, 0.5, 5, math.nan), "most_missing=nan: must be a share from 0"),
        ((50, 0.5, 5, -0.1), "most_missing=-0.1: must be a share"),
        ((50, 0.5, 5, 1.0), "most_missing=1.0: must be a share"),
    ],
)
def test_crops_that_cannot_be(values, message):
    with pytest.raises(UserError, match=message):
        CropSettings(*values)
