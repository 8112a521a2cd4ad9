"""Damaged image files are refused, in every format; odd ones are read."""

import io
import re

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from polar.image_files import decode
from tests.polar.sound_images import (
    CHECKED,
    DAMAGES,
    JPEGS,
    OTHERS,
    flipped,
    gdal,
    pillow,
    scene,
    tiff,
)

ALL = {**JPEGS, **OTHERS}


def visibly_other(data, sound):
    """Whether OpenCV, which forgives much, shows another picture."""
    other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if other is None or other.shape != sound.shape:
        return True
    far = np.abs(other.astype(int) - sound).max(axis=-1) > 16
    return far.mean() > 0.02


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("kind", ALL)
def test_damage_is_refused(kind, damage, capfd):
    data = ALL[kind](scene())
    sound = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    random = np.random.default_rng(len(kind))
    for _ in range(5):
        damaged = damage(data, random)
        visible = visibly_other(damaged, sound)
        capfd.readouterr()  # OpenCV's complaints.
        if visible:
            with pytest.raises(ValueError, match="damaged|cut off|not read"):
                decode(damaged)
        assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", CHECKED)
def test_where_there_are_checksums_no_bit_changes_unseen(kind):
    image = scene(48, 96)
    data = OTHERS[kind](image)
    random = np.random.default_rng(0)
    for _ in range(100):
        damaged = flipped(data, random)
        try:
            found = decode(damaged)
        except ValueError:
            continue
        # A byte that is of no pixel, such as a tag's.
        assert np.array_equal(found, image)


@pytest.mark.parametrize("kind", ALL)
def test_sound_files_are_read(kind, capfd):
    data = ALL[kind](scene())
    with Image.open(io.BytesIO(data)) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    found = decode(data)
    assert found.dtype == np.uint8
    assert found.shape == np.asarray(upright).shape
    assert np.abs(found.astype(int) - np.asarray(upright)).mean() < 1.5
    assert capfd.readouterr().err == ""


BASE = pillow("JPEG", quality=90)(scene())


def _with_segment(marker, content):
    length = (len(content) + 2).to_bytes(2, "big")
    return BASE[:2] + bytes([255, marker]) + length + content + BASE[2:]


def _without_last_parameters():
    place = BASE.find(b"\xff\xda") + 2
    length = int.from_bytes(BASE[place : place + 2], "big")
    end = place + length
    return BASE[: end - 3] + bytes(3) + BASE[end:]


ODD = {
    "appended": BASE + b"MotionPhoto" + bytes(range(256)) * 20,
    "appended zeros": BASE + bytes(5000),
    "appended JPEG": BASE + BASE[: len(BASE) // 2],
    "padded before its end": BASE[:-2] + bytes(4096) + BASE[-2:],
    "one byte before its end": BASE[:-2] + b"\x5a" + BASE[-2:],
    "filled before its end": BASE[:-2] + b"\xff" * 9 + BASE[-2:],
    "bytes between segments": BASE[:20] + b"\0\0\0" + BASE[20:],
    "application data": _with_segment(0xE5, b"x" * 60_000),
    "comment of zeros": _with_segment(0xFE, bytes(5000)),
    "scan of no parameters": _without_last_parameters(),
    "odd JFIF": BASE.replace(b"JFIF\0\1", b"JFIF\0\7", 1),
}


@pytest.mark.parametrize("kind", ODD)
def test_what_cameras_write_is_no_damage(kind):
    sound = cv2.imdecode(np.frombuffer(BASE, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert np.array_equal(decode(ODD[kind]), sound)


def test_a_progressive_file_that_ends_after_any_scan():
    """libjpeg takes what is there for all there is."""
    data = JPEGS["progressive"](scene())
    places = [n for n in range(len(data)) if data[n : n + 2] == b"\xff\xda"]
    assert len(places) > 5
    for place in places[1:]:
        # Before a scan's header stand its tables.
        tables = data.rfind(b"\xff\xc4", 0, place)
        end = tables if data[tables + 4] < 32 and tables > 0 else place
        for cut in {place, end if end > places[0] else place}:
            with pytest.raises(ValueError, match="lacks scans|damaged"):
                decode(data[:cut] + b"\xff\xd9")


def test_parts_between_restarts_are_not_missed():
    """Zeros that begin within a restart marker leave one byte too many."""
    data = JPEGS["restarts"](scene())
    first = data.find(b"\xff\xda")
    markers = list(re.finditer(rb"\xff[\xd0-\xd7]", data[first:]))
    assert len(markers) > 5
    for found in markers:
        kept = data[: first + found.start() + 1]
        for end in (b"", bytes(len(data) - len(kept))):
            with pytest.raises(ValueError, match="damaged|cut off"):
                decode(kept + end + b"\xff\xd9")


def test_flat_pictures_are_no_holes():
    """Their entropy-coded data are zeros, where tables are made for them."""
    for value in (0, 255):
        flat = np.full((640, 1280, 3), value, np.uint8)
        for options in ({}, {"optimize": True}, {"progressive": True}):
            data = pillow("JPEG", **options)(flat)
            assert np.abs(decode(data).astype(int) - value).max() <= 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pillow("WEBP")(scene(16, 16)), "a WebP image, in which damage"),
        (pillow("GIF")(scene(16, 16)), "a GIF image"),
        (
            tiff(compression="zstd")(scene(16, 16)),
            "compression ZSTD.* not read",
        ),
        (
            tiff(compression="webp")(scene(16, 16)),
            "compression WEBP.* not read",
        ),
        (
            tiff(compression="lerc")(scene(16, 16)),
            "compression LERC.* not read",
        ),
        (
            tiff(compression="jpeg")(scene(16, 16).astype(np.uint16) * 16),
            "rare JPEG that is not read",
        ),
    ],
)
def test_what_is_not_read_is_named_as_such(data, said):
    with pytest.raises(ValueError, match=said) as error:
        decode(data)
    assert "damaged" not in str(error.value)


