"""Map sheets and virtual rasters: crops across seams, gaps, overlaps."""

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
import rasterio.vrt
from rasterio.transform import Affine
from rasterio.warp import transform_bounds

from mgtl_tf.galleries.sources import LeftOut
from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.crop_source import crop_centres
from mgtl_tf.galleries.tiling.cropping import cut_crop
from mgtl_tf.galleries.tiling.finding import map_files, open_map
from mgtl_tf.utils.errors import UserError
from tests.galleries.tiling.maps import (
    SETTINGS,
    UTM,
    fates,
    find,
    scene,
    write_map,
    write_vrt,
)

WHOLE = scene(side=400, seed=3)
MIDDLE = UTM[1]


def sheet(path, left, top, right, bottom, metres=0.5, **profile):
    """A part of WHOLE, in pixels of 0.5 m."""
    part = WHOLE[:, top:bottom, left:right]
    step = round(metres / 0.5)
    middle = (
        MIDDLE[0] + ((left + right) / 2 - 200) / 2,
        MIDDLE[1] - ((top + bottom) / 2 - 200) / 2,
    )
    path.parent.mkdir(exist_ok=True)
    pixels = part[:, ::step, ::step]
    return write_map(
        path, UTM[0], middle, (metres, metres), pixels=pixels, **profile
    )


@pytest.fixture
def whole(tmp_path):
    path = sheet(tmp_path / "whole.tif", 0, 0, 400, 400)
    return open_map(path, SETTINGS)


def require_same(sheets, whole, tolerance=1, share=0.97, same_grid=True):
    """The same crops of the same pixels, but for a kernel's reach at seams."""
    centres = crop_centres(whole, SETTINGS)
    if same_grid:
        np.testing.assert_allclose(crop_centres(sheets, SETTINGS), centres)
    for centre in centres[::3].tolist():
        one, two = (cut_crop(m, centre, SETTINGS) for m in (sheets, whole))
        assert one.missing == 0
        different = abs(one.pixels.astype(int) - two.pixels)
        assert (different <= tolerance).mean() >= share
        assert different.max() <= 8


def test_sheets_are_one_map(tmp_path, whole):
    folder = tmp_path / "sheets"
    for name, edges in {
        "a": (0, 0, 210, 190),
        "b": (210, 0, 400, 190),
        "c": (0, 190, 130, 400),
        "d": (130, 190, 400, 400),
    }.items():
        sheet(folder / f"{name}.tif", *edges)
    sheets = open_map(folder, SETTINGS)
    assert (sheets.name, len(sheets.maps)) == ("sheets", 4)
    require_same(sheets, whole)
    before = find(folder)
    stamp = before.stamp()
    assert find(folder).stamp() == stamp
    sheet(folder / "d.tif", 130, 190, 400, 400, compress="deflate")
    after = find(folder)
    assert before.describe() == after.describe() and after.stamp() != stamp


def test_sheets_of_other_systems_and_bands(tmp_path, whole):
    """The right half in degrees and 16 bits, which overlaps the left."""
    folder = tmp_path / "sheets"
    sheet(folder / "left.tif", 0, 0, 210, 400)
    right = sheet(tmp_path / "right.tif", 190, 0, 400, 400)
    with (
        rasterio.open(right) as file,
        rasterio.vrt.WarpedVRT(
            file,
            crs="EPSG:4326",
            resampling=rasterio.enums.Resampling.cubic,
            add_alpha=True,
        ) as warped,
    ):
        *pixels, mask = warped.read()
        other = {"driver": "GTiff", "dtype": "uint16", "count": 3}
        profile = warped.profile | other
    with rasterio.open(folder / "right.tif", "w", **profile) as file:
        file.write(np.stack(pixels).astype(np.uint16) * 257)
        file.write_mask(mask)
    sheets = open_map(folder, SETTINGS)
    (west, south, _, _) = transform_bounds(
        "EPSG:32632", "EPSG:4326", *rasterio.open(right).bounds
    )
    assert sheets.bounds[:, 2].max() == pytest.approx(west, abs=1e-5)
    require_same(sheets, whole, tolerance=6, same_grid=False)


def test_the_finer_sheet_is_shown(tmp_path):
    folder = tmp_path / "sheets"
    sheet(folder / "a_coarse.tif", 0, 0, 400, 400, metres=2)
    sheet(folder / "b_fine.tif", 0, 0, 400, 400)
    assert [m.name for m in open_map(folder, SETTINGS).maps] == [
        "b_fine",
        "a_coarse",
    ]


