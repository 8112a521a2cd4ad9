"""Uploads that no image decoder should have to meet, as bytes."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable

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


def _encoded(kind: str, height: int = 64, width: int = 256) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (height, width, 3))
    return cv2.imencode(kind, noise.astype(np.uint8))[1].tobytes()


def _truncated_png(chance: random.Random, sound: bytes) -> bytes:
    file = _encoded(".png")
    return file[: chance.randrange(40, len(file) - 12)]


def png(height: int, width: int, rows: bytes) -> bytes:
    """A grey PNG whose header says height x width, whatever its rows are."""

    def chunk(name: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(name + data)
        return (
            struct.pack(">I", len(data))
            + name
            + data
            + struct.pack(">I", checksum)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = [
        b"\x89PNG\r\n\x1a\n",
        chunk(b"IHDR", header),
        chunk(b"IDAT", zlib.compress(rows)),
        chunk(b"IEND", b""),
    ]
    return b"".join(parts)


def largest_blank(chance: random.Random, sound: bytes) -> bytes:
    """The largest image that is let in, 65 kB long."""
    return png(4096, 16384, bytes(4096 * 16385))


def _png_bomb(chance: random.Random, sound: bytes) -> bytes:
    return png(50_000, 50_000, bytes(10_000_000))


def _long_strip(chance: random.Random, sound: bytes) -> bytes:
    """Few pixels, but a million rows to weigh."""
    if chance.random() < 0.5:
        return png(1_000_000, 1, bytes(2_000_000))
    return png(1, 1_000_000, bytes(1_000_001))


def _jpeg_bomb(chance: random.Random, sound: bytes) -> bytes:
    place = sound.find(b"\xff\xc0") + 5
    return sound[:place] + b"\xfd\xe8\xfd\xe8" + sound[place + 4 :]


def _many_scans(chance: random.Random, sound: bytes) -> bytes:
    """A progressive JPEG whose last scan comes thousands of times."""
    file = io.BytesIO()
    Image.new("RGB", (2048, 512)).save(file, "JPEG", progressive=True)
    data = file.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * 5000 + b"\xff\xd9"


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
