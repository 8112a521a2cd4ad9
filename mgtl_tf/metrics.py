"""Ranks and recall of queries in a gallery of descriptors (R20 to R22).

Pure functions of descriptor matrices. What is near is the scorer's: the
squared Euclidean distance, which orders unit vectors as the cosine does.
Everything is computed in tiles, so that no [Q, N] matrix is ever held.

Each query has positives, right gallery rows: its own one, any of several, or
all within some metres (`mgtl_tf.evaluation.positives`). Its rank is that of
the nearest of them; the others are not counted as wrong. Ties count against
the model: a network that gives all images one descriptor ranks every query
last.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from mgtl_tf.utils.pairwise_distances import PairwiseDistances
from mgtl_tf.utils.scorers import DOT, Scorer

DEFAULT_KS: tuple[int | str, ...] = (1, 5, 10, "1%")


@runtime_checkable
class Positives(Protocol):
    """The gallery rows that are right for each query."""

    def of(self, q: slice) -> tuple[np.ndarray, np.ndarray]:
        """Queries of a block, from 0 and ascending, and rows, int [n] each."""


class PositivePairs:
    """Positives that are given one by one.

    Args:
        queries: int [n].
        rows: a gallery row that is right for each of them, int [n].
    """

    def __init__(self, queries: np.ndarray, rows: np.ndarray):
        order = np.argsort(queries, kind="stable")
        self._queries, self._rows = queries[order], rows[order]

    def of(self, q: slice) -> tuple[np.ndarray, np.ndarray]:
        """See `Positives`."""
        start, stop = np.searchsorted(self._queries, (q.start, q.stop))
        return self._queries[start:stop] - q.start, self._rows[start:stop]


def recall(
    queries: ArrayLike,
    gallery: ArrayLike,
    truth: ArrayLike | Positives | None = None,
    ks: Sequence[int | str] = DEFAULT_KS,
    scorer: Scorer = DOT,
) -> dict[str, float | int]:
    """Recall at K, with ties counted against the model (R20 to R22).

    Args:
        queries: descriptors [Q, D].
        gallery: descriptors [N, D].
        truth: int [Q], each query's true gallery row, or the set of right
            rows of each; default row i for query i, where Q = N.
        ks: whole numbers K, or shares of the gallery such as "1%": K =
            floor(0.01 N), at least 1 (R21).
        scorer: the system's.

    Returns:
        {"r@1": 0..1, ..., "r@1%": 0..1, "ties": queries whose true match
        ties with a wrong one, "mean_rank", "median_rank": from 1}.

    Raises:
        ValueError: for values that are not finite (naming the row), shapes
            or indices that do not fit, or an unreadable K.
    """
    place, ties = ranks(queries, gallery, truth, scorer)
    return summary(place, ties, len(np.asarray(gallery)), ks)


def summary(
    place: np.ndarray,
    ties: np.ndarray,
    size: int,
    ks: Sequence[int | str] = DEFAULT_KS,
) -> dict[str, float | int]:
    """Ranks as recall.

    Args:
        place: ranks from 1, int [Q]; N + 1 where nothing is right.
        ties: of `ranks`, int [Q].
        size: N, rows of the gallery.
        ks: as of `recall`.

    Returns:
        as `recall`.

    Raises:
        ValueError: for an unreadable K.
    """
    result: dict[str, float | int] = {
        f"r@{k}": float(np.mean(place <= min(count_of(k, size), size)))
        for k in ks
    }
    result["ties"] = int(np.count_nonzero(ties))
    result["mean_rank"] = float(np.mean(place))
    result["median_rank"] = float(np.median(place))
    return result


def ranks(
    queries: ArrayLike,
    gallery: ArrayLike,
    truth: ArrayLike | Positives | None = None,
    scorer: Scorer = DOT,
    ignored: Positives | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Where each query's nearest right row stands in the gallery (R20).

    Args:
        queries, gallery, truth, scorer: as of `recall`.
        ignored: rows that are neither right nor wrong.

    Returns:
        rank: int64 [Q], 1 + the number of wrong gallery rows at least as
            near as the nearest right one; N + 1 where none is right.
        ties: int64 [Q], how many of those are equally near.

    Raises:
        ValueError: as `recall`.
    """
    pair = PairwiseDistances.of(queries, gallery, scorer)
    right = _positives_of(truth, len(pair.queries), len(pair.gallery))
    at_least_as_near = np.zeros(len(pair.queries), np.int64)
    nearer = np.zeros(len(pair.queries), np.int64)
    for q, n, scores in pair.tiles():
        if n.start == 0:
            rows, columns = right.of(q)
            best, slack = _nearest(pair, q, rows, columns)
            if ignored is not None:
                others = ignored.of(q)
                rows = np.append(rows, others[0])
                columns = np.append(columns, others[1])
        inside = (columns >= n.start) & (columns < n.stop)
        scores[rows[inside], columns[inside] - n.start] = np.inf
        counts = pair.counts(q, n, scores, best, slack)
        at_least_as_near[q] += counts[0]
        nearer[q] += counts[1]
        if n.stop == len(pair.gallery):
            # Where no row is right, all are counted as wrong.
            at_least_as_near[q][np.isinf(best)] = n.stop
            nearer[q][np.isinf(best)] = n.stop
    return 1 + at_least_as_near, at_least_as_near - nearer


def _nearest(
    pair: PairwiseDistances, q: slice, rows: np.ndarray, columns: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Score and slack of each query's nearest right row, float32 [q].

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


def _positives_of(
    truth: ArrayLike | Positives | None, queries: int, gallery: int
) -> Positives:
    if isinstance(truth, Positives):
        return truth
    return PositivePairs(
        np.arange(queries), _true_rows(truth, queries, gallery)
    )


def _true_rows(
    truth: ArrayLike | None, queries: int, gallery: int
) -> np.ndarray:
    if truth is None:
        if queries != gallery:
            raise ValueError(
                f"{queries} queries and {gallery} gallery rows: truth, each"
                " query's true gallery row, must be given"
            )
        return np.arange(queries)
    rows = np.asarray(truth)
    if rows.shape != (queries,) or rows.dtype.kind not in "iu":
        raise ValueError(
            f"truth is {rows.dtype} {rows.shape}; must be whole numbers"
            f" [Q] = ({queries},)"
        )
    wrong = np.flatnonzero((rows < 0) | (rows >= gallery))
    if wrong.size:
        raise ValueError(
            f"truth[{wrong[0]}] = {rows[wrong[0]]}: must be at least 0 and"
            f" below {gallery}, the number of gallery rows"
        )
    return rows.astype(np.int64)


def count_of(k: int | str, size: int) -> int:
    """K as a number of gallery rows.

    Args:
        k: as of `recall`.
        size: N, rows of the gallery.

    Raises:
        ValueError: for an unreadable K.
    """
    try:
        if isinstance(k, str) and k.endswith("%"):
            # Exact: 0.29 * 100 would be cut to 28 in floating point.
            share = Fraction(k[:-1]) / 100
            count = max(1, int(share * size)) if share > 0 else 0
        else:
            count = k if isinstance(k, int | np.integer) else 0
    except (ValueError, ZeroDivisionError):
        count = 0
    if count < 1:
        raise ValueError(
            f"ks holds {k!r}; each must be a whole number of 1 or more, or a"
            ' share such as "1%"'
        )
    return int(count)
