"""Image files to network inputs: decode, crop, resize, polar transform."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.data.panoramas import kept_rows
from mgtl_tf.data.panoramas import require_shape
from mgtl_tf.errors import UserError
from polar import polar_transform
from polar.image_files import decode

# Changes with every change of how files become pixels, so that caches made
# by another rule are made anew.
SAMPLING_RULE = "area-bilinear-2"

_MOST_BYTES = 2**30


def load_ground(
    path: Path | str,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float] = (0.0, 1.0),
    dataset: str = "",
) -> np.ndarray:
    """A panorama as network input: RGB uint8 [H, W, 3].

    Args:
        path: JPEG, PNG or TIFF.
        image_size: H, W in pixels.
        ground_crop: top and bottom of the rows kept, as fractions.
        dataset: whose panoramas' shape is asked for; "": any.

    Raises:
        UserError: naming the file, where it cannot be read whole or has
            another shape.
    """
    image = read_image(path)
    try:
        return ground_input(image, image_size, ground_crop, dataset)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def load_satellite(path: Path | str, image_size: tuple[int, int]) -> np.ndarray:
    """An aerial image, polar-transformed: RGB uint8 [H, W, 3].

    Raises:
        UserError: naming the file, where it cannot be read whole or is not
            square.
    """
    image = read_image(path)
    try:
        return satellite_input(image, image_size)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def ground_input(
    image: np.ndarray,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float] = (0.0, 1.0),
    dataset: str = "",
) -> np.ndarray:
    """`load_ground` of a decoded panorama, RGB uint8 [h, w, 3].

    Raises:
        UserError: saying why, without the file's name.
    """
    require_shape(image.shape[:2], ground_crop, image_size, dataset)
    return resize(image[kept_rows(image.shape[0], ground_crop)], *image_size)


def satellite_input(
    image: np.ndarray, image_size: tuple[int, int]
) -> np.ndarray:
    """`load_satellite` of a decoded aerial image, RGB uint8 [s, s, 3].

    Raises:
        UserError: saying why, without the file's name.
    """
    if image.shape[0] != image.shape[1]:
        raise UserError(
            f"{image.shape[1]} x {image.shape[0]} pixels; an aerial"
            " image must be square, with its camera in the centre"
        )
    return polar_transform(image, *image_size)


def read_image(path: Path | str) -> np.ndarray:
    """A decoded image file, RGB uint8 [h, w, 3], upright.

    Raises:
        UserError: for an empty, cut off or otherwise unreadable file.
    """
    data = read_file(path)
    try:
        return decode(data)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error


def read_file(path: Path | str) -> bytes:
    """All bytes of a file of an image's size.

    Raises:
        UserError: naming the file, where it cannot be read.
    """
    try:
        status = os.stat(path)
        # A pipe would be waited for without end.
        if not stat.S_ISREG(status.st_mode):
            raise UserError(f"{path}: is a folder or device, not a file")
        if status.st_size > _MOST_BYTES:
            raise UserError(
                f"{path}: has {status.st_size:,} bytes; more than"
                f" {_MOST_BYTES:,} are refused"
            )
        # Unbuffered: the whole file is asked for in one go.
        with open(path, "rb", buffering=0) as file:
            return file.read()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # A name with a zero byte.
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
    if height <= image.shape[0] and width <= image.shape[1]:
        # Both axes in one step: rounded once, and many times as fast.
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    image = _resize_axis(image, height, image.shape[1], image.shape[0], height)
    return _resize_axis(image, height, width, image.shape[1], width)


def _resize_axis(
    image: np.ndarray, height: int, width: int, old: int, new: int
) -> np.ndarray:
    if old == new:
        return image
    rule = cv2.INTER_AREA if new < old else cv2.INTER_LINEAR
    return cv2.resize(image, (width, height), interpolation=rule)
