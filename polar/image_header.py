"""What image files say of themselves: read before a pixel is decoded."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from polar import tiff_tags

JPEG_START = b"\xff\xd8"
PNG_START = b"\x89PNG\r\n\x1a\n"
END_OF_IMAGE = 0xD9
# Markers without a length after them: TEM, restarts, start of image.
BARE_MARKERS = frozenset([0x01, *range(0xD0, 0xD9)])

# Start-of-frame markers; between them stand DHT, JPG and DAC, which are none.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_START_OF_SCAN = 0xDA
_APPLICATION_1 = 0xE1
_EXIF = b"Exif\0\0"
_OTHERS = (
    (b"GIF8", "a GIF image"),
    (b"BM", "a BMP image"),
    (b"RIFF", "a WebP image"),
    (b"%PDF", "a PDF document"),
    (b"PK", "a ZIP archive"),
    (b"<", "a web page or other text"),
    (b"version https://git-lfs", "a Git LFS pointer"),
)


@dataclass(frozen=True)
class Header:
    """An image file's own description.

    Attributes:
        kind: "JPEG", "PNG" or "TIFF".
        height, width: pixels, as stored.
        channels: 1 grey, 2 with alpha, 3 RGB, 4 RGBA (JPEG, TIFF: or CMYK).
        bits: of a channel.
        orientation: EXIF's 1..8; 1 is upright.
        images: how many frames or pages there are.
        floating: whether channels are no whole numbers.
    """

    kind: str
    height: int
    width: int
    channels: int = 3
    bits: int = 8
    orientation: int = 1
    images: int = 1
    floating: bool = False


def read_header(data: bytes) -> Header:
    """The description in a file's first bytes.

    Raises:
        ValueError: saying why, for no JPEG, PNG or TIFF, or a broken one.
    """
    try:
        if data.startswith(JPEG_START):
            return _jpeg(data)
        if data.startswith(PNG_START):
            return _png(data)
        if data.startswith(tiff_tags.STARTS):
            return _tiff(data)
    except (struct.error, IndexError, KeyError):
        raise ValueError("is damaged and cannot be decoded") from None
    raise ValueError(f"is neither JPEG nor PNG nor TIFF{_guess(data)}")


def _guess(data: bytes) -> str:
    if not data.strip(b"\0"):
        return ": it holds only zeros"
    start = data.lstrip()[:32]
    for sign, name in _OTHERS:
        if start.startswith(sign):
            return f" but {name}"
    if data[4:8] == b"ftyp":
        return " but a HEIF, AVIF or video file"
    return ""


def _jpeg(data: bytes) -> Header:
    orientation = 1
    for marker, place in _segments(data):
        if marker == _APPLICATION_1 and data[place:].startswith(_EXIF):
            orientation = tiff_tags.orientation(data[place + len(_EXIF) :])
        if marker in _FRAMES:
            bits, height, width, channels = struct.unpack_from(
                ">BHHB", data, place
            )
            return Header("JPEG", height, width, channels, bits, orientation)
    raise ValueError("is damaged and cannot be decoded")


def _segments(data: bytes) -> Iterator[tuple[int, int]]:
    """Markers before the first scan, each with the place of its content."""
    place = len(JPEG_START)
    while data[place] == 0xFF and data[place + 1] != _START_OF_SCAN:
        marker = data[place + 1]
        if marker == 0xFF or marker in BARE_MARKERS:
            place += 1 if marker == 0xFF else 2
            continue
        yield marker, place + 4
        place += 2 + max(struct.unpack_from(">H", data, place + 2)[0], 2)


def _png(data: bytes) -> Header:
    width, height, bits, color = struct.unpack_from(">IIBB", data, 16)
    channels = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[color]
    orientation, images = 1, 1
    place = len(PNG_START)
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name = data[place + 4 : place + 8]
        if name == b"acTL":
            (images,) = struct.unpack_from(">I", data, place + 8)
        elif name == b"eXIf":
            orientation = tiff_tags.orientation(data[place + 8 :])
        place += 12 + length
    return Header("PNG", height, width, channels, bits, orientation, images)


def _tiff(data: bytes) -> Header:
    pages = tiff_tags.directories(data)
    first = pages[0]
    # Overviews and masks of the same picture are no further pages.
    images = sum(not page.get(tiff_tags.SUBFILE_TYPE, 0) & 5 for page in pages)
    return Header(
        "TIFF",
        first[tiff_tags.HEIGHT],
        first[tiff_tags.WIDTH],
        first.get(tiff_tags.CHANNELS, 1),
        first.get(tiff_tags.BITS, 1),
        first.get(tiff_tags.ORIENTATION, 1),
        max(images, 1),
        first.get(tiff_tags.SAMPLE_FORMAT, 1) == 3,
    )
