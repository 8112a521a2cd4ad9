"""The gallery's positions, as the page's map loads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgtl_tf.retrieval.places import Place

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
    def of(cls, places: Sequence[Place]) -> PlacesMap:
        """The map of a gallery."""
        step = max(-(-len(places) // MOST_POINTS), 1)
        unknown = (np.nan, np.nan)
        positions = np.array(
            [place.coordinates or unknown for place in places[::step]], "<f8"
        )
        known = sum(place.coordinates is not None for place in places)
        return cls(step, positions.tobytes(), known)
