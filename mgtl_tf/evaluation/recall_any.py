"""Recall where several gallery rows are right for a query.

An aerial image that several panoramas show is found by any of them; on
CVACT_test any answer within 5 m is right. A query's rank is that of its
nearest right answer; the other right ones are not counted as wrong. As in
metrics.py, ties with wrong rows count against the model and no [Q, N] matrix
is ever held.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from mgtl_tf import metrics
from mgtl_tf.utils.pairwise_distances import Nearness


class RightAnswers(Protocol):
    """Which gallery rows are right, block of queries by block."""

    def of(self, q: slice) -> tuple[np.ndarray, np.ndarray]:
        """Queries relative to the block, and gallery rows, int [n] each.

        They are in the order of the queries.
        """


class ListedAnswers:
    """Right answers that are given one by one.

    Args:
        queries: int [n].
        rows: the gallery row that is right for each of them, int [n].
    """

    def __init__(self, queries: np.ndarray, rows: np.ndarray):
        order = np.argsort(queries, kind="stable")
        self._queries, self._rows = queries[order], rows[order]

    def of(self, q: slice) -> tuple[np.ndarray, np.ndarray]:
        """See `RightAnswers`."""
        start, stop = np.searchsorted(self._queries, (q.start, q.stop))
        return self._queries[start:stop] - q.start, self._rows[start:stop]


def recall_of_any(
    queries: ArrayLike,
    gallery: ArrayLike,
    right: RightAnswers,
    ks: Sequence[int | str] = metrics.DEFAULT_KS,
) -> dict[str, float | int]:
    """Recall at K by each query's nearest right answer.

    Args:
        queries, gallery: descriptors [Q, D] and [N, D].
        right: the right answers.
        ks: as of `metrics.recall`.

    Returns:
        as `metrics.recall`.

    Raises:
        ValueError: as `metrics.recall`.
    """
    place, ties = ranks_of_any(queries, gallery, right)
    return metrics.summary(place, ties, len(np.asarray(gallery)), ks)


def ranks_of_any(
    queries: ArrayLike, gallery: ArrayLike, right: RightAnswers
) -> tuple[np.ndarray, np.ndarray]:
    """Where each query's nearest right answer stands.

    Args:
        queries, gallery, right: as of `recall_of_any`.

    Returns:
        rank: int64 [Q], 1 + the number of wrong gallery rows at least as
            near as the nearest right one; N + 1 where none is right.
        ties: int64 [Q], how many of those are equally near.

    Raises:
        ValueError: as `metrics.recall`.
    """
    pair = Nearness.of(queries, gallery)
    at_least_as_near = np.zeros(len(pair.queries), np.int64)
    nearer = np.zeros(len(pair.queries), np.int64)
    none = np.ones(len(pair.queries), bool)
    for q, n, scores in pair.tiles():
        if n.start == 0:
            rows, columns = right.of(q)
            best, slack = _nearest(pair, q, rows, columns)
            none[q.start + rows] = False
        inside = (columns >= n.start) & (columns < n.stop)
        scores[rows[inside], columns[inside] - n.start] = np.inf
        counts = pair.counts(q, n, scores, best, slack)
        at_least_as_near[q] += counts[0]
        nearer[q] += counts[1]
    at_least_as_near[none] = len(pair.gallery)
    nearer[none] = len(pair.gallery)
    return 1 + at_least_as_near, at_least_as_near - nearer


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
