"""What a query may be (file, bytes, pixels, PIL image), as a panorama."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.retrieval.encoder import UnreadableImage
from polar.image_files import decode, decode_panorama, read_file
from polar.panorama_notes import Panorama

# PIL's kinds of pixels that a PNG holds as they are.
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def image_name(image: Any, number: int) -> Path:
    """What an answer calls a query: its path, or "image 3".

    Args:
        image: as of `query_panorama`.
        number: from 1, of the image among its fellows.
    """
    named = image if isinstance(image, str | Path) else None
    # A PIL image knows the file that it was opened from.
    named = named or getattr(image, "filename", None)
    return Path(named or f"image {number}")


def query_panorama(image: Any, unknown_heading: bool = False) -> Panorama:
    """A query's pixels, decoded once, north in the centre column.

    Args:
        image: path of a JPEG, PNG or TIFF file; the bytes of one; pixels,
            RGB uint8 [H, W, 3]; or a PIL image.
        unknown_heading: whether the file's own heading is not believed, and
            the pixels stay as they are stored.

    Raises:
        UnreadableImage: for a file that cannot be read, is damaged, cut off
            or animated, has too many pixels, or is not a whole turn.
        TypeError: for anything else.
        ValueError: for an array of another shape or type.
    """
    if isinstance(image, np.ndarray):
        return Panorama(_checked(image))
    if not isinstance(image, str | Path | bytes | bytearray | memoryview):
        image = _of_pil(image)
    try:
        data = read_file(image) if isinstance(image, str | Path) else image
        if unknown_heading:
            return Panorama(decode(bytes(data)))
        return decode_panorama(bytes(data))
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from error
    except ValueError as error:
        raise UnreadableImage(str(error)) from error


def _checked(image: np.ndarray) -> np.ndarray:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"image is {image.dtype} {list(image.shape)}; must be RGB uint8"
            " [H, W, 3]"
        )
    if not image.size:
        raise UnreadableImage("has no pixels")
    return image


def _of_pil(image: Any) -> bytes:
    if not (hasattr(image, "convert") and hasattr(image, "getexif")):
        raise TypeError(
            f"image is a {type(image).__name__}; must be a path, bytes, an"
            " array [H, W, 3] or a PIL image"
        )
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode not in _PNG_MODES:
        upright = upright.convert("RGB")
    buffer = io.BytesIO()
    upright.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
