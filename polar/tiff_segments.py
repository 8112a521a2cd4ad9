"""A TIFF's strips and tiles, unpacked one by one into its samples."""

from __future__ import annotations

import lzma
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg

from polar.jpeg_files import (
    jpeg_header,
    require_few_scans,
    require_no_hole,
    with_adobe_transform,
)

_JPEG = 7
_NAMES = {
    2: "CCITT",
    3: "CCITT group 3",
    4: "CCITT group 4",
    6: "old-style JPEG",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34926: "ZSTD",
    50000: "ZSTD",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}


def samples_of(data: bytes, page: Any, bits: int) -> np.ndarray:
    """All samples of a page.

    Args:
        data: the file.
        page: tifffile's, of not too many pixels.
        bits: of a sample.

    Returns:
        uint8, or uint16 where there are more than 8 bits, [h, w, c].

    Raises:
        ValueError: saying why, for what is damaged, cut off or packed in a
            way that is not read.
    """
    _require_read(page)
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    within = page.samplesperpixel // planes
    height, width = page.imagelength, page.imagewidth
    down, right = _segment_size(page)
    rows, columns = -(-height // down), -(-width // right)
    counts = page.databytecounts
    if len(counts) != rows * columns * planes or not all(counts):
        raise ValueError("is damaged: lacks strips or tiles (TIFF)")
    kind = np.uint8 if bits <= 8 else np.uint16
    found = np.empty((height, width, page.samplesperpixel), kind)
    for number, (start, count) in enumerate(
        zip(page.dataoffsets, counts, strict=True)
    ):
        packed = data[start : start + count]
        if len(packed) < count:
            raise ValueError("is cut off (TIFF)")
        plane, place = divmod(number, rows * columns)
        top, left = place // columns * down, place % columns * right
        # The last strip ends with the image, the last tile goes beyond it.
        tall = down if page.is_tiled else min(down, height - top)
        part = _segment(packed, page, (tall, right, within), bits)
        target = found[top : top + down, left : left + right]
        first = plane * within
        target[..., first : first + within] = part[
            : target.shape[0], : target.shape[1]
        ]
    return found


def _segment_size(page: Any) -> tuple[int, int]:
    if page.is_tiled:
        down, right = page.tilelength, page.tilewidth
    else:
        down = min(page.rowsperstrip, page.imagelength)
        right = page.imagewidth
    # A tile may be larger than its picture, but not by much.
    if (
        not 0
        < down * right
        <= max(4 * page.imagelength * page.imagewidth, 2**24)
    ):
        raise ValueError("is damaged: its tiles have no size (TIFF)")
    return down, right


def _require_read(page: Any) -> None:
    number = int(page.compression)
    name = _NAMES.get(number, f"number {number}")
    if number != _JPEG and number not in _UNPACK:
        raise ValueError(
            f"is a TIFF of compression {name}, which is not read; convert it"
            " to Deflate"
        )
    subsampled = page.photometric == 6 and number != _JPEG
    if subsampled or page.fillorder != 1 or page.predictor not in (1, 2):
        raise ValueError(
            "is a TIFF of a rare kind that is not read (YCbCr, bit order or"
            " predictor); convert it to RGB of 8 bits"
        )


def _segment(
    packed: bytes, page: Any, shape: tuple[int, int, int], bits: int
) -> np.ndarray:
    if page.compression == _JPEG:
        return _jpeg(packed, page, shape)
    tall, wide, count = shape
    row = (wide * count * bits + 7) // 8
    name = page.compression.name
    try:
        unpacked = _UNPACK[page.compression](packed, tall * row)
    # Each library tells damage by its own types.
    except Exception as error:
        raise ValueError(f"is damaged (TIFF, {name}: {error})") from None
    if len(unpacked) != tall * row:
        raise ValueError(f"is damaged (TIFF, {name}: not of its strip's size)")
    samples = _numbers(unpacked, page.parent.byteorder, bits, shape)
    if page.predictor == 2:
        # Modulo 2^bits, as the samples' own type counts.
        np.cumsum(samples, axis=1, dtype=samples.dtype, out=samples)
    return samples


def _numbers(
    unpacked: bytes, order: str, bits: int, shape: tuple[int, int, int]
) -> np.ndarray:
    if bits == 8:
        return np.frombuffer(unpacked, np.uint8).reshape(shape).copy()
    if bits == 16:
        wide = np.frombuffer(unpacked, f"{order}u2")
        return wide.astype(np.uint16).reshape(shape)
    rows = np.frombuffer(unpacked, np.uint8).reshape(shape[0], -1)
    ones = np.unpackbits(rows, axis=1)[:, : shape[1] * shape[2] * bits]
    digits = ones.reshape(*shape, bits).astype(np.uint16)
    powers = (1 << np.arange(bits - 1, -1, -1)).astype(np.uint16)
    return (digits @ powers).astype(np.uint8 if bits < 8 else np.uint16)


def _jpeg(packed: bytes, page: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """A strip that is a JPEG, whose tables stand elsewhere in the file."""
    tables = page.jpegtables
    whole = tables[:-2] + packed[2:] if tables else packed
    transform = 1 if page.photometric == 6 else 0
    space = {1: "GRAY", 3: "RGB", 4: "CMYK"}.get(shape[2])
    if space is None:
        raise ValueError(f"is a TIFF whose JPEG has {shape[2]} samples a pixel")
    try:
        header = jpeg_header(packed)
        if header.height > shape[0] or header.width > shape[1]:
            raise ValueError("larger than its strip")
        require_few_scans(packed, header)
        part = simplejpeg.decode_jpeg(
            with_adobe_transform(whole, transform), space
        )
        require_no_hole(whole)
    except ValueError as error:
        if "Unsupported" in str(error):
            raise ValueError(
                f"is a TIFF of a rare JPEG that is not read ({error})"
            ) from None
        raise ValueError(f"is damaged (TIFF, JPEG: {error})") from None
    if part.shape[:2] != shape[:2]:
        raise ValueError("is damaged (TIFF, JPEG: not of its strip's size)")
    return part


def _stored(packed: bytes, size: int) -> bytes:
    # Some writers pad; what is beyond is of no pixel.
    return packed[:size]


def _deflate(packed: bytes, size: int) -> bytes:
    unpack = zlib.decompressobj()
    found = unpack.decompress(packed, size + 1)
    if len(found) == size and not unpack.eof:
        # The checksum after the last pixel.
        found += unpack.decompress(unpack.unconsumed_tail, 1)
        if not unpack.eof:
            raise ValueError("is cut off")
    return found


def _lzma(packed: bytes, size: int) -> bytes:
    unpack = lzma.LZMADecompressor(memlimit=2**28)
    found = unpack.decompress(packed, size + 1)
    if len(found) == size and not unpack.eof:
        found += unpack.decompress(b"", 1)
        if not unpack.eof:
            raise ValueError("is cut off")
    return found


def _lzw(packed: bytes, size: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.lzw_decode(packed, out=size + 1))


def _packbits(packed: bytes, size: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.packbits_decode(packed, out=size + 1))


_UNPACK: dict[int, Callable[[bytes, int], bytes]] = {
    1: _stored,
    5: _lzw,
    8: _deflate,
    32773: _packbits,
    32946: _deflate,
    34925: _lzma,
}
"""TIFF's number of a compression to what undoes it, up to a size."""
