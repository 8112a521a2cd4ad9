"""The polar transform of one aerial image, by OpenCV with cached maps."""

from __future__ import annotations

import functools
import threading

import cv2
import numpy as np

from polar.geometry import sampling_grid

_memory = threading.local()


def polar_transform(
    image: np.ndarray, height: int = 112, width: int = 616
) -> np.ndarray:
    """Warps a square aerial image so that its columns are azimuths.

    Bilinear, zero outside the image.

    Args:
        image: [S, S, 3] (or [S, S]) uint8 or float32, north up.
        height, width: H and W of the result, pixels.

    Returns:
        [H, W, 3], dtype of `image`; north in the centre column.

    Raises:
        ValueError: for an image that is not square, or of another dtype.
    """
    image = np.asarray(image)
    if image.ndim not in (2, 3) or image.shape[0] != image.shape[1]:
        raise ValueError(
            f"image of shape {image.shape}: must be square, [S, S, 3]"
        )
    if image.dtype not in (np.uint8, np.float32):
        raise ValueError(f"image of {image.dtype}: must be uint8 or float32")
    maps = _maps(image.shape[0], height, width)
    if image.dtype != np.uint8 or image.shape[2:] != (3,):
        return cv2.remap(image, *maps, cv2.INTER_LINEAR)
    # OpenCV reads four bytes a pixel in one go, three one by one.
    four = _kept("image", *image.shape[:2])
    cv2.cvtColor(image, cv2.COLOR_RGB2RGBA, dst=four)
    result = _kept("result", height, width)
    cv2.remap(four, *maps, cv2.INTER_LINEAR, dst=result)
    return cv2.cvtColor(result, cv2.COLOR_RGBA2RGB)


def _kept(name: str, height: int, width: int) -> np.ndarray:
    """[height, width, 4], valid until this thread's next call of the name."""
    # Memory fresh from the system costs more than all the rest.
    size = height * width * 4
    kept = getattr(_memory, name, None)
    if kept is None or kept.size < size:
        kept = np.empty(size, np.uint8)
        setattr(_memory, name, kept)
    return kept[:size].reshape(height, width, 4)


@functools.lru_cache(maxsize=8)
def _maps(side: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    # float32 maps: OpenCV's packed ones round positions to 1/32 pixel, up to
    # six grey levels off on fine texture.
    rows, columns = sampling_grid(side, height, width)
    return columns.astype(np.float32), rows.astype(np.float32)
