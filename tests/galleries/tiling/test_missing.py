"""What a map lacks: nodata, masks, transparency; shares, filled and counted."""

import numpy as np
import pytest
import rasterio

from mgtl_tf.galleries.sources import NoData
from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.cropping import cut_crop
from mgtl_tf.galleries.tiling.map import Sheets
from mgtl_tf.galleries.tiling.raster import RasterMap
from tests.galleries.tiling.maps import (
    SETTINGS,
    UTM,
    fates,
    scene,
    shown,
    whole,
    write_map,
    write_vrt,
)


@pytest.mark.parametrize("value", [0, 255])
def test_isolated_pixels_of_no_data_leave_no_crop_out(tmp_path, value):
    pixels = scene()
    pixels[:, 20::40, 20::40] = value
    path = write_map(tmp_path / "m.tif", *UTM, pixels=pixels, nodata=value)
    source, found = fates(path, SETTINGS, tmp_path)
    assert set(found) == {"ok"} and len(found) > 9
    (note,) = source.notes()
    assert "crops of m that this command cut lacked" in note
    # Filled from beside, and the rest as in a map without holes.
    other = write_map(tmp_path / "whole.tif", *UTM, pixels=scene())
    crop, wanted = (
        shown(RasterMap(p), 100, 100, SETTINGS).astype(int)
        for p in (path, other)
    )
    assert abs(crop - wanted).max() <= 10


def test_nodata_is_missing_only_where_all_colours_are(tmp_path):
    """A pixel whose red is 0 is no hole; every band has its own value."""
    pixels = scene()
    pixels[0, :, :150] = 0
    path = write_map(tmp_path / "m.tif", *UTM, pixels=pixels, nodata=0)
    source, found = fates(path, SETTINGS, tmp_path)
    assert set(found) == {"ok"} and source.notes() == []
    pixels[:, :, :150] = np.array([1, 2, 3])[:, None, None]
    write_map(tmp_path / "n.tif", *UTM, pixels=pixels)
    path = write_vrt(
        tmp_path / "n.vrt", (250, 250), [("n.tif", 0, 250)], values=(1, 2, 3)
    )
    _, mask = whole(RasterMap(path))
    assert not mask[:, :150].any() and mask[:, 150:].all()


@pytest.mark.parametrize("most", [0.0, 0.1, 0.25])
def test_the_share_decides(tmp_path, most):
    """Crops beside an edge of data, in steps of 2 m: 5 % of 40 m."""
    pixels = scene()
    pixels[:, :, :80] = 0  # 40 m
    path = write_map(tmp_path / "m.tif", *UTM, pixels=pixels, nodata=0)
    area = RasterMap(path)
    settings = CropSettings(40.0, 0.5, 20.0, most)
    for column in range(90, 130, 4):
        lacking = max(0, 80 - (column - 40)) / 80
        if abs(lacking - most) < 0.03:
            continue  # North turns by a degree here.
        if lacking > most:
            with pytest.raises(NoData, match="no data in a part of it"):
                shown(area, column, 120, settings)
        else:
            centre = area.to_degrees(np.array([column, 120.0])).tolist()
            crop = cut_crop(Sheets("m", [area]), centre, settings)
            assert crop.missing / 80**2 == pytest.approx(lacking, abs=0.03)
            assert crop.pixels.min() > 15  # Nothing black is left.


HOLE = np.full((250, 250), 255, np.uint8)
HOLE[100:140, 100:140] = 0
DEEP = scene().astype(np.uint16) * 257
WAYS = {
    "internal mask": (scene(), {"mask": HOLE}),
    ".msk": (scene(), {"mask": HOLE}),
    "alpha": (np.concatenate([scene(), HOLE[None]]), {}),
    "grey and alpha": (np.stack([scene()[0], HOLE]), {"alpha": "YES"}),
    "16-bit alpha": (
        np.concatenate([DEEP, HOLE[None].astype(np.uint16) * 257]),
        {"alpha": "YES", "photometric": "RGB"},
    ),
}


@pytest.mark.parametrize("kind", WAYS)
def test_every_way_to_say_it(tmp_path, kind):
    pixels, profile = WAYS[kind]
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=kind == "internal mask"):
        path = write_map(tmp_path / "m.tif", *UTM, pixels=pixels, **profile)
    assert path.with_suffix(".tif.msk").exists() == (kind == ".msk")
    area = RasterMap(path)
    assert area.notes == ()
    np.testing.assert_array_equal(whole(area)[1], HOLE)
    with pytest.raises(NoData):
        shown(area, 120, 120, SETTINGS)


def test_what_is_missing_lends_no_colour(tmp_path):
    """Black under a mask darkens nothing beside it, at any resolution."""
    pixels = np.full((3, 250, 250), 200, np.uint8)
    pixels[:, 100:140, 100:140] = 0
    path = write_map(tmp_path / "m.tif", *UTM, pixels=pixels, mask=HOLE)
    for metres in (0.3, 0.5, 1.7, 5.0):
        settings = CropSettings(60.0, metres, 20.0, 0.9)
        crop = shown(RasterMap(path), 120, 120, settings)
        # What is there is as it was; inpainting rounds as it goes on.
        assert (crop == 200).mean() > 0.85, metres
        assert abs(crop.astype(int) - 200).max() <= 8, metres
