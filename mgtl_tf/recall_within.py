"""Recall where any answer near enough on the map is right (CVACT_test).

CVACT's authors count a query of their test set as right at K when any of the
K most similar satellite images lies within 5 m of it. As in metrics.py, ties
count against the model and no [Q, N] matrix is ever held.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from mgtl_tf import metrics
from mgtl_tf.nearness import Nearness

# A tree's distances round otherwise than ours: it only proposes.
_MARGIN_METRES = 1e-3


def recall_within(
    queries: ArrayLike,
    gallery: ArrayLike,
    query_positions: ArrayLike,
    gallery_positions: ArrayLike,
    metres: float = 5.0,
    ks: Sequence[int | str] = metrics.DEFAULT_KS,
) -> dict[str, float | int]:
    """Recall at K, where every answer within so many metres is right.

    Args:
        queries, gallery: descriptors [Q, D] and [N, D].
        query_positions: [Q, P], Cartesian metres, P of 2 or 3.
        gallery_positions: [N, P].
        metres: the radius, inclusive.
        ks: as of `metrics.recall`.

    Returns:
        as `metrics.recall`.

    Raises:
        ValueError: as `metrics.within_metres`, or for an unreadable K.
    """
    place, ties = ranks_within(
        queries, gallery, query_positions, gallery_positions, metres
    )
    return metrics.summary(place, ties, len(np.asarray(gallery)), ks)


def ranks_within(
    queries: ArrayLike,
    gallery: ArrayLike,
    query_positions: ArrayLike,
    gallery_positions: ArrayLike,
    metres: float = 5.0,
) -> tuple[np.ndarray, np.ndarray]:
    """Where each query's first right answer stands.

    Args:
        queries, gallery, query_positions, gallery_positions, metres: as of
            `recall_within`.

    Returns:
        rank: int64 [Q], 1 + the number of wrong gallery rows at least as
            near as the nearest right one; N + 1 where none is right.
        ties: int64 [Q], how many of those are equally near.

    Raises:
        ValueError: as `metrics.within_metres`.
    """
    pair = Nearness.of(queries, gallery)
    here, there = metrics.positions_of(pair, query_positions, gallery_positions)
    right = _RightAnswers(here, there, metres)
    at_least_as_near = np.zeros(len(here), np.int64)
    nearer = np.zeros(len(here), np.int64)
    for q, n, scores in pair.tiles():
        if n.start == 0:
            rows, columns = right.of(q)
            best, slack = _nearest(pair, q, rows, columns)
        inside = (columns >= n.start) & (columns < n.stop)
        scores[rows[inside], columns[inside] - n.start] = np.inf
        counts = pair.counts(q, n, scores, best, slack)
        at_least_as_near[q] += counts[0]
        nearer[q] += counts[1]
    at_least_as_near[right.none] = len(there)
    nearer[right.none] = len(there)
    return 1 + at_least_as_near, at_least_as_near - nearer


class _RightAnswers:
    """Gallery rows within a radius of each query, found block by block.

    `none` tells, bool [Q], which of the queries asked about have none.
    """

    def __init__(self, here: np.ndarray, there: np.ndarray, metres: float):
        self._here, self._there, self._metres = here, there, metres
        self._tree = cKDTree(there)
        self.none = np.zeros(len(here), bool)

    def of(self, q: slice) -> tuple[np.ndarray, np.ndarray]:
        """Rows relative to the block and gallery rows, by rows, int [n]."""
        here = self._here[q]
        found = cKDTree(here).sparse_distance_matrix(
            self._tree, self._metres + _MARGIN_METRES, output_type="ndarray"
        )
        rows, columns = found["i"], found["j"]
        apart = ((here[rows] - self._there[columns]) ** 2).sum(axis=1)
        keep = apart <= self._metres**2
        rows, columns = rows[keep], columns[keep]
        order = np.argsort(rows, kind="stable")
        self.none[q] = np.bincount(rows, minlength=len(here)) == 0
        return rows[order], columns[order]


def _nearest(
    pair: Nearness, q: slice, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score and slack of each query's nearest right answer, float32 [q].

    Infinite where it has none.
    """
    best = np.full(q.stop - q.start, np.inf, np.float32)
    slack = np.zeros_like(best)
    scores, slacks = pair.scores_at(rows + q.start, columns)
    # Farthest first: of several writes to one query the last one stays.
    order = np.argsort(-scores, kind="stable")
    best[rows[order]] = scores[order]
    slack[rows[order]] = slacks[order]
    return best, slack
