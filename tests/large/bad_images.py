"""Uploads that no image decoder should have to meet, as bytes."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache

import cv2
import numpy as np
from PIL import Image

Make = Callable[[random.Random, bytes], bytes]
"""Takes a source of chance and a sound JPEG."""


def _noise(chance: random.Random, sound: bytes) -> bytes:
    return chance.randbytes(chance.randrange(1, 100_000))


def _flipped(chance: random.Random, sound: bytes) -> bytes:
    """A sound start and end, and noise where the tables should be."""
    return sound[:3] + chance.randbytes(5000) + b"\xff\xd9"


def _truncated(chance: random.Random, sound: bytes) -> bytes:
    return sound[: chance.randrange(2, len(sound) - 2)]


@cache
def _encoded(kind: str, height: int = 64, width: int = 256) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3))
    return cv2.imencode(kind, noise.astype(np.uint8))[1].tobytes()


def _truncated_png(chance: random.Random, sound: bytes) -> bytes:
    file = _encoded(".png")
    return file[: chance.randrange(40, len(file) - 12)]


def png(height: int, width: int, rows: bytes, bits: int = 8) -> bytes:
    """A grey PNG whose header says height x width, whatever its rows are."""
    return _packed_png(height, width, zlib.compress(rows), bits)


def _packed_png(height: int, width: int, packed: bytes, bits: int = 8) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data)
        return (
            struct.pack(">I", len(data))
            + name
            + data
            + struct.pack(">I", checksum)
        )

    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    parts = [
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", header),
        chunk(b"IDAT", packed),
        chunk(b"IEND", b""),
    ]
    return b"".join(parts)


def packed_zeros(length: int) -> bytes:
    """A zlib stream that unpacks to so many zeros, or a few more.

    A block that ends with a full flush is the same wherever it stands, so
    that nobody has to pack gigabytes.
    """
    size = 2**24
    packer = zlib.compressobj(9)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(size)) + packer.flush(zlib.Z_FULL_FLUSH)
    times = -(-length // size)
    # Adler-32 of zeros: its low half stays 1 and is added up in the other.
    checksum = (times * size % 65521) << 16 | 1
    return start + block * times + b"\3\0" + struct.pack(">I", checksum)


def _overfull_png(gibibytes: float) -> Make:
    def make(chance: random.Random, sound: bytes) -> bytes:
        """64 x 64 pixels, and far more behind them."""
        return _packed_png(64, 64, packed_zeros(int(gibibytes * 2**30)))

    return make


def overfull_tiff(chance: random.Random, sound: bytes) -> bytes:
    """The same in a strip of a TIFF."""
    packed = packed_zeros(4 * 2**30)
    tags = [
        (256, 4, 1, 64),
        (257, 4, 1, 64),
        (258, 3, 1, 8),
        (259, 3, 1, 8),
        (262, 3, 1, 1),
        (273, 4, 1, 8 + 2 + 9 * 12 + 4),
        (277, 3, 1, 1),
        (278, 4, 1, 64),
        (279, 4, 1, len(packed)),
    ]
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", *tag) for tag in tags)
    return b"II*\0" + struct.pack("<I", 8) + directory + bytes(4) + packed


def _wide_png(chance: random.Random, sound: bytes) -> bytes:
    """48 kB that are 20,000 x 20,000 pixels of one bit."""
    return png(20_000, 20_000, bytes(20_000 * 2501), 1)


def noted(png_file: bytes, heading: float) -> bytes:
    """A PNG with GPano's note of where its centre looks, degrees."""
    note = (
        "iTXtXML:com.adobe.xmp\0\0\0\0\0<x xmlns:GPano="
        '"http://ns.google.com/photos/1.0/panorama/"'
        f' GPano:PoseHeadingDegrees="{heading}"/>'
    ).encode()
    size, checksum = len(note) - 4, zlib.crc32(note)
    chunk = struct.pack(">I", size) + note + struct.pack(">I", checksum)
    return png_file[:33] + chunk + png_file[33:]


def largest_blank(chance: random.Random, sound: bytes) -> bytes:
    """The largest image that is let in, 65 kB long."""
    return png(4096, 16384, bytes(4096 * 16385))


@cache
def _blank(height: int, width: int, length: int) -> bytes:
    return png(height, width, bytes(length))


def _png_bomb(chance: random.Random, sound: bytes) -> bytes:
    return _blank(50_000, 50_000, 10_000_000)


def _long_strip(chance: random.Random, sound: bytes) -> bytes:
    """Few pixels, but a million rows to weigh."""
    if chance.random() < 0.5:
        return _blank(1_000_000, 1, 2_000_000)
    return _blank(1, 1_000_000, 1_000_001)


def _jpeg_bomb(chance: random.Random, sound: bytes) -> bytes:
    place = sound.find(b"\xff\xc0") + 5
    return sound[:place] + b"\xfd\xe8\xfd\xe8" + sound[place + 4 :]


@cache
def _scanned(mode: str, width: int, height: int, times: int) -> bytes:
    """A progressive JPEG whose last scan comes so often."""
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * times + b"\xff\xd9"


def _many_scans(chance: random.Random, sound: bytes) -> bytes:
    return _scanned("RGB", 2048, 512, 5000)


def slow_scans(chance: random.Random, sound: bytes) -> bytes:
    """As large and with as many scans as may be: each passes over it all."""
    return _scanned("L", 8192, 8192, 50)


def _several(kind: str) -> Make:
    def make(chance: random.Random, sound: bytes) -> bytes:
        file, image = io.BytesIO(), Image.new("RGB", (64, 32))
        other = Image.new("RGB", (64, 32), "red")
        image.save(file, kind, save_all=True, append_images=[other])
        return file.getvalue()

    return make


def _tag_bomb(chance: random.Random, sound: bytes) -> bytes:
    """A TIFF whose directory of 60,000 tags is its own next page."""
    tag = struct.pack("<HHII", 256, 3, 1, 64)
    directory = struct.pack("<H", 60_000) + tag * 60_000
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 8)


def _svg(chance: random.Random, sound: bytes) -> bytes:
    return b'<svg onload="alert(1)" xmlns="http://www.w3.org/2000/svg"/>'


def _html(chance: random.Random, sound: bytes) -> bytes:
    return b"<!DOCTYPE html><script>alert(1)</script>"


REFUSED: dict[str, Make] = {
    "empty": lambda chance, sound: b"",
    "zeros": lambda chance, sound: bytes(chance.randrange(1, 10**6)),
    "random bytes": _noise,
    "random JPEG": _flipped,
    "truncated JPEG": _truncated,
    "truncated PNG": _truncated_png,
    "PNG bomb": _png_bomb,
    "long strip": _long_strip,
    "JPEG bomb": _jpeg_bomb,
    "JPEG of many scans": _many_scans,
    "animated GIF": _several("GIF"),
    "animated PNG": _several("PNG"),
    "WebP": lambda chance, sound: _encoded(".webp"),
    "TIFF of pages": _several("TIFF"),
    "TIFF of tags": _tag_bomb,
    "SVG": _svg,
    "HTML": _html,
    "ZIP": lambda chance, sound: b"PK\3\4" + bytes(1000),
}
"""Name to bytes that are no panorama."""

BOMBS: dict[str, Make] = {
    "PNG of 19 GiB": _overfull_png(19),
    "PNG of 4 GiB": _overfull_png(4),
    "PNG of 20,000 x 20,000": _wide_png,
}
"""Name to bytes that unpack to far more; they need no sound JPEG."""
