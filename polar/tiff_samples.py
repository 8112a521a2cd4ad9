"""Samples of TIFF files: every strip or tile must unpack to just its own.

imagecodecs unpacks. Here is what tifffile and it leave out: they fill missing
or damaged strips without an error, and believe any size.
"""

from __future__ import annotations

import lzma
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


def read_samples(data: bytes, page: Any, bits: int) -> np.ndarray:
    """The samples of a page, uint8, or above 8 bits uint16, [h, w, c].

    Args:
        data: the complete file.
        page: of tifffile.
        bits: of a sample, 1 to 16.

    Raises:
        ValueError: saying why, for a file that is damaged or of a kind that
            is not read.
    """
    _require_supported(page)
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
    most = max(4 * page.imagelength * page.imagewidth, 2**24)
    if not 0 < down * right <= most:
        raise ValueError("is damaged: its tiles have no size (TIFF)")
    return down, right


def _require_supported(page: Any) -> None:
    packing = page.compression
    if packing != _JPEG and packing not in _UNPACK:
        name = getattr(packing, "name", f"number {int(packing)}")
        raise ValueError(
            f"is a TIFF of compression {name}, which is not read; convert it"
            " to Deflate"
        )
    subsampled = page.photometric == 6 and packing != _JPEG
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
    except Exception as error:  # Each library raises its own types.
        raise ValueError(f"is damaged (TIFF, {name}: {error})") from None
    if len(unpacked) != tall * row:
        raise ValueError(f"is damaged (TIFF, {name}: not of its strip's size)")
    if bits == 8:
        samples = np.frombuffer(unpacked, np.uint8).copy()
    elif bits == 16:
        order = page.parent.byteorder
        samples = np.frombuffer(unpacked, f"{order}u2").astype(np.uint16)
    else:
        import imagecodecs

        kind = np.uint8 if bits < 8 else np.uint16
        samples = imagecodecs.packints_decode(
            unpacked, kind, bits, runlen=wide * count
        )
    samples = samples.reshape(shape)
    if page.predictor == 2:
        # Modulo 2^bits, as the samples' own type counts.
        np.cumsum(samples, axis=1, dtype=samples.dtype, out=samples)
    return samples


def _jpeg(packed: bytes, page: Any, shape: tuple[int, int, int]) -> np.ndarray:
    tables = page.jpegtables
    complete = tables[:-2] + packed[2:] if tables else packed
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
            with_adobe_transform(complete, transform), space
        )
        require_no_hole(complete)
    except ValueError as error:
        if "Unsupported" in str(error):
            raise ValueError(
                f"is a TIFF of a rare JPEG that is not read ({error})"
            ) from None
        raise ValueError(f"is damaged (TIFF, JPEG: {error})") from None
    if part.shape[:2] != shape[:2]:
        raise ValueError("is damaged (TIFF, JPEG: not of its strip's size)")
    return part


def _codec(name: str) -> Callable[[bytes, int], bytes]:
    """Of imagecodecs; refuses, or returns, more than a size."""

    def unpack(packed: bytes, size: int) -> bytes:
        import imagecodecs

        decode = getattr(imagecodecs, f"{name}_decode")
        return bytes(decode(packed, out=size + 1))

    return unpack


def _lzma(packed: bytes, size: int) -> bytes:
    # imagecodecs bounds neither memory nor the file's end.
    unpack = lzma.LZMADecompressor(memlimit=2**28)
    found = unpack.decompress(packed, size + 1)
    if len(found) <= size and not unpack.eof:
        raise ValueError("is cut off")
    return found


_UNPACK: dict[int, Callable[[bytes, int], bytes]] = {
    1: lambda packed, size: packed[:size],  # Some writers pad.
    5: _codec("lzw"),
    8: _codec("zlib"),
    32773: _codec("packbits"),
    32946: _codec("zlib"),
    34925: _lzma,
}
"""By TIFF's number of a compression."""
