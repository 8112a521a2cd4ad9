"""TIFF files: every strip or tile must unpack to just its own pixels.

tifffile reads the tags and imagecodecs unpacks. Here is what they leave out:
they fill missing or damaged strips without an error, and believe any size.
"""

from __future__ import annotations

import io
import logging
import lzma
from collections.abc import Callable
from typing import Any

import numpy as np
import simplejpeg

from polar.band_colors import (
    COLOR_SAMPLES,
    Bands,
    Kind,
    kind_of_grey,
    require_bright,
    stated_highest,
    true_colors,
)
from polar.image_header import Header, require_decodable
from polar.jpeg_files import (
    jpeg_header,
    require_few_scans,
    require_no_hole,
    with_adobe_transform,
)

_MOST_PAGES = 64
_REDUCED_OR_MASK = 1 | 4
_XMP, _MAX_SAMPLE, _S_MAX_SAMPLE = 700, 281, 341
_JPEG = 7
_KINDS: dict[str, Kind] = {
    "MINISWHITE": "white_is_zero",
    "RGB": "rgb",
    "YCBCR": "rgb",
    "PALETTE": "palette",
    "SEPARATED": "cmyk",
}


def tiff_header(data: bytes) -> Header:
    """The header of a TIFF; overviews and masks are no further pages.

    Raises:
        ValueError: for a broken one.
    """
    return _header(*_opened(data))


def tiff_pixels(data: bytes) -> np.ndarray:
    """The pixels of a TIFF, as stored, RGB uint8 [h, w, 3]; no alpha.

    Raises:
        ValueError: saying why, for a file that is damaged or of a kind that
            is not read.
    """
    page, images = _opened(data)
    require_decodable(_header(page, images))
    kind = _kind(page)
    bits = _bits(page)
    if kind == "palette" and bits > 8:
        raise ValueError(f"has a palette of {bits} bits; at most 8 are read")
    samples = _samples(data, page, bits)
    colors = COLOR_SAMPLES[kind]
    highest = stated_highest(bits, None, _stated_maximum(page))
    if highest is None:
        require_bright(int(samples[..., :colors].max()))
    bands = Bands(
        kind,
        highest or 65535,
        premultiplied=_premultiplied(page, colors),
        alpha_highest=2**bits - 1 if bits < 16 else None,
        palette=_palette(page),
    )
    return true_colors(samples, bands)


def _opened(data: bytes) -> tuple[Any, int]:
    """The first page, and how many pictures there are."""
    import tifffile

    # It logs every oddity of tags; pixels are checked here.
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        file = tifffile.TiffFile(io.BytesIO(data))
        first = file.pages.first
        images = 0
        for number, page in enumerate(file.pages):
            if number == _MOST_PAGES:
                break
            images += not int(page.aspage().subfiletype) & _REDUCED_OR_MASK
    except Exception:  # It raises many types for broken files.
        raise ValueError("is damaged or cut off (TIFF)") from None
    if first.keyframe is not first or not first.databytecounts:
        raise ValueError("is damaged: holds no pixels (TIFF)")
    return first, max(images, 1)


def _header(page: Any, images: int) -> Header:
    orientation = page.tags.valueof(274, 1)
    xmp = page.tags.valueof(_XMP, b"")
    return Header(
        "TIFF",
        page.imagelength,
        page.imagewidth,
        page.samplesperpixel,
        _first(page.bitspersample),
        orientation if orientation in range(1, 9) else 1,
        images,
        xmp.encode() if isinstance(xmp, str) else bytes(xmp),
    )


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def _bits(page: Any) -> int:
    """Of a sample, 1 to 16."""
    bits, form = page.bitspersample, _first(page.sampleformat)
    if isinstance(bits, tuple) and len(set(bits)) > 1:
        raise ValueError(f"has samples of {bits} bits; give all the same")
    bits = _first(bits)
    if form != 1 or not 1 <= bits <= 16:
        numbers = {2: "signed numbers", 3: "floating-point numbers"}
        raise ValueError(
            f"{page.samplesperpixel} channels of {bits}"
            f" {numbers.get(form, 'bits')}: convert it to RGB of 8 bits"
        )
    return bits


def _kind(page: Any) -> Kind:
    name = getattr(page.photometric, "name", str(page.photometric))
    if name == "MINISBLACK":
        return kind_of_grey(page.samplesperpixel)
    if name not in _KINDS:
        raise ValueError(
            f"has colours of the kind {name} (TIFF), which is not read;"
            " convert it to RGB of 8 bits"
        )
    return _KINDS[name]


def _premultiplied(page: Any, colors: int) -> bool:
    # The tag is about the last samples: about all but one where the file
    # calls its colours grey.
    meanings = tuple(page.extrasamples)
    place = colors - (page.samplesperpixel - len(meanings))
    return 0 <= place < len(meanings) and meanings[place] == 1


def _stated_maximum(page: Any) -> int | None:
    for tag in (_S_MAX_SAMPLE, _MAX_SAMPLE):
        value = page.tags.valueof(tag)
        if value is not None:
            numbers = np.atleast_1d(np.asarray(value, np.float64))
            return int(numbers[0]) if np.isfinite(numbers[0]) else None
    return None


def _palette(page: Any) -> np.ndarray | None:
    """RGB uint8 [n, 3], of a palette of 16 bits, or of 8 as some write it."""
    if page.colormap is None:
        return None
    colors = np.asarray(page.colormap).T
    return (colors >> 8 if colors.max() > 255 else colors).astype(np.uint8)


def _samples(data: bytes, page: Any, bits: int) -> np.ndarray:
    """uint8, or above 8 bits uint16, [h, w, c]."""
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
