"""Which pairs of places are no negatives of each other (R15)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


class FalseNegativeMask:
    """Pairs of places nearer than a radius, the place itself included.

    Places that share an aerial image belong to it wherever they lie.

    Args:
        positions: [N, P] Cartesian metres, NaN where unknown, or None: a
            place of unknown position is near to itself alone.
        metres: the radius; exclusive.
        count: N.
        images: int [N], the number of each place's aerial image; by default
            none share one.
    """

    def __init__(
        self,
        positions: np.ndarray | None,
        metres: float,
        count: int,
        images: np.ndarray | None = None,
    ):
        itself = np.arange(count)
        pairs = [itself * count + itself]
        if positions is not None and metres > 0:
            pairs += _both_ways(_near(positions, metres), count)
        if images is not None:
            pairs += _both_ways(_of_one_image(images), count)
        # One number a pair, sorted: by first place, then by second.
        self._count = count
        self._keys = np.unique(np.concatenate(pairs))

    def within(
        self, rows: slice, columns: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """Index arrays of the pairs inside a tile, relative to it.

        Args:
            rows: first places of the tile.
            columns: its second places.
        """
        first, last = np.searchsorted(
            self._keys, (rows.start * self._count, rows.stop * self._count)
        )
        row, column = np.divmod(self._keys[first:last], self._count)
        inside = (column >= columns.start) & (column < columns.stop)
        return row[inside] - rows.start, column[inside] - columns.start


def _near(positions: np.ndarray, metres: float) -> np.ndarray:
    """Pairs of places nearer than the radius, int [n, 2], each once."""
    known = np.flatnonzero(np.isfinite(positions).all(axis=1))
    if not known.size:
        return np.empty((0, 2), np.int64)
    # Centred: a tree of UTM northings would waste their digits.
    centred = positions[known] - np.mean(positions[known], axis=0)
    found = cKDTree(centred).query_pairs(metres, output_type="ndarray")
    apart = np.linalg.norm(centred[found[:, 0]] - centred[found[:, 1]], axis=1)
    return known[found[apart < metres]]


def _of_one_image(images: np.ndarray) -> np.ndarray:
    """Pairs of places that share an aerial image, int [n, 2], each once."""
    order = np.argsort(images, kind="stable")
    ends = np.cumsum(np.unique(images, return_counts=True)[1])
    pairs = [np.empty((0, 2), np.int64)]
    for group in np.split(order, ends[:-1]):
        if len(group) > 1:
            first, second = np.triu_indices(len(group), 1)
            pairs.append(np.stack([group[first], group[second]], axis=1))
    return np.concatenate(pairs)


def _both_ways(pairs: np.ndarray, count: int) -> list[np.ndarray]:
    """Two numbers for each pair of places: there and back."""
    a, b = pairs.astype(np.int64).T
    return [a * count + b, b * count + a]
