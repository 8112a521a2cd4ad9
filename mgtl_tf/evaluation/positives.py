"""Which gallery rows are right because they lie near on the map.

CVACT's authors count a query of their test set as right at K when any of the
K most similar satellite images lies within 5 m of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from mgtl_tf import metrics

# A tree's distances round otherwise than ours: it only proposes.
_MARGIN_METRES = 1e-3
_NONE = np.empty(0, np.int64)


class PositivesWithin:
    """Gallery rows within a radius of each query; see `metrics.Positives`.

    Args:
        query_positions: [Q, P], Cartesian metres, P of 2 or 3; NaN where
            unknown: nothing is then near.
        gallery_positions: [N, P], likewise.
        metres: the radius, inclusive.
        own: queries and gallery rows, int [n] each, that are right wherever
            they lie; none by default.

    Raises:
        ValueError: for positions that do not fit or are infinite.
    """

    def __init__(
        self,
        query_positions: ArrayLike,
        gallery_positions: ArrayLike,
        metres: float,
        own: tuple[np.ndarray, np.ndarray] = (_NONE, _NONE),
    ):
        self._here = _positions("query_positions", query_positions)
        self._there = _positions("gallery_positions", gallery_positions)
        if self._here.shape[1] != self._there.shape[1]:
            raise ValueError(
                f"query_positions {self._here.shape} and gallery_positions"
                f" {self._there.shape} must have the same number of axes"
            )
        self._metres, self._own = metres, metrics.PositivePairs(*own)
        self._known = np.flatnonzero(known(self._there))
        self._tree = cKDTree(self._there[self._known])

    def of(self, q: slice) -> tuple[np.ndarray, np.ndarray]:
        """See `metrics.Positives`."""
        rows, columns = self._near(self._here[q])
        queries, answers = self._own.of(q)
        # One number a pair: what is right twice is right once.
        count = len(self._there)
        pairs = np.unique(
            np.append(rows * count + columns, queries * count + answers)
        )
        return pairs // count, pairs % count

    def _near(self, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked = np.flatnonzero(known(here))
        if not asked.size or not self._known.size:
            return _NONE, _NONE
        found = cKDTree(here[asked]).sparse_distance_matrix(
            self._tree, self._metres + _MARGIN_METRES, output_type="ndarray"
        )
        rows, columns = asked[found["i"]], self._known[found["j"]]
        apart = ((here[rows] - self._there[columns]) ** 2).sum(axis=1)
        keep = apart <= self._metres**2
        return rows[keep], columns[keep]


def known(positions: np.ndarray) -> np.ndarray:
    """Which rows of positions [n, P] are known, bool [n]: those without NaN."""
    return ~np.isnan(positions).any(axis=1)


def image_positions(
    places: np.ndarray, images: np.ndarray, count: int
) -> np.ndarray:
    """Where each image is: what its first pair of known position says.

    Args:
        places: of the pairs, [Q, P], NaN in rows that are unknown.
        images: int [Q], the number of each pair's image.
        count: N.

    Returns:
        float64 [N, P], NaN in rows that are unknown.
    """
    where = np.full((count, places.shape[1]), np.nan)
    rows = np.flatnonzero(known(places))[::-1]
    # Of several writes to one image the last one stays.
    where[images[rows]] = places[rows]
    return where


def _positions(name: str, values: ArrayLike) -> np.ndarray:
    positions = np.asarray(values, np.float64)
    if positions.ndim != 2:
        raise ValueError(
            f"{name} has shape {positions.shape}; must be [rows, 2 or 3]"
        )
    wrong = np.flatnonzero(np.isinf(positions).any(axis=1))
    if wrong.size:
        raise ValueError(f"{name}: row {wrong[0]} is infinite")
    return positions
