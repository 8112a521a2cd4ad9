"""Image files to network inputs: decode, crop, resize, polar transform."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from mgtl_tf.datasets.panoramas import kept_rows, require_shape
from mgtl_tf.utils.errors import UserError
from polar import image_files, polar_transform
from polar.panorama_notes import Panorama

# Changes with every change of how files become pixels, so that caches made
# by another rule are made anew.
SAMPLING_RULE = "area-bilinear-3"

_Read = TypeVar("_Read")


def load_ground(
    path: Path | str,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float] = (0.0, 1.0),
    dataset: str = "",
) -> np.ndarray:
    """A panorama as network input: RGB uint8 [H, W, 3].

    Args:
        path: JPEG, PNG or TIFF; where its GPano notes hold a heading, it is
            turned to north.
        image_size: H, W in pixels.
        ground_crop: top and bottom of the rows kept, as fractions.
        dataset: whose panoramas' shape is asked for; "": any.

    Raises:
        UserError: naming the file, where it cannot be read whole or has
            another shape.
    """
    image = read_panorama(path).pixels
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
        UserError: naming the file, where it cannot be read, is damaged, or
            its colours cannot be known.
    """
    return _told(image_files.read_image, path)


def read_panorama(path: Path | str) -> Panorama:
    """A decoded panorama, upright, north in the centre column.

    Raises:
        UserError: as `read_image`, or where its GPano notes say that it is
            not a whole turn, or are no heading.
    """
    return _told(image_files.read_panorama, path)


def read_file(path: Path | str) -> bytes:
    """All bytes of a file of an image's size.

    Raises:
        UserError: naming the file, where it cannot be read.
    """
    return _told(image_files.read_file, path)


def _told(read: Callable[[Path | str], _Read], path: Path | str) -> _Read:
    try:
        return read(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
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
