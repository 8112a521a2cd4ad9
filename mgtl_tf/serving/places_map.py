"""The map of a gallery, as the page draws it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.galleries.gallery import Index
from mgtl_tf.galleries.tiling.crop_settings import trained_on
from mgtl_tf.utils.geodesy import earth_centred

MOST_POINTS = 200_000
"""Drawn at most; of a larger gallery every second place, or third, ..."""

# Enough to measure how far apart places are.
_MOST_MEASURED = 20_000


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
        """The map of places at `coordinates` [N, 2], NaN where unknown."""
        step = max(-(-len(coordinates) // MOST_POINTS), 1)
        known = int(np.isfinite(coordinates).all(axis=1).sum())
        shown = np.ascontiguousarray(coordinates[::step], "<f8")
        return cls(step, shown.tobytes(), known)


@dataclass(frozen=True)
class GroundExtent:
    """The square of ground under an image, its place in the middle.

    Attributes:
        metres: a side of it.
        origin: how that is known, in the page's words.
    """

    metres: float
    origin: str

    @classmethod
    def of(
        cls, index: Index, details: Mapping[str, Any]
    ) -> GroundExtent | None:
        """The extent of a gallery's images, or None.

        It is what the gallery knows of its images; else that of the crops,
        where it was cut from maps; else that of the model's training images;
        else the distance between places.

        Args:
            index: the gallery.
            details: model.json of the model.
        """
        sides = index.sides[np.isfinite(index.sides)]
        if sides.size:
            alike = np.ptp(sides) == 0
            origin = "as" if alike else "the median of what"
            return cls(float(np.median(sides)), f"{origin} the gallery knows")
        # Of several maps ("crop_metres (2)") all were cut alike.
        for name, value in index.made_of.items():
            if name.startswith("crop_metres"):
                return cls(float(value), "as they were cut")
        config = details.get("config", {})
        known = trained_on(config.get("data", {}).get("dataset", ""))
        if known is not None:
            return cls(known[0], "as the model's training images")
        spacing = _spacing(index.coordinates)
        if spacing is None:
            return None
        return cls(spacing, "a guess: as far as places are apart")


def _spacing(coordinates: np.ndarray) -> float | None:
    """The median distance of a place to the nearest other position."""
    known = coordinates[np.isfinite(coordinates).all(axis=1)][:_MOST_MEASURED]
    positions = np.unique(earth_centred(*known.T), axis=0)
    if len(positions) < 2:
        return None
    apart, _ = cKDTree(positions).query(positions, 2)
    return float(np.median(apart[:, 1]))
