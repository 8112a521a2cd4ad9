"""Seeded random fields, and the heights of the bare ground made of them."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

STEP_METRES = 4.0


def generator(*address: int) -> np.random.Generator:
    """The generator of one thing, e.g. (seed, map, place, view).

    Each thing draws from its own, so neither the order of work nor the
    number of processes changes a picture.
    """
    return np.random.Generator(np.random.SFC64(list(address)))


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cell: float
) -> np.ndarray:
    """Value noise of about unit deviation, float32 [height, width].

    `cell` is the pixels from one bump to the next.
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


@dataclasses.dataclass(frozen=True)
class Terrain:
    """Ground heights, row 0 north, one cell every STEP_METRES."""

    heights: np.ndarray  # float32 [H, W], metres
    side: float  # metres the grid spans a side

    def at(self, east: np.ndarray, north: np.ndarray) -> np.ndarray:
        """Ground height, float32, at points of any two-dimensional shape."""
        column = np.asarray(east, np.float32) / STEP_METRES - 0.5
        row = (self.side - np.asarray(north, np.float32)) / STEP_METRES - 0.5
        return cv2.remap(
            self.heights,
            np.atleast_2d(column),
            np.atleast_2d(row),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )


def make_terrain(
    rng: np.random.Generator, side: float, factor: float = 1.0
) -> Terrain:
    """Rolling ground: slopes of a few per cent, some metres of relief.

    `factor` multiplies the heights.
    """
    cells = int(np.ceil(side / STEP_METRES))
    relief = rng.uniform(1.0, 2.2) * factor
    heights = octaves(rng, cells, cells, [220 / STEP_METRES, 90 / STEP_METRES])
    return Terrain((heights * relief).astype(np.float32), cells * STEP_METRES)
