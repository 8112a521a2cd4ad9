"""The one reader of image files: complete, or refused with a reason."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from polar.gpano import Panorama, gpano_heading, rotate_to_north
from polar.image_header import (
    JPEG_START,
    PNG_START,
    TIFF_STARTS,
    Header,
    other_kind,
    require_decodable,
)
from polar.jpeg_files import jpeg_header, jpeg_pixels
from polar.png_files import png_header, png_pixels
from polar.regular_files import open_regular
from polar.tiff_files import tiff_header, tiff_pixels

MOST_BYTES = 2**30
"""Of an image file."""


def read_image(path: Path | str) -> np.ndarray:
    """The pixels of an image file; raises as `read_file` and `decode`."""
    return decode(read_file(path))


def read_panorama(path: Path | str) -> Panorama:
    """A panorama; raises as `read_file` and `decode_panorama`."""
    return decode_panorama(read_file(path))


def read_file(path: Path | str) -> bytes:
    """All bytes of a file of an image's size; never waits for a pipe.

    Raises:
        ValueError: for what is no regular file, or too large.
        OSError: where there is none, or the disk does not give it.
    """
    with open_regular(path, MOST_BYTES) as file:
        return file.read()


def decode(data: bytes) -> np.ndarray:
    """The pixels of a JPEG, PNG or TIFF file, upright as EXIF says.

    Grey, CMYK, palettes and 16-bit images become RGB of 8 bits
    (`band_colors.py`); alpha is left out. Work and memory are bounded by
    what the file's header says, and that by MOST_PIXELS.

    Args:
        data: the complete file.

    Returns:
        RGB uint8 [h, w, 3].

    Raises:
        ValueError: saying why, for bytes that are no complete single image,
            or whose colours cannot be known.
    """
    return _pixels(data, read_header(data))


def decode_panorama(data: bytes) -> Panorama:
    """`decode` of a panorama, rotated to north by its GPano heading.

    Raises:
        ValueError: as `decode` and `gpano_heading`.
    """
    header = read_header(data)
    heading = gpano_heading(header.xmp)
    pixels = _pixels(data, header)
    if heading is not None:
        pixels = rotate_to_north(pixels, heading)
    return Panorama(pixels, heading)


def _pixels(data: bytes, header: Header) -> np.ndarray:
    require_decodable(header)
    if header.kind == "JPEG":
        pixels = jpeg_pixels(data, header)
    elif header.kind == "PNG":
        pixels = png_pixels(data, header)
    else:
        pixels = tiff_pixels(data)
    return upright(pixels, header.orientation)


def read_header(data: bytes) -> Header:
    """The description in a file's first bytes.

    Raises:
        ValueError: saying why, for no JPEG, PNG or TIFF, or a broken one.
    """
    if not data:
        raise ValueError("is empty")
    if data.startswith(JPEG_START):
        return jpeg_header(data)
    if data.startswith(PNG_START):
        return png_header(data)
    if data.startswith(TIFF_STARTS):
        return tiff_header(data)
    raise ValueError(f"is neither JPEG nor PNG nor TIFF{other_kind(data)}")


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels turned as EXIF's orientation 1..8 says; 1 is upright."""
    if orientation >= 5:
        pixels = cv2.transpose(pixels)
    # What each asks for besides: None, 1 left-right, 0 up-down, -1 both.
    flip = (None, 1, -1, 0, None, 1, -1, 0)[orientation - 1]
    return pixels if flip is None else cv2.flip(pixels, flip)
