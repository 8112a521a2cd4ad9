"""What a query may be (file, bytes, pixels, PIL image), as encoded bytes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mgtl_tf.retrieval.encoder import UnreadableImage
from polar.image_files import whole_header

# PIL's kinds of pixels that a PNG holds as they are.
_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def image_name(image: Any, number: int) -> Path:
    """What an answer calls a query: its path, or "image 3".

    Args:
        image: as of `image_bytes`.
        number: from 1, of the image among its fellows.
    """
    named = image if isinstance(image, str | Path) else None
    # A PIL image knows the file that it was opened from.
    named = named or getattr(image, "filename", None)
    return Path(named or f"image {number}")


def image_bytes(image: Any) -> bytes:
    """An encoded image, whole as far as its header tells.

    Args:
        image: path of a JPEG, PNG or TIFF file; the bytes of one; pixels,
            RGB uint8 [H, W, 3]; or a PIL image.

    Raises:
        UnreadableImage: for a file that cannot be read, is cut off, animated
            or has too many pixels.
        TypeError: for anything else.
        ValueError: for an array of another shape or type.
    """
    if isinstance(image, str | Path):
        return _checked(_read(Path(image)))
    if isinstance(image, bytes | bytearray | memoryview):
        return _checked(bytes(image))
    if isinstance(image, np.ndarray):
        return _of_pixels(image)
    if hasattr(image, "convert") and hasattr(image, "getexif"):
        return _checked(_of_pil(image))
    raise TypeError(
        f"image is a {type(image).__name__}; must be a path, bytes, an array"
        " [H, W, 3] or a PIL image"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage(error.strerror or str(error)) from error


def _of_pixels(image: np.ndarray) -> bytes:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        raise ValueError(
            f"image is {image.dtype} {list(image.shape)}; must be RGB uint8"
            " [H, W, 3]"
        )
    if not image.size:
        raise UnreadableImage("has no pixels")
    pixels = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    # Without loss; hardly compressed, as it is read again at once.
    encoded = cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return encoded[1].tobytes()


def _of_pil(image: Any) -> bytes:
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode not in _PNG_MODES:
        upright = upright.convert("RGB")
    buffer = io.BytesIO()
    upright.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _checked(data: bytes) -> bytes:
    """Refuses what is cut off, or would unpack to more than memory holds."""
    try:
        whole_header(data)
    except ValueError as error:
        raise UnreadableImage(str(error)) from error
    return data
