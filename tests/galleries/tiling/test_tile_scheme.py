"""Tiles' rows from south or north, placeholders, overlays, sizes, names."""

import json
import shutil
import struct
import zlib

import cv2
import numpy as np
import pytest

from mgtl_tf.galleries.tiling.crop_settings import CropSettings
from mgtl_tf.galleries.tiling.finding import is_tiles
from mgtl_tf.galleries.tiling.slippy import SlippyMap
from mgtl_tf.utils.errors import UserError
from tests.galleries.tiling.maps import (
    TILE,
    ZOOM,
    corner,
    crop_centres,
    cut_crop,
    fates,
    find,
    tile_path,
    whole,
    write_tiles,
)

SETTINGS = CropSettings(8.0, 0.3, 4.0)
RESOURCE = (
    '<?xml version="1.0"?><TileMap version="1.0.0"><SRS>{0}</SRS>'
    '<TileFormat width="256" height="256" mime-type="image/{2}"'
    ' extension="{2}"/><TileSets profile="{1}"/></TileMap>'
)


def south_first(folder):
    """Renames a folder's tiles so that rows count from the south."""
    for path in sorted((folder / str(ZOOM)).rglob("*.*")):
        row = 2**ZOOM - 1 - int(path.stem)
        path.rename(path.with_name(f"{row}{path.suffix}"))
    return folder


def same_map(one, two):
    """Whether two maps show the same at the same places."""
    centres = crop_centres(one, SETTINGS)
    np.testing.assert_allclose(crop_centres(two, SETTINGS), centres)
    for centre in centres[::40].tolist():
        np.testing.assert_array_equal(
            cut_crop(one, centre, SETTINGS), cut_crop(two, centre, SETTINGS)
        )
    return len(centres) > 100


@pytest.mark.parametrize(
    "said",
    [
        RESOURCE.format("EPSG:3857", "global-mercator", "png"),
        RESOURCE.format("OSGEO:41001", "mercator", "png"),
        RESOURCE.format("EPSG:900913", "", "png"),
        {"scheme": "tms", "format": "png", "name": "x"},
        None,
    ],
)
def test_rows_from_the_south(tmp_path, said):
    """As the folder's own file says, else as the flag does."""
    wanted = SlippyMap(write_tiles(tmp_path / "north"), 0.3)
    folder = south_first(write_tiles(tmp_path / "south"))
    if isinstance(said, str):
        (folder / "tilemapresource.xml").write_text(said)
    elif said is not None:
        (folder / "metadata.json").write_text(json.dumps(said))
    flag = "tms" if said is None else None
    assert same_map(SlippyMap(folder, 0.3, flag), wanted)
    # The zoom level by itself is the same map.
    level = SlippyMap(folder / str(ZOOM), 0.3, flag)
    assert level.name == "south" and same_map(level, wanted)
    assert is_tiles(folder / str(ZOOM))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "tilemapresource.xml",
            RESOURCE.format("EPSG:4326", "global-geodetic", "png"),
            "'global-geodetic' in 'EPSG:4326'; only those of Web Mercator",
        ),
        (
            "tilemapresource.xml",
            RESOURCE.format("EPSG:2056", "raster", "png"),
            "profile 'raster' in 'EPSG:2056'; only",
        ),
        ("tilemapresource.xml", "<TileMap", "damaged .no XML"),
        ("tilemapresource.xml", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "entit"),
        ("metadata.json", "{", "damaged .not valid JSON"),
        ("metadata.json", "[]", "damaged"),
        (
            "metadata.json",
            '{"scheme": "quadkey"}',
            "scheme=quadkey: must",
        ),
    ],
)
def test_schemes_that_are_not_read(tmp_path, name, content, message):
    folder = write_tiles(tmp_path / "tiles", 1)
    (folder / name).write_text(content)
    with pytest.raises(UserError, match=message) as error:
        SlippyMap(folder, 0.3)
    assert name in str(error.value) and "\n" not in str(error.value)


