"""Mild hills: the height of the bare ground."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from mgtl_tf.synthetic.town.noise import octaves

STEP_METRES = 4.0


@dataclasses.dataclass(frozen=True)
class Terrain:
    """Ground heights, row 0 north, one cell every STEP_METRES.

    Attributes:
        heights: float32 [H, W], metres.
        side: metres the grid spans a side.
    """

    heights: np.ndarray
    side: float

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


def make_terrain(rng: np.random.Generator, side: float) -> Terrain:
    """Rolling ground: slopes of a few per cent, some metres of relief."""
    cells = int(np.ceil(side / STEP_METRES))
    relief = rng.uniform(1.0, 2.2)
    heights = octaves(rng, cells, cells, [220 / STEP_METRES, 90 / STEP_METRES])
    return Terrain((heights * relief).astype(np.float32), cells * STEP_METRES)