def test_a_gap_between_sheets_is_no_data(tmp_path):
    """5 m of 40: refused, or filled where that much may be missing."""
    folder = tmp_path / "sheets"
    sheet(folder / "a.tif", 0, 0, 195, 400)
    sheet(folder / "b.tif", 205, 0, 400, 400)
    _, found = fates(folder, SETTINGS, tmp_path / "crops")
    assert set(found) == {"ok", "no data in a part of it"}
    enough = CropSettings(40.0, 0.5, 20.0, 0.15)
    source, found = fates(folder, enough, tmp_path / "crops")
    assert set(found) == {"ok"}
    assert "crops of sheets that this command cut" in source.notes()[0]


def test_many_sheets_are_not_all_open(tmp_path, monkeypatch):
    monkeypatch.setattr("mgtl_tf.galleries.tiling.map._OPEN_SHEETS", 2)
    folder = tmp_path / "sheets"
    for n in range(4):
        sheet(folder / f"{n}.tif", 100 * n, 0, 100 * n + 100, 400)
    source, found = fates(folder, SETTINGS, tmp_path / "crops")
    assert set(found) == {"ok"}
    opened = [m for m in source._sheets.maps if m._dataset is not None]
    assert len(opened) == 2


def test_a_folder_of_sheets_and_images(tmp_path):
    folder = tmp_path / "sheets"
    sheet(folder / "a.tif", 0, 0, 400, 400)
    image = cv2.imencode(".tif", np.zeros((9, 9, 3), np.uint8))[1].tobytes()
    (folder / "b.tif").write_bytes(image)
    with pytest.raises(UserError, match="a.tif has a position and b.tif has"):
        map_files(folder)
    (folder / "a.tif").rename(tmp_path / "a.tif")
    assert not map_files(folder)
    # One that is damaged is no image without a position.
    (folder / "b.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:100])
    (tmp_path / "a.tif").rename(folder / "a.tif")
    with pytest.raises(UserError, match="b.tif: cannot be opened as a map"):
        map_files(folder)


def virtual(folder, width=400, right=200):
    """Two sheets side by side, the second one at a column."""
    sheet(folder / "a.tif", 0, 0, 200, 400)
    sheet(folder / "b.tif", 200, 0, 400, 400)
    sources = [("a.tif", 0, 200), ("b.tif", right, 200)]
    return write_vrt(folder / "m.vrt", (width, 400), sources)


def test_a_virtual_raster_is_its_sources(tmp_path, whole):
    path = virtual(tmp_path)
    area = open_map(path, SETTINGS)
    require_same(area, whole, tolerance=0, share=1.0)
    before = find(path).stamp()
    sheet(tmp_path / "b.tif", 200, 0, 400, 400)
    assert find(path).stamp() != before


def test_between_a_virtual_rasters_sources_is_no_data(tmp_path):
    """GDAL itself reads zeros there and calls them data."""
    area = open_map(virtual(tmp_path, 500, 300), SETTINGS).maps[0]
    mask = area.read(150, 10, 350, 20).pixels[..., 3]
    assert mask[:, :50].all() and mask[:, 150:].all()
    assert not mask[:, 50:150].any()
    assert not area.read(210, 0, 290, 80, 4.0).pixels[..., 3].any()


def test_a_virtual_raster_without_a_source(tmp_path):
    path = virtual(tmp_path)
    (tmp_path / "b.tif").unlink()
    with pytest.raises(UserError, match="m.vrt: its source .*b.tif is missing"):
        open_map(path, SETTINGS)
    for content in ("", "<VRT", "no map", "<VRTDataset/>"):
        path.write_text(content)
        with pytest.raises(UserError, match=r"m.vrt: (damaged|cannot be)") as e:
            open_map(path, SETTINGS)
        assert "\n" not in str(e.value)


def test_a_damaged_source_is_named(tmp_path):
    path = virtual(tmp_path)
    sheet(tmp_path / "b.tif", 200, 0, 400, 400, compress="deflate")
    content = (tmp_path / "b.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(content[: len(content) // 2])
    (area,) = open_map(path, SETTINGS).maps
    with pytest.raises(LeftOut, match=r"m.vrt is damaged .*b\.tif"):
        area.read(300, 300, 390, 390)


def test_overviews_and_turned_sheets(tmp_path, whole):
    """A cloud-optimized GeoTIFF, and a sheet that lies south up."""
    folder = tmp_path / "sheets"
    sheet(tmp_path / "a.tif", 0, 0, 200, 400)
    folder.mkdir()
    rasterio.shutil.copy(tmp_path / "a.tif", folder / "a.tif", driver="COG")
    b = sheet(tmp_path / "b.tif", 200, 0, 400, 400)
    with rasterio.open(b) as file:
        profile, pixels = file.profile, file.read()
    flip = profile["transform"]
    turned = Affine(*flip[:3], 0, 0.5, flip.f - 200)
    with rasterio.open(
        folder / "b.tif", "w", **profile | {"transform": turned}
    ) as file:
        file.write(pixels[:, ::-1])
    require_same(open_map(folder, SETTINGS), whole)