def test_a_placeholder_is_an_empty_tile(tmp_path):
    """The first tile at that, whose size all others were held to."""
    folder = write_tiles(tmp_path / "tiles")
    for side, n in ((1, 0), (2, 2)):
        pixels = np.full((side, side, 4), 255, np.uint8)
        cv2.imwrite(str(tile_path(folder, n, n)), pixels)
    area = SlippyMap(folder, 0.3)
    assert area.width == 3 * TILE
    _, mask = whole(area)
    assert not mask[:TILE, :TILE].any() and not mask[-TILE:, -TILE:].any()
    assert (mask == 0).sum() == 2 * TILE**2
    _, found = fates(folder, SETTINGS, tmp_path / "crops")
    missing = [fate for fate in found if fate != "ok"]
    assert "ok" in found and all("no data" in fate for fate in missing)


def chunk(name, body):
    whole = name + body
    checksum = struct.pack(">I", zlib.crc32(whole))
    return struct.pack(">I", len(body)) + whole + checksum


def test_an_empty_tile_of_full_size(tmp_path):
    """As servers keep it: one bit a pixel, its colour transparent."""
    folder = write_tiles(tmp_path / "tiles")
    about = struct.pack(">IIBBBBB", TILE, TILE, 1, 3, 0, 0, 0)
    parts = [
        chunk(b"IHDR", about),
        chunk(b"PLTE", b"\0\0\0\xff\xff\xff"),
        chunk(b"tRNS", b"\0"),
        chunk(b"IDAT", zlib.compress(bytes((1 + TILE // 8) * TILE))),
        chunk(b"IEND", b""),
    ]
    content = b"".join([b"\x89PNG\r\n\x1a\n", *parts])
    tile_path(folder, 1, 1).write_bytes(content)
    _, mask = whole(SlippyMap(folder, 0.3))
    assert not mask[TILE : 2 * TILE, TILE : 2 * TILE].any()
    assert (mask == 0).sum() == TILE**2


def test_only_placeholders(tmp_path):
    folder = write_tiles(tmp_path / "tiles", 1)
    (path,) = folder.rglob("*.png")
    cv2.imwrite(str(path), np.zeros((1, 1, 4), np.uint8))
    with pytest.raises(UserError, match="none of 1 tiles .*: they are place"):
        SlippyMap(folder, 0.3)


def test_a_photograph_goes_over_an_overlay(tmp_path):
    folder = write_tiles(tmp_path / "tiles", suffix=".jpg")
    wanted, _ = whole(SlippyMap(folder, 0.3))
    for path in list(folder.rglob("*.jpg")):
        overlay = np.zeros((TILE, TILE, 4), np.uint8)
        cv2.imwrite(str(path.with_suffix(".png")), overlay)
    area = SlippyMap(folder, 0.3)
    np.testing.assert_array_equal(whole(area)[0], wanted)
    assert ".png files beside better ones" in area.notes[0]
    # Unless the folder's own file says which is meant.
    (folder / "metadata.json").write_text('{"format": "png"}')
    assert not whole(SlippyMap(folder, 0.3))[1].any()


@pytest.mark.parametrize("twin", ["0{}.png", "{}.PNG", "{}.tif"])
def test_two_files_of_a_tile_of_equal_rank(tmp_path, twin):
    folder = write_tiles(tmp_path / "tiles", 1)
    (path,) = folder.rglob("*.png")
    shutil.copy(path, path.with_name(twin.format(path.stem)))
    with pytest.raises(UserError, match="are the same tile; remove one kind"):
        SlippyMap(folder, 0.3)


def test_names_of_tiles(tmp_path):
    """Leading zeros, capitals, fine screens' twice the pixels."""
    wanted = SlippyMap(write_tiles(tmp_path / "tiles"), 0.3)
    zeros = tmp_path / "zeros"
    fine = tmp_path / "fine"
    for path in (tmp_path / "tiles").rglob("*.png"):
        x, y = int(path.parent.name), int(path.stem)
        for copy in (
            zeros / f"{ZOOM}/{x:09}/{y:09}.PNG",
            fine / f"{ZOOM}/{x}/{y}@2x.png",
        ):
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    assert is_tiles(zeros) and same_map(SlippyMap(zeros, 0.3), wanted)
    for path in fine.rglob("*.png"):
        image = cv2.imread(str(path))
        image = image.repeat(2, axis=0).repeat(2, axis=1)
        cv2.imwrite(str(path), image)
    area = SlippyMap(fine, 0.3)
    assert area.width == 6 * TILE
    np.testing.assert_allclose(
        crop_centres(area, SETTINGS), crop_centres(wanted, SETTINGS)
    )


@pytest.mark.parametrize("suffix", [".tif", ".TIFF", ".jpeg", ".webp"])
def test_other_kinds_of_tiles(tmp_path, suffix):
    """As far as the one image reader takes them; else it says why not."""
    folder = write_tiles(tmp_path / "tiles", 1, suffix=suffix)
    assert is_tiles(folder)
    if suffix == ".webp":
        with pytest.raises(UserError, match="none of 1 tiles .* WebP image"):
            SlippyMap(folder, 0.3)
        return
    wanted = SlippyMap(write_tiles(tmp_path / "png", 1), 0.3)
    one, two = (whole(m) for m in (SlippyMap(folder, 0.3), wanted))
    assert abs(one[0].astype(int) - two[0]).max() <= 8
    assert one[1].all()


def test_what_is_no_tile(tmp_path):
    """Pictures by date are no tiles: zoom 2026 is none, x is below 2^z."""
    assert is_tiles(write_tiles(tmp_path / "tiles", 1, suffix=".JPG"))
    for name in (
        *("a/2026/05/1.jpg", "b/2/7/1.jpg", "c/3/1/9.jpg", "d/1/2/x.png"),
        *("e/1/2.png", "f/x/1/2.png", "g/1/2/3.txt"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.touch()
        assert not is_tiles(tmp_path / name[0])


@pytest.mark.parametrize("first", [(2**ZOOM - 1, 560_000), (0, 560_000)])
def test_tiles_on_both_sides_of_180_degrees(tmp_path, first):
    """Column 0 lies beside the last one; crops go across."""
    folder = tmp_path / "tiles"
    for x in range(-1, 2):
        for y in range(3):
            column = x % 2**ZOOM
            path = folder / f"{ZOOM}/{column}/{first[1] + y}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.full((TILE, TILE, 3), 100 + 50 * x, np.uint8)
            cv2.imwrite(str(path), pixels)
    area = SlippyMap(folder, 0.3)
    assert (area.width, area.height) == (3 * TILE, 3 * TILE)
    north = corner((0, first[1]), ZOOM)[0]
    west = corner((2**ZOOM - 1, 0), ZOOM)[1]
    np.testing.assert_allclose(area.to_degrees(np.zeros(2)), [north, west])
    np.testing.assert_allclose(
        area.to_pixels(np.array([north, -180 + 180 / 2**ZOOM])),
        [1.5 * TILE, 0],
        atol=1e-4,
    )
    centres = crop_centres(area, SETTINGS)
    assert (centres[:, 1] > 179.9).any() and (centres[:, 1] < -179.9).any()
    crops = [cut_crop(area, c, SETTINGS) for c in centres[::31].tolist()]
    assert {int(c.mean()) for c in crops} >= {50, 100, 150}


def test_where_a_map_of_tiles_is_asked_by_flag(tmp_path):
    folder = write_tiles(tmp_path / "tiles")
    with pytest.raises(UserError, match="tile_rows=up: must be one of"):
        SlippyMap(folder, 0.3, "up")
    found = find(folder, SETTINGS, tile_rows="tms")
    assert found.place(0, tmp_path).coordinates[0] < 0
