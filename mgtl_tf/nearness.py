"""How near descriptors are, tile by tile, and what rounding blurs.

NumPy only; the memory beyond the inputs does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

# Tall enough tiles for a matrix product to reach its peak.
_QUERY_ROWS = 2048
_GALLERY_ROWS = 4096
_FLOAT64_ROWS = 256
# Squares of larger values overflow in float32.
_LARGEST_NORM = 1e18
# Two equal rows may get different float32 products with one query, because a
# matrix product sums edge tiles and the last rows in another order. The
# spread grows as sqrt(D); for constant vectors, the worst kind, it reached
# 1.9 sqrt(D) roundings of 2^-24 with OpenBLAS. Distances nearer than twice
# that are ties: at D = 7,680 that is 4e-5 of a squared distance in 0..4, far
# below what separates places, far above what a collapsed network's noise is.
_ROUNDINGS = 4.0
_UNIT_ROUNDOFF = 2.0**-24


@dataclass(frozen=True)
class Nearness:
    """How near the rows of two checked descriptor matrices are.

    The score of query q and gallery row g is |g|^2 / 2 - q.g: half their
    squared Euclidean distance, less a constant of the query; the smaller,
    the nearer. Two scores of a query nearer to each other than the sum of
    their slacks are not told apart by float32.

    Attributes:
        queries: [Q, D], any real dtype.
        gallery: [N, D].
        query_norms: lengths of the rows, float64 [Q].
        gallery_norms: float64 [N].
    """

    queries: np.ndarray
    gallery: np.ndarray
    query_norms: np.ndarray
    gallery_norms: np.ndarray

    @classmethod
    def of(cls, queries: ArrayLike, gallery: ArrayLike) -> Nearness:
        """The two matrices, checked.

        Raises:
            ValueError: for shapes that do not fit, or values that are not
                finite, naming the row.
        """
        q, g = np.asarray(queries), np.asarray(gallery)
        for name, matrix in (("queries", q), ("gallery", g)):
            if matrix.ndim != 2 or not matrix.size:
                raise ValueError(
                    f"{name} has shape {matrix.shape}; must be [rows, D],"
                    " with at least one row and column"
                )
        if q.shape[1] != g.shape[1]:
            raise ValueError(
                f"queries {q.shape} and gallery {g.shape} must have the same"
                " number of columns D"
            )
        return cls(q, g, _norms("queries", q), _norms("gallery", g))

    def _slack_factor(self) -> float:
        """How far rounding moves a score, per product of lengths."""
        roundings = _ROUNDINGS * np.sqrt(self.queries.shape[1])
        return 0.5 * float(roundings) * _UNIT_ROUNDOFF

    def tiles(self) -> Iterator[tuple[slice, slice, np.ndarray, np.ndarray]]:
        """Rows q and n of a tile, its scores and slacks, float32 [q, n].

        Both arrays are overwritten by the next tile.
        """
        factor = self._slack_factor()
        buffers = np.empty((2, _QUERY_ROWS * _GALLERY_ROWS), np.float32)
        for q in _slices(len(self.queries), _QUERY_ROWS):
            rows = np.asarray(self.queries[q], np.float32)
            lengths = self.query_norms[q, None].astype(np.float32)
            for n in _slices(len(self.gallery), _GALLERY_ROWS):
                columns = np.asarray(self.gallery[n], np.float32)
                norms = self.gallery_norms[n]
                half = (0.5 * norms**2).astype(np.float32)
                shape = len(rows), len(columns)
                scores, slacks = buffers[:, : shape[0] * shape[1]].reshape(
                    2, *shape
                )
                np.matmul(rows, columns.T, out=scores)
                np.subtract(half, scores, out=scores)
                np.add(lengths, norms.astype(np.float32), out=slacks)
                slacks *= (0.5 * factor * norms).astype(np.float32)
                yield q, n, scores, slacks

    def scores_of(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Score and slack of each query's gallery row int [Q], float32 [Q]."""
        return self.scores_at(np.arange(len(rows)), rows)

    def scores_at(
        self, queries: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and slacks of query int [n] with gallery row int [n].

        The products are computed in float64.

        Returns:
            float32 [n] each.
        """
        products = np.empty(len(rows))
        for part in _slices(len(rows), _FLOAT64_ROWS):
            products[part] = np.einsum(
                "ij,ij->i",
                self.queries[queries[part]].astype(np.float64),
                self.gallery[rows[part]].astype(np.float64),
            )
        norms = self.gallery_norms[rows]
        lengths = self.query_norms[queries] + norms
        slack = 0.5 * self._slack_factor() * norms * lengths
        score = 0.5 * norms**2 - products
        return score.astype(np.float32), slack.astype(np.float32)


def _norms(name: str, matrix: np.ndarray) -> np.ndarray:
    """Lengths of the rows; the one place where values are checked."""
    norms = np.empty(len(matrix))
    for rows in _slices(len(matrix), _FLOAT64_ROWS):
        values = matrix[rows].astype(np.float64)
        norms[rows] = np.sqrt(np.einsum("ij,ij->i", values, values))
    # Written so that NaN, of which every comparison is false, is caught.
    wrong = np.flatnonzero(~(norms < _LARGEST_NORM))
    if wrong.size:
        raise ValueError(
            f"{name}: row {wrong[0]} holds values that are not finite, or too"
            f" large for float32 ({wrong.size} such rows of {len(matrix)})"
        )
    return norms


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
