"""JPEG files: libjpeg's warnings are errors, but for what does no harm.

libjpeg fills what it cannot decode with grey and warns. Here a warning is an
error. Cameras write files that it warns of although every pixel is there:
those are decoded again without the cause.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import accumulate

import numpy as np
import simplejpeg

from polar.band_colors import inks_to_rgb
from polar.image_header import JPEG_START, Header, exif_orientation

# A photograph has one scan, a progressive one about ten. Each passes over
# all pixels, and an empty one takes ten bytes.
MOST_SCANS = 1000
MOST_SCANNED_PIXELS = 2**31
"""Scans times pixels: some three seconds of work."""

_END = b"\xff\xd9"
# APP1: EXIF and XMP.
_NOTES = b"\xff\xe1"
_CHANNELS = {"Gray": 1, "RGB": 3, "YCbCr": 3, "CMYK": 4, "YCCK": 4}
_SCAN, _RESTARTS = 0xDA, 0xDD
# Frames of Huffman and of arithmetic coding.
_PROGRESSIVE = (0xC2, 0xCA)
_PROGRESSIVE_MARKS = (b"\xff\xc2", b"\xff\xca")
_MOST_SEGMENTS = 2**17
# Markers without a length after them: TEM, restarts, start of image.
_BARE = frozenset([0x01, *range(0xD0, 0xD9)])
# 0 escapes 0xFF in a scan's data, restarts belong to it, 0xFF fills.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
_EXTRANEOUS = re.compile(r"(\d+) extraneous bytes before marker (0x\w\w)")
# Warnings about files that may have all their pixels. "Premature end of JPEG
# file": only the end marker may be missing.
_HARMLESS = (
    "extraneous bytes",
    "Invalid SOS",
    "JFIF",
    "zeros inside",
    "Premature end of JPEG",
)
# Of the entropy coder nothing is lost where no more are left over.
_FEW_BYTES = 4
# In a sound scan so many zeros would be pixels that no picture has, unless
# a zero bit ends a block (as where all of them are flat).
_HOLE = bytes(64)


def jpeg_header(data: bytes) -> Header:
    """The header and metadata of a JPEG; an MPO's other pictures are no frames.

    Raises:
        ValueError: for a broken one.
    """
    if data.find(_NOTES, 0, data.find(b"\xff\xda")) < 0:
        # Without metadata: ten times as fast as Pillow, which counts where
        # pictures are small.
        with suppress(ValueError, KeyError):
            height, width, space, _ = simplejpeg.decode_jpeg_header(data)
            return Header("JPEG", height, width, _CHANNELS[space])
    from PIL.JpegImagePlugin import JpegImageFile

    try:
        file = JpegImageFile(io.BytesIO(data))
    except Exception as error:  # Pillow raises many types.
        reason = " ".join(str(error).split())
        raise ValueError(f"cannot be decoded as JPEG ({reason})") from None
    exif = file.info.get("exif", b"")
    return Header(
        "JPEG",
        file.height,
        file.width,
        file.layers,
        file.bits,
        exif_orientation(exif) if exif else 1,
        xmp=file.info.get("xmp", b""),
    )


def jpeg_pixels(data: bytes, header: Header) -> np.ndarray:
    """The pixels of a JPEG, as stored, RGB uint8 [h, w, 3].

    Raises:
        ValueError: saying why, for a file that is damaged or would take too
            much work.
    """
    require_few_scans(data, header)
    try:
        return _decoded(data, header)
    except ValueError as error:
        return _decoded_without_oddity(data, header, str(error))


def _decoded(data: bytes, header: Header, strict: bool = True) -> np.ndarray:
    require_no_hole(data)
    first = data.find(b"\xff\xda")
    if any(data.find(mark, 0, first) >= 0 for mark in _PROGRESSIVE_MARKS):
        _require_all_scans(data)
    space = "CMYK" if header.channels == 4 else "RGB"
    pixels = simplejpeg.decode_jpeg(data, space, strict=strict)
    # Adobe's files hold how much of each ink is missing.
    return inks_to_rgb(pixels) if header.channels == 4 else pixels


def _decoded_without_oddity(
    data: bytes, header: Header, warning: str
) -> np.ndarray:
    """Decodes once more where a warning may be harmless."""
    reason = " ".join(warning.split()) or "incomplete"
    if any(words in reason for words in _HARMLESS):
        plain = _without_oddities(data)
        try:
            return _decoded(plain, header)
        except ValueError as error:
            found = _EXTRANEOUS.search(str(error))
        few = found and found[2] == "0xd9" and int(found[1]) <= _FEW_BYTES
        # Where restarts divide a scan, its later parts may be missing.
        if few and all(marker != _RESTARTS for marker, *_ in _segments(plain)):
            return _decoded(plain, header, strict=False)
    if "Unsupported JPEG process" in reason or "precision" in reason:
        raise ValueError(f"is of a rare kind that is not read ({reason})")
    if "Premature end" in reason:
        raise ValueError("is cut off (JPEG)")
    raise ValueError(f"is damaged ({reason})")


def _without_oddities(data: bytes) -> bytes:
    """Without metadata, bytes between segments, and padding before the end.

    A sequential scan's unused fields are set to their usual values.
    """
    parts, progressive = [JPEG_START], False
    for marker, start, place in _segments(data):
        segment = data[start:place]
        progressive |= marker in _PROGRESSIVE
        if marker == _SCAN and not progressive:
            segment = segment[:-3] + b"\0\x3f\0"
        if not 0xE0 <= marker <= 0xED and marker != 0xFE:
            parts.append(segment)
        if marker == _SCAN:
            body = data[place:].partition(_END)[0]
            return b"".join(parts) + _unpadded(body) + _END
    return data


def _unpadded(body: bytes) -> bytes:
    """A scan's data without zeros at its end."""
    kept = body.rstrip(b"\0") if body.endswith(bytes(2)) else body
    # An escaped 0xFF is the last of the data, with its zero.
    lacks_zero = kept.endswith(b"\xff") and len(kept) < len(body)
    return kept + b"\0" if lacks_zero else kept


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment before the file's end marker."""
    place = len(JPEG_START)
    for _ in range(_MOST_SEGMENTS):
        # A scan's data hold no such marker, and are skipped.
        found = _MARKER.search(data, place)
        if found is None or found[1] == _END[1:]:
            return
        marker, start, place = found[1][0], found.start(), found.end()
        if marker not in _BARE:
            length = int.from_bytes(data[start + 2 : start + 4], "big")
            place = start + 2 + max(length, 2)
            yield marker, start, place
    raise ValueError(f"has more than {_MOST_SEGMENTS:,} segments (JPEG)")


