"""Which bands are colours, alpha that is none, bit depths, palettes."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from mgtl_tf.galleries.tiling.finding import open_map
from mgtl_tf.galleries.tiling.raster import RasterMap
from mgtl_tf.utils.errors import UserError
from polar.image_files import decode
from tests.galleries.tiling.maps import (
    SETTINGS,
    UTM,
    fates,
    scene,
    whole,
    write_map,
)

C = ColorInterp


def read(path):
    """The whole map's colours and mask, as it is cut from."""
    (area,) = open_map(path, SETTINGS).maps
    return area, *whole(area)


NOT_ALPHA = {
    "one value": np.full((1, 250, 250), 100, np.uint8),
    "a picture": scene(1, seed=5),
    "never filled": np.zeros((1, 250, 250), np.uint8),
    "hardly filled": scene(1, seed=5) // 60,
    "water 0, fields 180": np.where(scene(1, seed=5) > 99, 180, 0),
}


@pytest.mark.parametrize("name", NOT_ALPHA)
def test_near_infrared_called_alpha_is_said_and_ignored(tmp_path, name):
    pixels = np.concatenate([scene(), NOT_ALPHA[name]]).astype(np.uint8)
    path = write_map(tmp_path / "m.tif", *UTM, pixels=pixels)
    with rasterio.open(path) as file:
        assert file.colorinterp[3] == C.alpha  # By default.
    source, found = fates(path, SETTINGS, tmp_path)
    assert set(found) == {"ok"} and len(found) > 9
    (note,) = source.notes()
    assert "m.tif: band 4 is called alpha" in note and "ignored" in note
    _, colors, mask = read(path)
    np.testing.assert_array_equal(colors, np.moveaxis(pixels[:3], 0, 2))
    assert mask.all()


ALPHA = np.full((250, 250), 255, np.uint8)
ALPHA[:100] = 0


@pytest.mark.parametrize("opaque", [255, 1])
@pytest.mark.parametrize("feathered", [False, True])
def test_transparency_is_believed(tmp_path, opaque, feathered):
    alpha = ALPHA // 255 * opaque
    if feathered and opaque == 255:
        alpha[100:104] = np.array([50, 100, 150, 200])[:, None]
    pixels = np.concatenate([scene(), alpha[None]])
    path = write_map(tmp_path / "m.tif", *UTM, pixels=pixels)
    area, colors, mask = read(path)
    assert area.notes == ()
    wanted = np.where(2 * alpha.astype(int) >= opaque, 255, 0)
    np.testing.assert_array_equal(mask, wanted)


def test_transparency_that_jpeg_has_blurred(tmp_path):
    pixels = np.concatenate([scene(), ALPHA[None]])
    path = write_map(
        tmp_path / "m.tif",
        *UTM,
        pixels=pixels,
        compress="jpeg",
        jpeg_quality=60,
        interleave="band",
    )
    with rasterio.open(path) as file:
        assert 2 < len(np.unique(file.read(4)))
    area, _, mask = read(path)
    assert area.notes == ()
    np.testing.assert_array_equal(mask, ALPHA)


def test_a_map_that_is_transparent_all_over_is_no_picture(tmp_path):
    pixels = np.zeros((4, 250, 250), np.uint8)
    path = write_map(tmp_path / "m.tif", *UTM, pixels=pixels)
    _, found = fates(path, SETTINGS, tmp_path)
    assert set(found) == {"no data in the map"}


FIVE = np.concatenate([scene(), scene(2, seed=9)])
RED, GREEN, BLUE, FOUR, FIFTH = FIVE
# Bands, what they are called, what must be seen.
BANDS = {
    "blue first": ([BLUE, GREEN, RED], (C.blue, C.green, C.red), "rgb"),
    "near infrared first": (
        [FOUR, RED, GREEN, BLUE],
        (C.nir, C.red, C.green, C.blue),
        "rgb",
    ),
    "alpha first": (
        [ALPHA, RED, GREEN, BLUE],
        (C.alpha, C.red, C.green, C.blue),
        "rgb",
    ),
    "three without names": ([RED, GREEN, BLUE], None, "rgb"),
    "four without names": ([RED, GREEN, BLUE, FOUR], None, "rgb"),
    "five with names": (
        [FOUR, BLUE, FIFTH, GREEN, RED],
        (C.undefined, C.blue, C.undefined, C.green, C.red),
        "rgb",
    ),
    "grey": ([RED], (C.gray,), "grey"),
    "grey and another": ([RED, FOUR], (C.gray, C.undefined), "grey"),
    "grey and near infrared": ([RED, FOUR], (C.gray, C.nir), "grey"),
    "two without names": ([RED, FOUR], (C.undefined, C.undefined), "grey"),
}


@pytest.mark.parametrize("name", BANDS)
def test_bands_by_what_they_are_called(tmp_path, name):
    bands, colors, kind = BANDS[name]
    path = write_map(
        tmp_path / "m.tif",
        *UTM,
        pixels=np.stack(bands),
        colors=colors,
        photometric="MINISBLACK",
        alpha="NO",
    )
    _, seen, _ = read(path)
    wanted = np.stack([RED, GREEN, BLUE] if kind == "rgb" else [RED] * 3, 2)
    np.testing.assert_array_equal(seen, wanted)


