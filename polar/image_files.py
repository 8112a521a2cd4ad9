"""Image files' bytes to pixels; what is not whole is refused with a reason."""

from __future__ import annotations

import cv2
import numpy as np

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START, _PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
_END_OF_IMAGE = 0xD9
# Markers without a length after them: TEM, restarts, start of image.
_BARE = frozenset([0x01, *range(0xD0, 0xD9)])


def decode(data: bytes) -> np.ndarray:
    """The pixels of a JPEG or PNG file, as stored (EXIF turns nothing).

    Args:
        data: the whole file.

    Returns:
        RGB uint8 [h, w, 3].

    Raises:
        ValueError: saying why, for bytes that are no whole image.
    """
    if reason := _why_not_whole(data):
        raise ValueError(reason)
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ValueError(f"cannot be decoded ({error.err})") from error
    if image is None:
        raise ValueError("is damaged and cannot be decoded")
    return image


def _why_not_whole(data: bytes) -> str | None:
    # OpenCV fills what a cut JPEG lacks with grey and says nothing.
    if not data:
        return "is empty"
    if data.startswith(_JPEG_START):
        return None if _is_whole_jpeg(data) else "is cut off (JPEG)"
    if data.startswith(_PNG_START):
        return None if _PNG_END in data else "is cut off (PNG)"
    return "is neither JPEG nor PNG"


def _is_whole_jpeg(data: bytes) -> bool:
    """Whether the image's own end marker is there."""
    # Most files end with it, which is quick to see. Phones append further
    # data, and a thumbnail has an end marker too: walk past its segment.
    if data.rstrip(b"\0").endswith(_JPEG_END):
        return True
    place = len(_JPEG_START)
    while (place := data.find(b"\xff", place)) >= 0:
        marker = data[place + 1] if place + 1 < len(data) else 0xFF
        if marker == _END_OF_IMAGE:
            return True
        if marker in _BARE or marker in (0x00, 0xFF):
            place += 1 if marker == 0xFF else 2
        else:
            # Entropy-coded data follows a scan's header; `find` passes it,
            # as it passes escaped bytes and restarts above.
            length = int.from_bytes(data[place + 2 : place + 4], "big")
            place += 2 + max(length, 2)
    return False
