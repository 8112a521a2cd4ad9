"""PNG files: every checksum compared, no more unpacked than the header says."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from polar.band_colors import require_bright, stated_highest, to_8_bits
from polar.image_header import PNG_START, Header, exif_orientation

_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}
_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
# What pixels are made of. Others may unpack to gigabytes, and are left out.
_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_XMP = b"XML:com.adobe.xmp\0"
_MOST_CHUNKS = 2**17
_PIECE = 2**16
_MOST_AT_ONCE = 2**20
# Adam7: first column and row, and steps, of its seven passes.
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def png_header(data: bytes) -> Header:
    """What a PNG says of itself.

    Raises:
        ValueError: for a broken one.
    """
    try:
        width, height, bits, color = struct.unpack_from(">IIBB", data, 16)
        channels = _CHANNELS[color]
    except (struct.error, KeyError):
        raise ValueError("is damaged and cannot be decoded (PNG)") from None
    orientation, images, xmp = 1, 1, b""
    for name, body, _ in _chunks(data):
        if name == b"acTL" and len(body) >= 4:
            images = max(images, int.from_bytes(body[:4], "big"))
        elif name == b"eXIf":
            orientation = exif_orientation(bytes(body))
        elif name == b"iTXt" and body[: len(_XMP)] == _XMP:
            xmp = _text(bytes(body))
    return Header(
        "PNG", height, width, channels, bits, orientation, images, xmp
    )


def png_pixels(data: bytes, header: Header) -> np.ndarray:
    """The pixels of a PNG, as stored, RGB uint8 [h, w, 3]; alpha left out.

    Raises:
        ValueError: saying why, for a file that is damaged, cut off, or
            unpacks to more than its pixels.
    """
    _require_whole(data, header)
    flags = cv2.IMREAD_COLOR_RGB
    if header.bits == 16:
        flags |= cv2.IMREAD_ANYDEPTH
    plain = np.frombuffer(_without_notes(data), np.uint8)
    try:
        pixels = cv2.imdecode(plain, flags)
    except cv2.error as error:
        raise ValueError(f"cannot be decoded ({error.err})") from error
    if pixels is None:
        raise ValueError("is damaged and cannot be decoded (PNG)")
    return _shallow(pixels, data) if header.bits == 16 else pixels


def png_alpha(data: bytes) -> np.ndarray | None:
    """255 where a PNG of full alpha is opaque, else 0, uint8 [h, w].

    Args:
        data: the file, which `png_pixels` has read.

    Returns:
        None for a file without alpha.
    """
    plain = np.frombuffer(_without_notes(data), np.uint8)
    whole = cv2.imdecode(plain, cv2.IMREAD_UNCHANGED)
    if whole is None or whole.ndim != 3 or whole.shape[2] != 4:
        return None
    full = 65535 if whole.dtype == np.uint16 else 255
    return np.where(whole[..., 3] == full, 255, 0).astype(np.uint8)


def as_png(pixels: np.ndarray) -> bytes:
    """A PNG of RGB uint8 [h, w, 3], not compressed: quick to write and read.

    It hands pixels to a program that takes image files.
    """
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    about = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        [
            PNG_START,
            _chunk(b"IHDR", about),
            _chunk(b"IDAT", zlib.compress(rows.data, 0)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(body, zlib.crc32(name))
    head = struct.pack(">I", len(body)) + name
    return b"".join([head, body, struct.pack(">I", checksum)])


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview, memoryview]]:
    """Name, content and the whole of each chunk, up to the end's.

    Raises:
        ValueError: where one is cut off, or there are far too many.
    """
    view, place = memoryview(data), len(PNG_START)
    for _ in range(_MOST_CHUNKS):
        if place + 12 > len(data):
            raise ValueError("is cut off (PNG)")
        (length,) = struct.unpack_from(">I", data, place)
        after = place + 12 + length
        if after > len(data):
            raise ValueError("is cut off (PNG)")
        name = data[place + 4 : place + 8]
        yield name, view[place + 8 : after - 4], view[place:after]
        if name == b"IEND":
            return
        place = after
    raise ValueError(f"has more than {_MOST_CHUNKS:,} chunks (PNG)")


def _without_notes(data: bytes) -> bytes:
    whole = [chunk for name, _, chunk in _chunks(data) if name in _NEEDED]
    return b"".join([PNG_START, *whole])


def _require_whole(data: bytes, header: Header) -> None:
    """Compares checksums and how much there is with what there must be."""
    inflate, found = zlib.decompressobj(), 0
    size = _unpacked_size(data, header)
    for name, body, whole in _chunks(data):
        if name not in _NEEDED:
            continue
        if zlib.crc32(whole[4:-4]) != int.from_bytes(whole[-4:], "big"):
            raise ValueError(f"is damaged (PNG, checksum of {name.decode()})")
        if name == b"IDAT":
            found += _inflated(inflate, body, size - found)
    if found != size or not inflate.eof:
        raise ValueError("is damaged (PNG, lacks pixels)")


def _inflated(inflate: zlib._Decompress, body: memoryview, most: int) -> int:
    """How many bytes a chunk unpacks to; in pieces, so that none is large."""
    found = 0
    for start in range(0, len(body), _PIECE):
        waiting: bytes | memoryview = body[start : start + _PIECE]
        while waiting and not inflate.eof:
            try:
                found += len(inflate.decompress(waiting, _MOST_AT_ONCE))
            except zlib.error as error:
                raise ValueError(f"is damaged (PNG, {error})") from None
            if found > most:
                raise ValueError("unpacks to more than its pixels (PNG)")
            waiting = inflate.unconsumed_tail
    return found


def _unpacked_size(data: bytes, header: Header) -> int:
    """Bytes of all rows, each with its filter's."""
    bits = _SAMPLES[data[25]] * header.bits
    passes = _PASSES if data[28] else ((0, 0, 1, 1),)
    total = 0
    for left, top, right, down in passes:
        width = -((left - header.width) // right)
        height = -((top - header.height) // down)
        if width > 0 and height > 0:
            total += height * (1 + (width * bits + 7) // 8)
    return total


def _shallow(pixels: np.ndarray, data: bytes) -> np.ndarray:
    """8 bits of 16, by the depth that the file states."""
    stated = None
    for name, body, _ in _chunks(data):
        if name == b"sBIT" and len(body):
            stated = max(body[: _CHANNELS[data[25]]])
    highest = stated_highest(16, stated)
    if highest is None:
        require_bright(int(pixels.max()))
        return to_8_bits(pixels, 65535)
    # PNG's writers widen samples to the whole range; sBIT tells of it.
    wide = int(pixels.max()) > highest
    return to_8_bits(pixels, 65535 if wide else highest)


def _text(body: bytes) -> bytes:
    """The text of an iTXt chunk; b"" where it is packed."""
    parts = body.split(b"\0", 1)[1]
    if len(parts) < 2 or parts[0]:
        return b""
    return parts[2:].split(b"\0", 2)[-1]