def test_bands_by_their_descriptions(tmp_path):
    path = write_map(
        tmp_path / "m.tif",
        *UTM,
        pixels=np.stack([FOUR, BLUE, GREEN, RED, FIFTH]),
        photometric="MINISBLACK",
        values={"descriptions": ("Coastal", "Blue", "Green", "Red", "NIR")},
    )
    _, seen, _ = read(path)
    np.testing.assert_array_equal(seen, np.stack([RED, GREEN, BLUE], 2))


@pytest.mark.parametrize(
    ("bands", "colors", "message"),
    [
        (FIVE, None, "5 bands without a colour"),
        (FIVE[:3], (C.nir, C.red, C.green), "nir, red, green: which of them"),
        (FIVE[:3], (C.hue, C.saturation, C.lightness), "hue, saturation"),
        (FIVE[:3].astype(np.float32), None, "bands of float32, whose colours"),
        (FIVE[:3].astype(np.int16), None, "bands of int16, whose colours"),
        (FIVE[:3].astype(np.uint32), None, "bands of uint32, whose colours"),
        (FIVE[:3].astype(np.uint16) * 8, None, r"how many are used \(11\?\)"),
    ],
)
def test_colours_that_cannot_be_known(tmp_path, bands, colors, message):
    path = write_map(
        tmp_path / "m.tif",
        *UTM,
        pixels=bands,
        colors=colors,
        photometric="MINISBLACK",
    )
    with pytest.raises(UserError, match=message) as error:
        open_map(path, SETTINGS)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


DEPTHS = {
    "8 bits": (scene(), {}),
    "8 bits of RGB": (scene(), {"photometric": "RGB"}),
    "16 bits": (scene().astype(np.uint16) * 257, {}),
    "16 bits of RGB": (scene().astype(np.uint16) * 257, {"photometric": "RGB"}),
    "16 bits and alpha": (
        np.concatenate([scene(), scene(1) | 255]).astype(np.uint16) * 257,
        {"photometric": "RGB", "alpha": "YES"},
    ),
    "11 of 16 bits": (
        np.rint(scene() / 255 * 2047).astype(np.uint16),
        {"nbits": 11},
    ),
    "12 of 16 bits": (
        np.rint(scene() / 255 * 4095).astype(np.uint16),
        {"nbits": 12, "photometric": "RGB"},
    ),
    "grey of 16 bits": (scene(1).astype(np.uint16) * 257, {}),
    "white is zero": (255 - scene(1), {"photometric": "MINISWHITE"}),
    "JPEG in YCbCr": (
        scene(),
        {"photometric": "YCBCR", "compress": "jpeg", "jpeg_quality": 100},
    ),
    "4 of 8 bits": (scene(1) // 17, {"nbits": 4}),
}


@pytest.mark.parametrize("name", DEPTHS)
def test_true_colours_at_any_depth(tmp_path, name):
    """As the picture was before; by the image reader too, or refused."""
    bands, profile = DEPTHS[name]
    path = write_map(tmp_path / "m.tif", *UTM, pixels=bands, **profile)
    _, seen, mask = read(path)
    wanted = scene(1 if len(bands) == 1 else 3)
    if name == "4 of 8 bits":
        wanted = wanted // 17 * 17
    wanted = np.broadcast_to(np.moveaxis(wanted, 0, 2), seen.shape)
    tolerance = 4 if "JPEG" in name else 1
    assert abs(seen.astype(int) - wanted).max() <= tolerance
    assert mask.all()
    try:
        pixels = decode(path.read_bytes())
    except ValueError as error:
        assert name in ("11 of 16 bits", "12 of 16 bits", "4 of 8 bits")
        assert "bits" in str(error)
        return
    # JPEG decoders differ in how they enlarge the colours.
    tolerance = 12 if "JPEG" in name else 0
    assert abs(seen.astype(int) - pixels).max() <= tolerance


def test_a_palette_with_a_transparent_colour(tmp_path):
    values = np.arange(4, dtype=np.uint8).repeat(64)[None, None]
    pixels = np.broadcast_to(values[..., :250], (1, 250, 250))
    path = write_map(tmp_path / "m.png", *UTM, pixels=pixels, driver="PNG")
    table = {n: (10 * n, 200, 30, 255) for n in range(4)} | {2: (9, 9, 9, 0)}
    with rasterio.open(
        tmp_path / "p.tif",
        "w",
        **rasterio.open(path).profile | {"driver": "GTiff", "nodata": 3},
    ) as file:
        file.write(pixels)
        file.write_colormap(1, table)
    area = RasterMap(tmp_path / "p.tif")
    colors, mask = whole(area)
    assert colors[0, 0].tolist() == [0, 200, 30]
    assert colors[0, 70].tolist() == [10, 200, 30]
    assert mask[0, [0, 70]].all() and not mask[0, 200:].any()


def test_many_pixels_are_not_read_for_a_coarse_crop(tmp_path):
    """A crop of 8 pixels of 5 m from 0.05 m: averaged while reading."""
    board = np.indices((1000, 1000)).sum(axis=0) % 2 * 255
    path = write_map(
        tmp_path / "m.tif",
        UTM[0],
        UTM[1],
        (0.05, 0.05),
        pixels=np.stack([board] * 3).astype(np.uint8),
    )
    area = RasterMap(path)
    window = area.read(0, 0, 1000, 1000, 25.0)
    assert window.pixels.shape == (40, 40, 4)
    assert window.step == (25.0, 25.0)
    assert abs(window.pixels[..., :3].astype(int) - 127).max() <= 6
    assert (window.pixels[..., 3] == 255).all()
