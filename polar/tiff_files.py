"""TIFF files: what their tags say, which tifffile reads."""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np

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
from polar.tiff_samples import read_samples

_MOST_PAGES = 64
_REDUCED_OR_MASK = 1 | 4
_XMP, _MAX_SAMPLE, _S_MAX_SAMPLE = 700, 281, 341
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
    samples = read_samples(data, page, bits)
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
