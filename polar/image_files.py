"""Image files' bytes to pixels; what is not whole is refused with a reason."""

from __future__ import annotations

import cv2
import numpy as np
from cv2.utils import logging

from polar.image_header import BARE_MARKERS
from polar.image_header import END_OF_IMAGE
from polar.image_header import JPEG_START
from polar.image_header import PNG_START
from polar.image_header import Header
from polar.image_header import read_header

MOST_PIXELS = 2**27
"""Of one image: 16384 x 8192. More is refused before memory is taken."""

_JPEG_END = b"\xff\xd9"
_PNG_END = b"IEND\xaeB`\x82"


def decode(data: bytes) -> np.ndarray:
    """The pixels of a JPEG, PNG or TIFF file, upright as EXIF says.

    Grey, CMYK and 16-bit images become RGB of 8 bits, of which 16 bits keep
    the upper ones; alpha is left out.

    Args:
        data: the whole file.

    Returns:
        RGB uint8 [h, w, 3].

    Raises:
        ValueError: saying why, for bytes that are no whole single image.
    """
    header = whole_header(data)
    if header.kind == "TIFF":
        # It warns of every tag of a GeoTIFF, on stderr; not so of damage.
        logging.setLogLevel(logging.LOG_LEVEL_ERROR)
    try:
        image = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB
        )
    except cv2.error as error:
        raise ValueError(f"cannot be decoded ({error.err})") from error
    if image is None:
        raise ValueError("is damaged and cannot be decoded")
    return image


def whole_header(data: bytes) -> Header:
    """What a file says of itself, where it is fit to be decoded.

    Args:
        data: the whole file.

    Raises:
        ValueError: saying why, for bytes that are cut off, no single image,
            of a kind that is not read, or that would fill memory.
    """
    if reason := _why_not_whole(data):
        raise ValueError(reason)
    header = read_header(data)
    _require_one_image(header)
    return header


def plain_bytes(data: bytes) -> bytes:
    """An image file for a decoder that knows plain JPEG and PNG only.

    Args:
        data: the whole file.

    Returns:
        Upright RGB as PNG, of a TIFF, a CMYK file or one that EXIF turns;
        anything else, broken files too, as it is.
    """
    try:
        header = read_header(data)
        cmyk = header.kind == "JPEG" and header.channels == 4
        if header.kind != "TIFF" and header.orientation == 1 and not cmyk:
            return data
        image = cv2.cvtColor(decode(data), cv2.COLOR_RGB2BGR)
    except ValueError:
        return data
    return cv2.imencode(".png", image)[1].tobytes()


def _require_one_image(header: Header) -> None:
    size = f"{header.width} x {header.height}"
    if not header.width or not header.height:
        raise ValueError(f"has no pixels ({size})")
    if header.width * header.height > MOST_PIXELS:
        raise ValueError(
            f"{size} pixels: more than {MOST_PIXELS:,} are refused"
        )
    if header.images > 1:
        kind = "pages" if header.kind == "TIFF" else "frames (animated)"
        raise ValueError(f"holds {header.images} {kind}; give a single image")
    if header.floating or header.bits > 16 or header.channels > 4:
        numbers = "floating-point numbers" if header.floating else "bits"
        raise ValueError(
            f"{header.channels} channels of {header.bits} {numbers}: convert"
            " it to RGB of 8 bits"
        )


def _why_not_whole(data: bytes) -> str | None:
    # OpenCV fills what a cut JPEG lacks with grey and says nothing.
    if not data:
        return "is empty"
    if data.startswith(JPEG_START):
        return None if _is_whole_jpeg(data) else "is cut off (JPEG)"
    if data.startswith(PNG_START):
        return None if _PNG_END in data else "is cut off (PNG)"
    return None


def _is_whole_jpeg(data: bytes) -> bool:
    """Whether the image's own end marker is there."""
    # Most files end with it, which is quick to see. Phones append further
    # data, and a thumbnail has an end marker too: walk past its segment.
    if data.rstrip(b"\0").endswith(_JPEG_END):
        return True
    place = len(JPEG_START)
    while (place := data.find(b"\xff", place)) >= 0:
        marker = data[place + 1] if place + 1 < len(data) else 0xFF
        if marker == END_OF_IMAGE:
            return True
        if marker in BARE_MARKERS or marker in (0x00, 0xFF):
            place += 1 if marker == 0xFF else 2
        else:
            # Entropy-coded data follows a scan's header; `find` passes it,
            # as it passes escaped bytes and restarts above.
            length = int.from_bytes(data[place + 2 : place + 4], "big")
            place += 2 + max(length, 2)
    return False
