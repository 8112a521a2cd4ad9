"""The polar transform of one aerial image, by OpenCV with cached maps."""

from __future__ import annotations

import functools
import threading
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from polar.geometry import sampling_grid

_memory = threading.local()

# Of a quarter's box: what a core has of fast memory (L2) holds it, beside
# the image. Measured: above, quarters are slower than the whole.
_QUARTERED_BYTES = 2**20


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
    if image.dtype != np.uint8 or image.shape[2:] != (3,):
        return _remap(image, *_maps(image.shape[0], height, width))
    result = _kept("result", height, width)
    for sector in _sectors(image.shape[0], height, width):
        # OpenCV reads four bytes a pixel in one go, three one by one.
        box = image[sector.box]
        four = _kept("box", *box.shape[:2])
        cv2.cvtColor(box, cv2.COLOR_RGB2RGBA, dst=four)
        _remap(four, *sector.maps, result[:, sector.columns])
    return cv2.cvtColor(result, cv2.COLOR_RGBA2RGB)


def _remap(
    image: np.ndarray,
    columns: np.ndarray,
    rows: np.ndarray,
    result: np.ndarray | None = None,
) -> np.ndarray:
    return cv2.remap(
        image,
        columns,
        rows,
        cv2.INTER_LINEAR,
        result,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )


def _kept(name: str, height: int, width: int) -> np.ndarray:
    """[height, width, 4], valid until this thread's next call of the name."""
    # Memory fresh from the system costs more than all the rest.
    size = height * width * 4
    kept = getattr(_memory, name, None)
    if kept is None or kept.size < size:
        kept = np.empty(size, np.uint8)
        setattr(_memory, name, kept)
    return kept[:size].reshape(height, width, 4)


class _Sector(NamedTuple):
    """Some columns of the polar image, and what they show."""

    columns: slice
    box: tuple[slice, slice]
    maps: tuple[np.ndarray, np.ndarray]


@functools.lru_cache(maxsize=8)
def _sectors(side: int, height: int, width: int) -> tuple[_Sector, ...]:
    """Quarters of the view, if that keeps their pixels near the processor."""
    count = 4 if side * side <= _QUARTERED_BYTES else 1
    # OpenCV computes sixteen columns at a time, and what is left one by one.
    wanted = (part * width // count for part in range(count))
    edges = [min((column + 8) // 16 * 16, width) for column in wanted]
    maps = _maps(side, height, width)
    return tuple(
        _sector(slice(first, last), side, maps)
        for first, last in pairwise([*edges, width])
        if first < last
    )


def _sector(
    own: slice, side: int, maps: tuple[np.ndarray, np.ndarray]
) -> _Sector:
    columns, rows = maps[0][:, own], maps[1][:, own]
    across, down = _reach(columns, side), _reach(rows, side)
    # Whole numbers are taken off: no fraction is rounded anew.
    moved = columns - np.float32(across.start), rows - np.float32(down.start)
    return _Sector(own, (down, across), moved)


def _reach(positions: np.ndarray, side: int) -> slice:
    """The pixels that are blended in at positions along one axis."""
    return slice(int(positions.min()), min(int(positions.max()) + 2, side))


@functools.lru_cache(maxsize=8)
def _maps(side: int, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    # float32 maps: OpenCV's packed ones round positions to 1/32 pixel, up to
    # six grey levels off on fine texture.
    rows, columns = sampling_grid(side, height, width)
    return columns.astype(np.float32), rows.astype(np.float32)
