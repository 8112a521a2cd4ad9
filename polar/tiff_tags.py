"""The few tags of a TIFF file that tell whether and how to decode it.

EXIF is a TIFF file without pixels, so its orientation is read here as well.
"""

from __future__ import annotations

import struct

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
SUBFILE_TYPE, WIDTH, HEIGHT, BITS = 254, 256, 257, 258
ORIENTATION, CHANNELS, SAMPLE_FORMAT = 274, 277, 339

_WANTED = frozenset(
    [SUBFILE_TYPE, WIDTH, HEIGHT, BITS, ORIENTATION, CHANNELS, SAMPLE_FORMAT]
)
_MOST_DIRECTORIES = 64
# A picture's directory has some twenty; a made-up one could hold us up.
_MOST_TAGS = 4096
# TIFF's whole-number types by number: BYTE, SHORT, LONG, LONG8.
_FORMATS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def orientation(exif: bytes) -> int:
    """EXIF's orientation, 1..8; 1 (upright) where none can be read."""
    try:
        found = directories(exif, most=1)[0].get(ORIENTATION, 1)
    except (ValueError, struct.error):
        return 1
    return found if 1 <= found <= 8 else 1


def directories(
    data: bytes, most: int = _MOST_DIRECTORIES
) -> list[dict[int, int]]:
    """One dict a directory (page): tag to its first value.

    Args:
        data: a TIFF or BigTIFF file.
        most: how many directories are read at most.

    Raises:
        ValueError: where no directory can be read.
        struct.error: where one is cut off.
    """
    if not data.startswith(STARTS):
        raise ValueError("is damaged and cannot be decoded")
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    offset_format = order + ("Q" if big else "I")
    (offset,) = struct.unpack_from(offset_format, data, 8 if big else 4)
    found: list[dict[int, int]] = []
    while offset and len(found) < most:
        if offset >= len(data):
            raise ValueError("is cut off (TIFF)")
        tags, offset = _directory(data, offset, order, big)
        found.append(tags)
    if not found:
        raise ValueError("is damaged and cannot be decoded")
    return found


def _directory(
    data: bytes, place: int, order: str, big: bool
) -> tuple[dict[int, int], int]:
    """The wanted tags of the directory there, and where the next one is."""
    count_format, entry_size = (order + "Q", 20) if big else (order + "H", 12)
    (count,) = struct.unpack_from(count_format, data, place)
    if count > _MOST_TAGS:
        raise ValueError("is damaged and cannot be decoded")
    place += struct.calcsize(count_format)
    tags = {}
    for start in range(place, place + count * entry_size, entry_size):
        tag, kind = struct.unpack_from(order + "HH", data, start)
        if tag in _WANTED and kind in _FORMATS:
            tags[tag] = _first_value(data, start, order + _FORMATS[kind], big)
    after = place + count * entry_size
    return tags, struct.unpack_from(order + ("Q" if big else "I"), data, after)[
        0
    ]


def _first_value(data: bytes, start: int, value: str, big: bool) -> int:
    word = "Q" if big else "I"
    (count,) = struct.unpack_from(value[0] + word, data, start + 4)
    place = start + (12 if big else 8)
    if count * struct.calcsize(value) > (8 if big else 4):
        (place,) = struct.unpack_from(value[0] + word, data, place)
    return struct.unpack_from(value, data, place)[0]