def require_few_scans(data: bytes, header: Header) -> None:
    """Bounds the work that a JPEG takes.

    Raises:
        ValueError: where it is more than any picture needs.
    """
    most = min(
        MOST_SCANS, MOST_SCANNED_PIXELS // max(1, header.height * header.width)
    )
    # Appended data and thumbnails may hold the same two bytes by chance.
    if data.count(b"\xff\xda") > most:
        scans = (1 for marker, *_ in _segments(data) if marker == _SCAN)
        if any(count > most for count in accumulate(scans)):
            raise ValueError(f"has more than {most} scans (JPEG)")


def _require_all_scans(data: bytes) -> None:
    """Refuses one that lacks a coefficient's last bit: cut between scans."""
    lowest: dict[int, list[int]] = {}
    for marker, start, end in _segments(data):
        segment = data[start:end]
        if marker in _PROGRESSIVE and len(segment) > 9:
            lowest = {number: [-1] * 64 for number in segment[10::3]}
        if marker == _SCAN and lowest and len(segment) > 5:
            first, last, bits = segment[-3:]
            for number in segment[5 : 5 + 2 * segment[4] : 2]:
                bands = lowest.get(number, [])
                bands[first : last + 1] = [bits & 15] * (last + 1 - first)
    if any(any(bands) for bands in lowest.values()):
        raise ValueError("lacks scans")


def require_no_hole(data: bytes) -> None:
    """Refuses a scan with zeros in place of data.

    Raises:
        ValueError: where there are many that mean no flat area.
    """
    if data.find(_HOLE) < 0:
        return
    scans = (end for marker, _, end in _segments(data) if marker == _SCAN)
    start = next(scans, len(data))
    place, end = data.find(_HOLE, start), data.find(_END, start)
    if 0 <= place < end and not _zeros_are_flat(data):
        raise ValueError("zeros inside its data")


def _zeros_are_flat(data: bytes) -> bool:
    """Whether zero is the code of a block's end: tables for flat pictures."""
    for marker, start, end in _segments(data):
        if marker in (*_PROGRESSIVE, _SCAN):
            return True
        segment, place = data[start:end], 4
        while marker == 0xC4 and place + 17 <= len(segment):
            table, counts = segment[place], segment[place + 1 : place + 17]
            if table == 0x10:
                return segment[place + 17 : place + 18] == b"\0"
            place += 17 + sum(counts)
    return True


def with_adobe_transform(data: bytes, transform: int) -> bytes:
    """A JPEG with a note of its colour space, for one that lacks it.

    Args:
        data: the file.
        transform: 0 its samples as they are (RGB, CMYK), 1 YCbCr.
    """
    note = b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)
    segment = b"\xff\xee" + struct.pack(">H", len(note) + 2) + note
    return JPEG_START + segment + data[len(JPEG_START) :]
