"""Uploaded bytes to pixels, and pixels to what a browser is given.

What goes out is always a JPEG that was encoded here: no byte of an upload
is ever sent back.
"""

from __future__ import annotations

import base64

import cv2
import numpy as np

from mgtl_tf.serving.limits import Refused
from polar.gpano import Panorama
from polar.image_files import decode, decode_panorama, read_header

MOST_PIXELS = 2**26
"""Of an upload: 16384 x 4096. Half of what a file on disk may have."""

MOST_SIDE = 2**14
"""Pixels. The model weighs each row and column: a long strip takes more
memory than its pixels."""

_QUALITY = 85


def uploaded_panorama(content: bytes, believe: bool) -> Panorama:
    """The pixels of an upload.

    Args:
        content: the file.
        believe: whether it is turned to north where it says how.

    Raises:
        Refused: 422, for what is no whole image of a bearable size.
    """
    try:
        if content:
            _require_bearable(content)
        return (
            decode_panorama(content) if believe else Panorama(decode(content))
        )
    except ValueError as error:
        raise Refused(422, f"the image {error}") from error


def _require_bearable(content: bytes) -> None:
    header = read_header(content)
    height, width = header.height, header.width
    if height * width > MOST_PIXELS or max(height, width) > MOST_SIDE:
        raise ValueError(
            f"has {width} x {height} pixels; at most {MOST_SIDE:,} a side and"
            f" {MOST_PIXELS:,} in all are taken here"
        )


def shrunk(image: np.ndarray, most: int) -> np.ndarray:
    """An image of at most so many pixels: this one, or a smaller one.

    Args:
        image: RGB uint8 [h, w, 3].
        most: height times width.
    """
    scale = (most / (image.shape[0] * image.shape[1])) ** 0.5
    if scale >= 1:
        return image
    height, width = (max(1, int(scale * n)) for n in image.shape[:2])
    # Of a long strip, where one row is the least.
    width, height = min(width, most), min(height, most)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def jpeg(image: np.ndarray, height: int, width: int) -> bytes:
    """A JPEG file of RGB uint8 [h, w, 3], resized to height x width."""
    if image.shape[:2] != (height, width):
        smaller = height * width < image.shape[0] * image.shape[1]
        rule = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        image = cv2.resize(image, (width, height), interpolation=rule)
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, options)[1].tobytes()


def in_page(file: bytes) -> str:
    """A JPEG file as an address that holds it, for an img element."""
    return "data:image/jpeg;base64," + base64.b64encode(file).decode()
