"""Rows of batch after batch, gathered in one array."""

from __future__ import annotations

import numpy as np


class GatheredRows:
    """Descriptors of all batches in one array from the start.

    Parts that are joined in the end would take the memory twice, which for
    92,802 descriptors is 2.9 GB more.

    Args:
        batches: how many will come, none fuller than the first.
    """

    def __init__(self, batches: int):
        self._batches = batches
        self._array = np.empty((0, 0), np.float32)
        self._filled = 0

    def add(self, part: np.ndarray) -> None:
        """Appends rows [n, D]."""
        if not self._filled:
            # Pages that are never filled cost nothing.
            shape = self._batches * len(part), part.shape[1]
            self._array = np.empty(shape, part.dtype)
        self._array[self._filled : self._filled + len(part)] = part
        self._filled += len(part)

    def all(self) -> np.ndarray:
        """The rows so far, [N, D]."""
        return self._array[: self._filled]
