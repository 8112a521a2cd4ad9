"""How much ground a gallery's aerial images show, for the page's map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.tiling.crop_settings import trained_on
from mgtl_tf.utils.geodesy import earth_centred

# Enough to tell how far apart places are.
_MOST_ASKED = 20_000


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
        """What is known of a gallery's images; None where nothing is.

        Crops know it from how they were cut. Other images show what the
        model was trained on, where that is known; else they are drawn as
        wide as places are apart.

        Args:
            index: the gallery.
            details: model.json of the model.
        """
        if (metres := _as_cut(index.made_of)) is not None:
            return cls(metres, "as they were cut")
        config = details.get("config", {})
        known = trained_on(config.get("data", {}).get("dataset", ""))
        if known is not None:
            return cls(known[0], "as the model's training images")
        spacing = _spacing(index.coordinates)
        if spacing is None:
            return None
        return cls(spacing, "a guess: as far as places are apart")


def _as_cut(made_of: Mapping[str, Any]) -> float | None:
    """Of several maps ("crop_metres (2)") all were cut alike."""
    found = [
        value for name, value in made_of.items() if name.startswith("crop_met")
    ]
    return float(found[0]) if found else None


def _spacing(coordinates: np.ndarray) -> float | None:
    """The median distance of a place to the nearest other position."""
    known = coordinates[np.isfinite(coordinates).all(axis=1)][:_MOST_ASKED]
    positions = np.unique(earth_centred(*known.T), axis=0)
    if len(positions) < 2:
        return None
    apart, _ = cKDTree(positions).query(positions, 2)
    return float(np.median(apart[:, 1]))
