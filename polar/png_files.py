"""PNG files: every checksum compared, no more unpacked than the header says."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from polar.band_colors import require_bright, stated_highest, to_8_bits
from polar.image_header import PNG_START, Header, exif_orientation

_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # by colour type, as decoded
_SAMPLES = {**_CHANNELS, 3: 1}  # as stored: a palette's index
# What pixels are made of. Others may unpack to gigabytes, and are left out.
_NEEDED = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_XMP = b"XML:com.adobe.xmp\0"
_MOST_CHUNKS = 2**17
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
    """The header and metadata of a PNG.

    Raises:
        ValueError: for a broken one.
    """
    try:
        width, height, bits, color = struct.unpack_from(">IIBB", data, 16)
        channels = _CHANNELS[color]
    except (struct.error, KeyError):
        raise ValueError("is damaged and cannot be decoded (PNG)") from None
    orientation, images, xmp = 1, 1, b""
    for name, chunk in _chunks(data):
        body = chunk[8:-4]
        if name == b"acTL" and len(body) >= 4:
            images = max(images, int.from_bytes(body[:4], "big"))
        elif name == b"eXIf":
            orientation = exif_orientation(bytes(body))
        elif name == b"iTXt" and body[: len(_XMP)] == _XMP:
            flag, _, text = bytes(body[len(_XMP) :]).partition(b"\0")
            # After the method stand a language and a translated keyword.
            if not flag:
                xmp = text[1:].split(b"\0", 2)[-1]
    return Header(
        "PNG", height, width, channels, bits, orientation, images, xmp
    )


def png_pixels(data: bytes, header: Header) -> np.ndarray:
    """The pixels of a PNG, as stored, RGB uint8 [h, w, 3]; alpha left out.

    Raises:
        ValueError: saying why, for a file that is damaged, cut off, or
            unpacks to more than its pixels.
    """
    _require_undamaged(data, header)
    flags = cv2.IMREAD_COLOR_RGB
    if header.bits == 16:
        flags |= cv2.IMREAD_ANYDEPTH
    try:
        pixels = cv2.imdecode(_without_metadata(data), flags)
    except cv2.error as error:
        raise ValueError(f"cannot be decoded ({error.err})") from error
    if pixels is None:
        raise ValueError("is damaged and cannot be decoded (PNG)")
    return _from_16_bits(pixels, data) if header.bits == 16 else pixels


def png_alpha(data: bytes) -> np.ndarray | None:
    """255 where a PNG is opaque, else 0, uint8 [h, w]; None without alpha.

    Args:
        data: the file, which `png_pixels` has read.
    """
    pixels = cv2.imdecode(_without_metadata(data), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 3 or pixels.shape[2] != 4:
        return None
    full = 65535 if pixels.dtype == np.uint16 else 255
    return np.where(pixels[..., 3] == full, 255, 0).astype(np.uint8)


def _chunks(data: bytes) -> Iterator[tuple[bytes, memoryview]]:
    """Each chunk's name and all of its bytes, up to the last one."""
    view, start = memoryview(data), len(PNG_START)
    for _ in range(_MOST_CHUNKS):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if end > len(data):
            raise ValueError("is cut off (PNG)")
        name = data[start + 4 : start + 8]
        yield name, view[start:end]
        if name == b"IEND":
            return
        start = end
    raise ValueError(f"has more than {_MOST_CHUNKS:,} chunks (PNG)")


def _without_metadata(data: bytes) -> np.ndarray:
    needed = [chunk for name, chunk in _chunks(data) if name in _NEEDED]
    return np.frombuffer(b"".join([PNG_START, *needed]), np.uint8)


def _require_undamaged(data: bytes, header: Header) -> None:
    """Compares checksums, and how much there is with what there must be."""
    packed = []
    for name, chunk in _chunks(data):
        if name not in _NEEDED:
            continue
        if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
            raise ValueError(f"is damaged (PNG, checksum of {name.decode()})")
        if name == b"IDAT":
            packed.append(chunk[8:-4])
    size, inflate = _unpacked_size(data, header), zlib.decompressobj()
    try:
        found = len(inflate.decompress(b"".join(packed), size + 1))
    except zlib.error as error:
        raise ValueError(f"is damaged (PNG, {error})") from None
    if found > size:
        raise ValueError("unpacks to more than its pixels (PNG)")
    if found < size or not inflate.eof:
        raise ValueError("is damaged (PNG, lacks pixels)")


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


def _from_16_bits(pixels: np.ndarray, data: bytes) -> np.ndarray:
    """8 bits of 16, by the depth that the file states."""
    stated = None
    for name, chunk in _chunks(data):
        if name == b"sBIT" and len(chunk) > 12:
            stated = max(chunk[8:-4][: _CHANNELS[data[25]]])
    highest, brightest = stated_highest(16, stated), int(pixels.max())
    if highest is None:
        require_bright(brightest)
    # PNG's writers widen samples to the whole range; sBIT is their origin.
    if highest is None or brightest > highest:
        highest = 65535
    return to_8_bits(pixels, highest)
