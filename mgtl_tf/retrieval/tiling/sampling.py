"""A few blocks from all over a raster, whatever its size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_BLOCKS_A_SIDE = 8
_BLOCK = 64


def sampled(dataset: Any, bands: Sequence[int]) -> np.ndarray:
    """Values of bands in at most 8 x 8 blocks of 64 x 64 pixels.

    Args:
        dataset: opened by rasterio.
        bands: numbers, from 1; B of them.

    Returns:
        [B, P], of the bands' own type; P pixels.
    """
    from rasterio.windows import Window

    parts = [
        dataset.read(
            list(bands), window=Window(column, row, width, height)
        ).reshape(len(bands), -1)
        for row, height in _spans(dataset.height)
        for column, width in _spans(dataset.width)
    ]
    return np.concatenate(parts, axis=1)


def _spans(size: int) -> list[tuple[int, int]]:
    """Starts and lengths along a side, from one end to the other."""
    length = min(size, _BLOCK)
    count = min(_BLOCKS_A_SIDE, -(-size // length))
    starts = np.linspace(0, size - length, count).astype(int).tolist()
    return [(start, length) for start in dict.fromkeys(starts)]