def _stored(samples, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, samples, **options)
    return file.getvalue()


def test_true_colours_of_tiff():
    """The meanings that TIFF's tags give to samples, written by tifffile."""
    image = scene(32, 32)
    alpha = np.full((32, 32, 1), 128, np.uint8)
    half = np.rint(image * (128 / 255)).astype(np.uint8)
    four = np.concatenate([image, alpha], -1)
    deep = np.rint(image * (4095 / 255)).astype(np.uint16)
    most = [(341, "H", 3, (4095,) * 3, True)]
    black = {"photometric": "minisblack", "planarconfig": "contig"}
    rgb = {"photometric": "rgb"}
    exact = {
        "RGB called grey": _stored(image, **black),
        "RGBA called grey": _stored(four, **black),
        "RGBA": _stored(four, **rgb, extrasamples=["unassalpha"]),
        "16 bits": _stored(image.astype(np.uint16) * 257, **rgb),
        "12 bits, said": _stored(deep, **rgb, extratags=most),
    }
    for name, data in exact.items():
        assert np.array_equal(decode(data), image), name
    grey = decode(_stored(image[..., 0], photometric="minisblack"))
    assert np.array_equal(grey, np.repeat(image[..., :1], 3, axis=2))
    premultiplied = np.concatenate([half, alpha], -1)
    called_grey = ["unspecified", "unspecified", "assocalpha"]
    for options in (
        {**rgb, "extrasamples": ["assocalpha"]},
        {**black, "extrasamples": called_grey},
    ):
        data = _stored(premultiplied, **options)
        assert np.abs(decode(data).astype(int) - image).max() <= 1
    with pytest.raises(ValueError, match="none above 4,095.*12"):
        decode(_stored(deep, **rgb))
    with pytest.raises(ValueError, match="which of them are red"):
        decode(_stored(np.repeat(image, 2, -1), **black))


def test_12_bits_stored_as_12_and_palettes(tmp_path):
    image = scene(32, 30)
    deep = np.rint(image * (4095 / 255)).astype(np.uint16)
    packed = gdal(dtype="uint16", NBITS=12, compress="LZW")(deep)
    assert np.array_equal(decode(packed), image)
    grey = image[..., 0]
    inverted = _stored(255 - grey, photometric="miniswhite")
    assert np.array_equal(decode(inverted)[..., 1], grey)
    few = Image.fromarray(image).quantize(60)
    few.save(tmp_path / "palette.tif", compression="tiff_lzw")
    found = decode((tmp_path / "palette.tif").read_bytes())
    assert np.array_equal(found, np.asarray(few.convert("RGB")))
