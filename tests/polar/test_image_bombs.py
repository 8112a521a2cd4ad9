"""Small files that ask for much work or memory are refused at once.

No clock is asked: memory is, and how much is unpacked.
"""

import io
import os
import random
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from polar.image_files import MOST_BYTES, decode, read_image
from tests.large import bad_images


def chunk(name, body):
    checksum = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + checksum


def png(width, height, packed, *more, bits=8, color=0):
    about = struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0)
    parts = [chunk(b"IHDR", about), *more, chunk(b"IDAT", packed)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts) + chunk(b"IEND", b"")


def zeros(count):
    """So many zeros, packed."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(2**20)) for _ in range(count // 2**20)]
    return b"".join([*parts, packer.flush()])


def refused(data, said):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=said):
            decode(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * len(data) + 2e7


def test_a_png_that_unpacks_to_more_than_its_pixels():
    refused(png(64, 64, zeros(2**26)), "unpacks to more than its pixels")


@pytest.mark.parametrize("name", [b"zTXt", b"iCCP", b"iTXt"])
def test_notes_of_a_png_are_not_unpacked(name):
    body = b"a\0\0" + zeros(2**26)
    if name == b"iTXt":
        body = b"XML:com.adobe.xmp\0\1\0\0\0" + zeros(2**26)
    data = png(8, 8, zlib.compress(bytes(72)), *[chunk(name, body)] * 9)
    tracemalloc.start()
    assert decode(data).shape == (8, 8, 3)
    assert tracemalloc.get_traced_memory()[1] < 3 * len(data)
    tracemalloc.stop()


def test_every_png_of_pillow_unpacks_to_its_own_size():
    """The size that is asked for, against a writer that knows it."""
    source = np.random.default_rng(0).integers(0, 256, (13, 11, 4), np.uint8)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        image = Image.fromarray(source).convert(mode)
        file = io.BytesIO()
        image.save(file, "PNG")
        expected = np.asarray(image.convert("RGB"))
        if mode in ("LA", "RGBA"):
            expected = np.asarray(image)[..., :-1]
            expected = np.broadcast_to(expected, (13, 11, 3))
        found = decode(file.getvalue())
        assert np.array_equal(found, expected), mode


@pytest.mark.parametrize(
    ("interlaced", "size"),
    # A byte for each row: 8, and of Adam7's seven passes 15.
    [(0, 8 * 9), (1, 8 * 8 + 15)],
)
def test_a_png_unpacks_to_just_its_size(interlaced, size):
    about = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, interlaced)

    def packed(count):
        body = chunk(b"IDAT", zlib.compress(bytes(count)))
        start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", about)
        return start + body + chunk(b"IEND", b"")

    assert not decode(packed(size)).any()
    for other in (size - 1, size + 1):
        with pytest.raises(ValueError, match="pixels"):
            decode(packed(other))


@pytest.mark.parametrize("side", [20_000, 65_535])
def test_too_many_pixels_are_refused_before_memory_is_taken(side):
    data = png(side, side, zlib.compress(bytes(10**6)))
    refused(data, f"{side} x {side} pixels: more than")


@pytest.mark.parametrize("codec", ["zlib", "lzma", "lzw", "packbits"])
def test_a_strip_that_unpacks_to_more_than_its_pixels(codec):
    """A large strip under a small picture's size."""
    file = io.BytesIO()
    large = np.zeros((4000, 4000, 3), np.uint8)
    options = {"photometric": "rgb", "rowsperstrip": 4000}
    tifffile.imwrite(file, large, compression=codec, **options)
    data = bytearray(file.getvalue())
    with tifffile.TiffFile(io.BytesIO(data)) as opened:
        tags = opened.pages.first.tags
        places = [tags[name].valueoffset for name in (256, 257, 278)]
    for place in places:
        data[place : place + 2] = struct.pack("<H", 64)
    refused(bytes(data), "is damaged")


def test_directories_without_end():
    refused(bad_images._tag_bomb(random.Random(0), b""), "damaged or cut off")


def test_scans_without_end():
    file = io.BytesIO()
    Image.new("RGB", (2048, 512)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    many = data[:last] + data[last:-2] * 5000 + b"\xff\xd9"
    refused(many, "has more than 1000 scans")
    assert decode(data + data[last:] * 5000).shape == (512, 2048, 3)


def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", tmp_path, "/dev/zero"):
        with pytest.raises(ValueError, match="is a folder or device"):
            read_image(path)
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(ValueError, match="1,073,741,825 bytes, more than"):
        read_image(tmp_path / "large.png")


def test_every_bad_upload_is_refused():
    sound = io.BytesIO()
    Image.new("RGB", (64, 32), "green").save(sound, "JPEG")
    chance = random.Random(1)
    for name, make in bad_images.REFUSED.items():
        if name not in ("long strip",):
            with pytest.raises(ValueError):
                decode(make(chance, sound.getvalue()))
