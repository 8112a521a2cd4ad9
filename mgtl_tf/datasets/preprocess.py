"""Image files to network inputs: decode, crop, resize, polar transform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.datasets.label_maps import coloured
from mgtl_tf.datasets.panorama_shape import kept_rows, require_shape
from mgtl_tf.utils.errors import UserError
from polar import image_files, polar_transform
from polar.gpano import Panorama

# Changes with every change of how files become pixels, so that caches made
# by another rule are made anew.
SAMPLING_RULE = "area-bilinear-3"


def load_ground(
    path: Path | str,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float] = (0.0, 1.0),
    dataset: str = "",
    form: str = "image",
) -> np.ndarray:
    """A panorama as network input: RGB uint8 [H, W, 3].

    Args:
        path: JPEG, PNG or TIFF; where its GPano metadata hold a heading, it
            is turned to north.
        image_size: H, W in pixels.
        ground_crop: top and bottom of the rows kept, as fractions.
        dataset: its name, for `require_shape`.
        form: image, or labels: the file is a label map.

    Raises:
        UserError: naming the file, where it cannot be read completely or has
            another shape.
    """
    with _naming(path):
        image = image_files.read_panorama(path).pixels
        return ground_input(image, image_size, ground_crop, dataset, form)


def load_satellite(
    path: Path | str, image_size: tuple[int, int], form: str = "polar"
) -> np.ndarray:
    """An aerial image as network input: RGB uint8 [H, W, 3].

    Args:
        path: JPEG, PNG or TIFF.
        image_size: H, W in pixels.
        form: polar (transformed), square (resized), or labels: the file is
            the label map of a square image.

    Raises:
        UserError: naming the file, where it cannot be read completely or is
            not square.
    """
    with _naming(path):
        return satellite_input(image_files.read_image(path), image_size, form)


def ground_input(
    image: np.ndarray,
    image_size: tuple[int, int],
    ground_crop: tuple[float, float] = (0.0, 1.0),
    dataset: str = "",
    form: str = "image",
) -> np.ndarray:
    """`load_ground` of a decoded panorama, RGB uint8 [h, w, 3].

    Raises:
        UserError: without the file's name.
    """
    require_shape(image.shape[:2], ground_crop, image_size, dataset)
    if form == "labels":
        image = coloured(image)
    return resize(image[kept_rows(image.shape[0], ground_crop)], *image_size)


def satellite_input(
    image: np.ndarray, image_size: tuple[int, int], form: str = "polar"
) -> np.ndarray:
    """`load_satellite` of a decoded aerial image, RGB uint8 [s, s, 3].

    Raises:
        UserError: without the file's name.
    """
    if image.shape[0] != image.shape[1]:
        raise UserError(
            f"{image.shape[1]} x {image.shape[0]} pixels; an aerial"
            " image must be square, with its camera in the centre"
        )
    if form == "labels":
        image = coloured(image)
    transform = polar_transform if form == "polar" else resize
    return transform(image, *image_size)


def read_image(path: Path | str) -> np.ndarray:
    """A decoded image file, RGB uint8 [h, w, 3], upright.

    Raises:
        UserError: naming the file, where it cannot be read, is damaged, or
            its colours cannot be known.
    """
    with _naming(path):
        return image_files.read_image(path)


def read_panorama(path: Path | str) -> Panorama:
    """A decoded panorama, upright, north in the centre column.

    Raises:
        UserError: as `read_image`, or where its GPano metadata say that it
            is not a full turn, or are no heading.
    """
    with _naming(path):
        return image_files.read_panorama(path)


def read_file(path: Path | str) -> bytes:
    """All bytes of a file of an image's size.

    Raises:
        UserError: naming the file, where it cannot be read.
    """
    with _naming(path):
        return image_files.read_file(path)


@contextmanager
def _naming(path: Path | str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except (ValueError, UserError) as error:
        raise UserError(f"{path}: {error}") from error


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image in another size, each axis by its own rule.

    The mean over the covered area where an axis shrinks, bilinear with
    half-pixel centres where it grows: nothing is skipped, so that fine
    texture causes no aliasing.

    Args:
        image: uint8 or float32 [h, w, 3].
        height, width: H, W in pixels.

    Returns:
        [H, W, 3], dtype of `image`.
    """
    old_height, old_width = image.shape[:2]
    if height <= old_height and width <= old_width:
        # Both axes in one step: rounded once, and many times as fast.
        return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    for old, new, size in (
        (old_height, height, (old_width, height)),
        (old_width, width, (width, height)),
    ):
        if new != old:
            rule = cv2.INTER_AREA if new < old else cv2.INTER_LINEAR
            image = cv2.resize(image, size, interpolation=rule)
    return image
