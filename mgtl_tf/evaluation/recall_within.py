"""Recall where any answer near enough on the map is right (CVACT_test).

CVACT's authors count a query of their test set as right at K when any of the
K most similar satellite images lies within 5 m of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial import cKDTree

from mgtl_tf import metrics
from mgtl_tf.evaluation.recall_any import ranks_of_any

Own = tuple[np.ndarray, np.ndarray]
"""Queries and the gallery rows that are right wherever they lie, int [n]."""

# A tree's distances round otherwise than ours: it only proposes.
_MARGIN_METRES = 1e-3


def recall_within(
    queries: ArrayLike,
    gallery: ArrayLike,
    query_positions: ArrayLike,
    gallery_positions: ArrayLike,
    metres: float = 5.0,
    ks: Sequence[int | str] = metrics.DEFAULT_KS,
    own: Own | None = None,
) -> dict[str, float | int]:
    """Recall at K, where every answer within so many metres is right.

    Args:
        queries, gallery: descriptors [Q, D] and [N, D].
        query_positions: [Q, P], Cartesian metres, P of 2 or 3; NaN where
            unknown: nothing is then near.
        gallery_positions: [N, P], likewise.
        metres: the radius, inclusive.
        ks: as of `metrics.recall`.
        own: answers that are right wherever they lie; none by default.

    Returns:
        as `metrics.recall`.

    Raises:
        ValueError: as `metrics.within_metres`, or for an unreadable K.
    """
    place, ties = ranks_within(
        queries, gallery, query_positions, gallery_positions, metres, own
    )
    return metrics.summary(place, ties, len(np.asarray(gallery)), ks)


def ranks_within(
    queries: ArrayLike,
    gallery: ArrayLike,
    query_positions: ArrayLike,
    gallery_positions: ArrayLike,
    metres: float = 5.0,
    own: Own | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Where each query's first right answer stands.

    Args:
        queries, gallery, query_positions, gallery_positions, metres, own: as
            of `recall_within`.

    Returns:
        rank: int64 [Q], 1 + the number of wrong gallery rows at least as
            near as the nearest right one; N + 1 where none is right.
        ties: int64 [Q], how many of those are equally near.

    Raises:
        ValueError: as `metrics.within_metres`.
    """
    here, there = metrics.checked_positions(
        len(np.asarray(queries)),
        len(np.asarray(gallery)),
        query_positions,
        gallery_positions,
    )
    right = _AnswersWithin(here, there, metres, own)
    return ranks_of_any(queries, gallery, right)


class _AnswersWithin:
    """Gallery rows within a radius of each query, found block by block."""

    def __init__(
        self,
        here: np.ndarray,
        there: np.ndarray,
        metres: float,
        own: Own | None,
    ):
        self._here, self._there, self._metres = here, there, metres
        self._known = np.flatnonzero(metrics.known(there))
        self._tree = cKDTree(there[self._known])
        none = np.empty(0, np.int64)
        self._own = (none, none) if own is None else own

    def of(self, q: slice) -> tuple[np.ndarray, np.ndarray]:
        """See `recall_any.RightAnswers`."""
        rows, columns = self._near(self._here[q])
        queries, answers = self._own
        inside = (queries >= q.start) & (queries < q.stop)
        # One number a pair: what is right twice is right once.
        count = len(self._there)
        pairs = np.unique(
            np.concatenate(
                [
                    rows * count + columns,
                    (queries[inside] - q.start) * count + answers[inside],
                ]
            )
        )
        return pairs // count, pairs % count

    def _near(self, here: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked = np.flatnonzero(metrics.known(here))
        if not asked.size or not self._known.size:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        found = cKDTree(here[asked]).sparse_distance_matrix(
            self._tree, self._metres + _MARGIN_METRES, output_type="ndarray"
        )
        rows, columns = asked[found["i"]], self._known[found["j"]]
        apart = ((here[rows] - self._there[columns]) ** 2).sum(axis=1)
        keep = apart <= self._metres**2
        return rows[keep], columns[keep]
