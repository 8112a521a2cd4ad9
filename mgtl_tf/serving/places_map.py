"""The gallery's positions, as the page's map loads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST_POINTS = 200_000
"""Drawn at most; of a larger gallery every second place, or third, ..."""


@dataclass(frozen=True)
class PlacesMap:
    """Positions of places spread evenly over a gallery's rows.

    Attributes:
        step: rows from one of them to the next.
        content: their latitudes and longitudes in degrees, little-endian
            float64 [n, 2]; NaN where unknown.
        known: how many of all places have a position.
    """

    step: int
    content: bytes
    known: int

    @classmethod
    def of(cls, coordinates: np.ndarray) -> PlacesMap:
        """The map of a gallery.

        Args:
            coordinates: degrees, float64 [N, 2], NaN where unknown.
        """
        step = max(-(-len(coordinates) // MOST_POINTS), 1)
        known = int(np.isfinite(coordinates).all(axis=1).sum())
        shown = np.ascontiguousarray(coordinates[::step], "<f8")
        return cls(step, shown.tobytes(), known)
