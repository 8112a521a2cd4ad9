"""Image files to network inputs: decode, crop, resize, polar transform."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.errors import UserError
from polar import polar_transform
from polar.image_files import decode

# Changes with every change of how files become pixels, so that caches made
# by another rule are made anew.
SAMPLING_RULE = "area-bilinear-1"


def load_ground(
    path: Path | str,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float] = (0.0, 1.0),
) -> np.ndarray:
    """A panorama as network input: RGB uint8 [H, W, 3].

    Args:
        path: JPEG or PNG.
        image_size: H, W in pixels.
        ground_crop: top and bottom of the rows kept, as fractions.

    Raises:
        UserError: naming the file, where it cannot be read whole.
    """
    image = read_image(path)
    top, bottom = (round(f * image.shape[0]) for f in ground_crop)
    return resize(image[top : max(bottom, top + 1)], *image_size)


def load_satellite(path: Path | str, image_size: tuple[int, int]) -> np.ndarray:
    """An aerial image, polar-transformed: RGB uint8 [H, W, 3].

    Raises:
        UserError: naming the file, where it cannot be read whole or is not
            square.
    """
    image = read_image(path)
    if image.shape[0] != image.shape[1]:
        raise UserError(
            f"{path}: {image.shape[1]} x {image.shape[0]} pixels; an aerial"
            " image must be square, with its camera in the centre"
        )
    return polar_transform(image, *image_size)


def read_image(path: Path | str) -> np.ndarray:
    """A decoded image file, RGB uint8 [h, w, 3].

    Raises:
        UserError: for an empty, cut off or otherwise unreadable file.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    try:
        return decode(data)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image in another size, each axis by its own rule.

    The mean over the covered area where an axis shrinks, bilinear with
    half-pixel centres where it grows: nothing is skipped, so that no fine
    texture turns into false coarse one.

    Args:
        image: uint8 or float32 [h, w, 3].
        height, width: H, W in pixels.

    Returns:
        [H, W, 3], dtype of `image`.
    """
    image = _resize_axis(image, height, image.shape[1], image.shape[0], height)
    return _resize_axis(image, height, width, image.shape[1], width)


def _resize_axis(
    image: np.ndarray, height: int, width: int, old: int, new: int
) -> np.ndarray:
    if old == new:
        return image
    rule = cv2.INTER_AREA if new < old else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=rule)
