"""Which ground is taken, so that nothing stands inside something else."""

from __future__ import annotations

import cv2
import numpy as np

STEP_METRES = 0.5


class Occupancy:
    """A bitmap of taken ground with two questions and two answers."""

    def __init__(self, side: float) -> None:
        """Begins with all ground of a map of `side` metres free."""
        count = int(np.ceil(side / STEP_METRES))
        self.side = side
        self.taken = np.zeros((count, count), np.uint8)

    def take_line(self, metres: np.ndarray, width: float) -> None:
        """Takes a polyline [N, 2] of a width."""
        cv2.polylines(
            self.taken,
            [self._pixels(metres)],
            False,
            1,
            max(1, round(width / STEP_METRES)),
        )

    def take_polygon(self, metres: np.ndarray) -> None:
        """Takes a polygon [N, 2]."""
        cv2.fillPoly(self.taken, [self._pixels(metres)], 1)

    def is_free(self, metres: np.ndarray) -> bool:
        """Whether a convex polygon [N, 2] lies on the map and free."""
        points = self._pixels(metres)
        low, high = points.min(0), points.max(0) + 1
        if np.any(low < 0) or np.any(high > self.taken.shape[0]):
            return False
        window = self.taken[low[1] : high[1], low[0] : high[0]]
        shape = np.zeros_like(window)
        cv2.fillConvexPoly(shape, points - low, 1)
        return not np.any(window & shape)

    def free_points(self, metres: np.ndarray) -> np.ndarray:
        """Whether each of the points [N, 2] lies so, bool [N]."""
        column, row = self._pixels(metres).T
        count = self.taken.shape[0]
        inside = (row >= 0) & (row < count) & (column >= 0) & (column < count)
        free = np.zeros(len(metres), bool)
        free[inside] = self.taken[row[inside], column[inside]] == 0
        return free

    def _pixels(self, metres: np.ndarray) -> np.ndarray:
        """Points [N, 2] as (column, row), int32."""
        metres = np.asarray(metres, np.float64).reshape(-1, 2)
        column = np.floor(metres[:, 0] / STEP_METRES)
        row = np.floor((self.side - metres[:, 1]) / STEP_METRES)
        return np.stack([column, row], 1).astype(np.int32)
