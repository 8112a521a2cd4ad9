"""What of an uploaded file is taken: its size, its pixels, its heading."""

from __future__ import annotations

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


def uploaded_panorama(content: bytes, believe: bool) -> Panorama:
    """The pixels of an upload.

    Args:
        content: the file.
        believe: whether it is turned to north by the heading in the file.

    Raises:
        Refused: 422, for what is no complete image or is too large.
    """
    try:
        if content:
            _require_size(content)
        return (
            decode_panorama(content) if believe else Panorama(decode(content))
        )
    except ValueError as error:
        raise Refused(422, f"the image {error}") from error


def _require_size(content: bytes) -> None:
    header = read_header(content)
    height, width = header.height, header.width
    if height * width > MOST_PIXELS or max(height, width) > MOST_SIDE:
        raise ValueError(
            f"has {width} x {height} pixels; at most {MOST_SIDE:,} a side and"
            f" {MOST_PIXELS:,} in all are taken here"
        )


def shrunk(image: np.ndarray, most: int) -> np.ndarray:
    """RGB uint8 [h, w, 3] as it is, or a smaller one of `most` pixels."""
    scale = (most / (image.shape[0] * image.shape[1])) ** 0.5
    if scale >= 1:
        return image
    height, width = (max(1, int(scale * n)) for n in image.shape[:2])
    # Of a long strip, where one row is the least.
    width, height = min(width, most), min(height, most)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
