"""Squared distances of descriptors, tile by tile, and how exact they are.

NumPy only; the memory beyond the inputs does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mgtl_tf.utils.scorers import DOT, Scorer
from mgtl_tf.utils.shift_scorer import ShiftScorer
from mgtl_tf.utils.top_k import exact_scores, slices, tiles

# Few enough rows of a tile to stay in a core's own cache while counted.
_COUNTED_ROWS = 64
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
# Of cosines that come by Fourier transform.
_SHIFT_SLACK = 1e-5


@dataclass(frozen=True)
class PairwiseDistances:
    """Distances between the rows of two checked descriptor matrices.

    The score of query q and gallery row g is |g|^2 / 2 - q.g: half their
    squared Euclidean distance, less a constant of the query. float32 does not
    distinguish two scores nearer to each other than the sum of their slacks.

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
    def of(
        cls, queries: ArrayLike, gallery: ArrayLike, scorer: Scorer = DOT
    ) -> PairwiseDistances:
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
        if not scorer.fits(q.shape[1], g.shape[1]):
            raise ValueError(
                f"queries {q.shape} and gallery {g.shape} must have the same"
                " number of columns D"
            )
        norms = row_norms("queries", q), row_norms("gallery", g)
        if isinstance(scorer, ShiftScorer):
            return PairwiseShifts(q, g, *norms, scorer)
        return cls(q, g, *norms)

    def _slack_factor(self) -> float:
        """How far rounding moves a score, per product of lengths."""
        roundings = _ROUNDINGS * np.sqrt(self.queries.shape[1])
        return 0.5 * float(roundings) * _UNIT_ROUNDOFF

    def tiles(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Rows q and n of a tile, and its scores, float32 [q, n].

        The array is overwritten by the next tile.
        """
        for q, n, products, _ in tiles(self.queries, self.gallery):
            half = (0.5 * self.gallery_norms[n] ** 2).astype(np.float32)
            yield q, n, np.subtract(half, products, out=products)

    def _slacks_of(self, lengths: np.ndarray, norms: np.ndarray) -> np.ndarray:
        """Slacks of rows so long, float32; the shapes broadcast."""
        sums = lengths.astype(np.float32) + norms.astype(np.float32)
        return sums * (0.5 * self._slack_factor() * norms).astype(np.float32)

    def counts(
        self,
        q: slice,
        n: slice,
        scores: np.ndarray,
        than: np.ndarray,
        slack: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """How many gallery rows of a tile are as near as something else.

        Args:
            q, n, scores: of `tiles`.
            than: a score of each query, float32 [q].
            slack: of that score, float32 [q].

        Returns:
            how many are at least as near as rounding allows, and how many
            are nearer in spite of it, int [q] each.
        """
        found = np.empty((2, len(scores)), np.int64)
        for part in slices(len(scores), _COUNTED_ROWS):
            rows = slice(q.start + part.start, q.start + part.stop)
            found[:, part] = self._count(
                rows, n, scores[part], than[part], slack[part]
            )
        return found[0], found[1]

    def _count(
        self,
        q: slice,
        n: slice,
        scores: np.ndarray,
        than: np.ndarray,
        slack: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """`counts` of a few rows of a tile."""
        lengths, norms = self.query_norms[q], self.gallery_norms[n]
        longest = norms.max(keepdims=True)
        # Rounding moves a difference of scores by less than their slacks:
        # only what is within four times as much is examined more closely.
        margin = 4 * (slack + self._slacks_of(lengths, longest))
        surely = scores < (than - margin)[:, None]
        close = (scores <= (than + margin)[:, None]) ^ surely
        near = np.count_nonzero(surely, axis=1)
        nearer = near.copy()
        if close.any():
            row, column = np.nonzero(close)
            slacks = self._slacks_of(lengths[row], norms[column])
            closest = scores[row, column] - slacks
            farthest = closest + 2 * slacks
            np.add.at(near, row, closest <= (than + slack)[row])
            np.add.at(nearer, row, farthest < (than - slack)[row])
        return near, nearer

    def scores_at(
        self, queries: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Scores and slacks of query int [n] with gallery row int [n].

        Returns:
            float32 [n] each.
        """
        products = exact_scores(self.queries, self.gallery, queries, rows)
        norms = self.gallery_norms[rows]
        lengths = self.query_norms[queries] + norms
        slack = 0.5 * self._slack_factor() * norms * lengths
        score = 0.5 * norms**2 - products
        return score.astype(np.float32), slack.astype(np.float32)


@dataclass(frozen=True)
class PairwiseShifts(PairwiseDistances):
    """The same of descriptors that are compared under all circular shifts.

    Its scores are minus those of the scorer, -1 to 1.
    """

    scorer: ShiftScorer = ShiftScorer()

    def tiles(self) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """See `PairwiseDistances`."""
        for q, n, scores, _ in tiles(
            self.queries, self.gallery, None, self.scorer
        ):
            yield q, n, np.negative(scores, out=scores)

    def _slacks_of(self, lengths: np.ndarray, norms: np.ndarray) -> np.ndarray:
        shape = np.broadcast_shapes(lengths.shape, norms.shape)
        return np.full(shape, _SHIFT_SLACK, np.float32)

    def scores_at(
        self, queries: np.ndarray, rows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `PairwiseDistances`."""
        scores = exact_scores(
            self.queries, self.gallery, queries, rows, self.scorer
        )
        slack = np.full(len(scores), _SHIFT_SLACK, np.float32)
        return -scores.astype(np.float32), slack


def row_norms(name: str, matrix: np.ndarray) -> np.ndarray:
    """Lengths of the rows of a matrix whose values are checked.

    Args:
        name: of the matrix, for the message.
        matrix: [rows, D].

    Returns:
        float64 [rows].

    Raises:
        ValueError: for values that are not finite, naming the first row.
    """
    norms = np.empty(len(matrix))
    for rows in slices(len(matrix), _FLOAT64_ROWS):
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
