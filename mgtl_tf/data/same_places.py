"""Which places are so near each other that they are the same (R15)."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree


class SamePlaces:
    """Pairs of places nearer than a radius, the place itself included.

    Args:
        positions: [N, P] Cartesian metres, or None where unknown: then a
            place is the same as itself alone.
        metres: the radius; exclusive.
        count: N.

    Attributes:
        counts: int [N], how many places are the same as each, 1 or more.
    """

    def __init__(self, positions: np.ndarray | None, metres: float, count: int):
        itself = np.arange(count)
        pairs = np.stack([itself, itself], axis=1)
        if positions is not None and metres > 0:
            # Centred: a tree of UTM northings would waste their digits.
            centred = positions - np.mean(positions, axis=0)
            found = cKDTree(centred).query_pairs(metres, output_type="ndarray")
            a, b = found.T
            apart = np.linalg.norm(centred[a] - centred[b], axis=1)
            found = found[apart < metres]
            pairs = np.vstack([pairs, found, found[:, ::-1]])
        # One number a pair, sorted: by first place, then by second.
        self._count = count
        self._keys = np.sort(pairs[:, 0] * count + pairs[:, 1])
        self.counts = np.bincount(pairs[:, 0], minlength=count)
        self._starts = np.cumsum(self.counts) - self.counts

    def within(
        self, rows: np.ndarray, columns: slice
    ) -> tuple[np.ndarray, np.ndarray]:
        """Index arrays of the pairs inside a tile, relative to it.

        Args:
            rows: first places of the tile, int [q].
            columns: its second places.
        """
        counts = self.counts[rows]
        row = np.repeat(np.arange(len(rows)), counts)
        behind = np.arange(len(row)) - np.repeat(
            np.cumsum(counts) - counts, counts
        )
        keys = self._keys[self._starts[rows][row] + behind]
        column = keys % self._count
        inside = (column >= columns.start) & (column < columns.stop)
        return row[inside], column[inside] - columns.start

    def contain(self, rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        """Whether place rows[i] is the same as others[i, j].

        Args:
            rows: int [q].
            others: int [q, n].

        Returns:
            bool [q, n].
        """
        keys = rows[:, None] * self._count + others
        found = np.searchsorted(self._keys, keys)
        found = np.minimum(found, len(self._keys) - 1)
        return self._keys[found] == keys
