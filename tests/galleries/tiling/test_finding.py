"""What --images names, flags that cannot apply, files that can't be read."""

import os
import struct

import cv2
import numpy as np
import pytest
import rasterio
import rasterio.shutil
from absl import flags

from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.finding import find_images, map_files, open_map
from mgtl_tf.utils.errors import UserError
from tests.galleries.tiling.maps import (
    SETTINGS,
    UTM,
    fates,
    find,
    scene,
    tile_path,
    whole,
    write_map,
    write_tiles,
)

FLAGS = {
    "crop_metres": 40.0,
    "metres_per_pixel": 0.5,
    "step_metres": 20.0,
    "most_missing": 0.1,
    "tile_rows": "tms",
}


@pytest.fixture
def inputs(tmp_path):
    """One of each kind that --images names."""
    images = tmp_path / "images"
    images.mkdir()
    cv2.imwrite(str(images / "a.png"), np.zeros((9, 9, 3), np.uint8))
    (tmp_path / "list.csv").write_text("images/a.png\n")
    write_map(tmp_path / "map.tif", *UTM, pixels=scene())
    write_map(tmp_path / "no_crs.tif", None, *UTM[1:], pixels=scene())
    (tmp_path / "sheets").mkdir()
    write_map(tmp_path / "sheets/s.tif", *UTM, pixels=scene())
    write_tiles(tmp_path / "tiles")
    (tmp_path / "where.csv").write_text("id,latitude,longitude\na,1,2\n")
    return tmp_path


MAPS = ("map.tif", "sheets", "tiles")
IMAGES = ("images", "images/a.png", "list.csv", "no_crs.tif")


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("name", [*MAPS, *IMAGES])
def test_every_flag_with_every_kind(inputs, name, flag):
    """Applied, or refused in one line that names it and its value."""
    given = {flag: FLAGS[flag]}
    if name == "tiles" or (name in MAPS and flag != "tile_rows"):
        assert len(find(inputs / name, CropSettings(20.0, 0.5, 10.0), **given))
        return
    with pytest.raises(UserError, match=f"^{flag}={FLAGS[flag]}: ") as error:
        find_images([inputs / name], map_settings=given)
    assert "\n" not in str(error.value)
    if name == "no_crs.tif":
        assert "no_crs.tif: has no coordinate system" in str(error.value)
        assert "gdal_edit.py -a_srs" in str(error.value)


@pytest.mark.parametrize("name", MAPS)
def test_locations_are_of_images(inputs, name):
    with pytest.raises(UserError, match="where.csv: applies to image file"):
        find_images([inputs / name], inputs / "where.csv")


def test_flags_apply_where_images_and_maps_are_mixed(inputs):
    paths = [inputs / "images", inputs / "map.tif"]
    found = find_images(paths, None, "procedural", {"crop_metres": 40.0})
    assert len(found) > 5


def test_flags_of_maps_without_images(tmp_path, load_program):
    program = load_program("index")
    with pytest.raises(flags.Error, match="tile_rows=tms: goes with --images"):
        given = {flag.name: None for flag in program.PROGRAM_FLAGS}
        given |= {"verify": True, "tile_rows": "tms", "output_dir": tmp_path}
        program.main(**given | {"engine": "exact", "backend": "faiss"})


def recoded(path, code):
    """A TIFF that says to be compressed in another way."""
    content = bytearray(path.read_bytes())
    (place,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, place)
    for entry in range(place + 2, place + 2 + 12 * count, 12):
        if struct.unpack_from("<H", content, entry) == (259,):
            struct.pack_into("<H", content, entry + 8, code)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("code", "name"), [(50002, "JXL"), (34712, "JP2000"), (34713, "34713")]
)
def test_a_compression_that_is_not_read_is_no_damage(inputs, code, name):
    recoded(inputs / "map.tif", code)
    recoded(inputs / "sheets/s.tif", code)
    for path in (inputs / "map.tif", inputs / "sheets"):
        with pytest.raises(UserError, match=f"compressed with {name}, which"):
            map_files(path)


@pytest.mark.parametrize("driver", ["COG", "JP2OpenJPEG"])
def test_other_formats(tmp_path, driver):
    plain = write_map(tmp_path / "m.tif", *UTM, pixels=scene())
    path = tmp_path / ("m.jp2" if driver == "JP2OpenJPEG" else "cog.tif")
    options = {"REVERSIBLE": "YES", "QUALITY": "100"}
    with rasterio.Env():
        rasterio.shutil.copy(
            plain, path, driver=driver, **options if "jp2" in path.name else {}
        )
    (area,) = open_map(path, SETTINGS).maps
    np.testing.assert_array_equal(np.moveaxis(whole(area)[0], 2, 0), scene())


def test_truncated_files_are_damage(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3, 250, 250), np.uint8)
    path = write_map(tmp_path / "m.tif", *UTM, pixels=noise, compress="deflate")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    _, found = fates(path, SETTINGS, tmp_path / "crops")
    damaged = [text for text in found if text != "ok"]
    assert damaged and all("m.tif is damaged" in text for text in damaged)
    path.write_bytes(content[:100])
    with pytest.raises(UserError, match="m.tif: cannot be opened as a map"):
        find(path)


def test_a_pipe_among_sheets_or_tiles_holds_nobody_up(inputs):
    """Nobody ever writes into it."""
    os.mkfifo(inputs / "sheets/pipe.tif")
    assert map_files(inputs / "sheets") == [inputs / "sheets/s.tif"]
    assert not map_files(inputs / "sheets/pipe.tif")
    tile = tile_path(inputs / "tiles", 0, 0)
    tile.unlink()
    os.mkfifo(tile)
    small = CropSettings(8.0, 0.3, 8.0)
    _, found = fates(inputs / "tiles", small, inputs / "crops")
    assert any(f"{tile.name} is a folder or device" in fate for fate in found)


def test_many_pages_are_no_map(tmp_path):
    path = tmp_path / "m.tif"
    for page in range(2):
        append = {"APPEND_SUBDATASET": "YES"} if page else {}
        write_map(path, *UTM, pixels=scene(), **append)
    with pytest.raises(UserError, match="m.tif: holds 2 pages or layers; give"):
        open_map(path, SETTINGS)
