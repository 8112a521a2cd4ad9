"""Random numbers with an address, and smooth random pictures."""

from __future__ import annotations

import cv2
import numpy as np


def generator(*address: int) -> np.random.Generator:
    """The generator of one thing, e.g. (seed, map, place, view).

    Whoever draws from it disturbs nobody else, so the order of work and
    the number of processes can't change a picture.
    """
    return np.random.Generator(np.random.SFC64(list(address)))


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cell: float
) -> np.ndarray:
    """Value noise of about unit deviation.

    Args:
        rng: where the values come from.
        height: rows H.
        width: columns W.
        cell: pixels from one bump to the next.

    Returns:
        float32 [H, W].
    """
    rows = max(2, round(height / cell) + 1)
    columns = max(2, round(width / cell) + 1)
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def octaves(
    rng: np.random.Generator, height: int, width: int, cells: list[float]
) -> np.ndarray:
    """Sum of smooth noises, each next one at half the strength."""
    total = np.zeros((height, width), np.float32)
    for order, cell in enumerate(cells):
        total += smooth_noise(rng, height, width, cell) * 0.5**order
    return total
