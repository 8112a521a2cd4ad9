"""Search results of queries of known place: the calibration set.

Each is asked twice. Once the whole gallery answers, which holds its place;
once only what lies away from where it was taken, as if the gallery had no
such place. Then every answer is wrong, and its similarities are those that
panoramas from elsewhere get.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.retrieval.calibration.confidence import CANDIDATES
from mgtl_tf.retrieval.calibration.stored import near_first
from mgtl_tf.retrieval.galleries.gallery import Index
from mgtl_tf.retrieval.searching import Searched
from mgtl_tf.utils.geodesy import earth_centred, geodesic_metres

AWAY = 2.0
"""Times R: places nearer than this to a query are left out of the gallery
that shall not hold it. Those just beyond R look too much like its own."""


MOST_VIEWS = 4_000
"""Queries of which descriptors are kept, for simulated drives."""


@dataclass(frozen=True)
class QueryResults:
    """Search results of queries whose place is known.

    Attributes:
        similarities: of the K best answers, float [Q, K], highest first;
            -inf where the gallery has no more places.
        near: which of them lie within R metres of the first, bool [Q, K].
        right: whether the first lies within R metres of the query, bool [Q].
    """

    similarities: np.ndarray
    near: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        """How many queries, Q."""
        return len(self.right)

    def part(self, queries: np.ndarray) -> QueryResults:
        """Those of some queries, bool or int [q]."""
        return QueryResults(
            self.similarities[queries], self.near[queries], self.right[queries]
        )

    @classmethod
    def joined(cls, parts: Sequence[QueryResults]) -> QueryResults:
        """All of several, of one K; none of no part."""
        if not parts:
            none = np.empty((0, 1))
            return cls(none, none.astype(bool), np.empty(0, bool))
        return cls(
            np.concatenate([part.similarities for part in parts]),
            np.concatenate([part.near for part in parts]),
            np.concatenate([part.right for part in parts]),
        )


@dataclass(frozen=True)
class CalibrationSet:
    """The same queries with a closed and with an open set.

    Attributes:
        inside: what the whole gallery answered, of Q queries.
        outside: what it answered without their places, of those queries
            for which anything was left.
        queries: which of the Q these are, int [q].
    """

    inside: QueryResults
    outside: QueryResults
    queries: np.ndarray

    def part(self, queries: np.ndarray) -> CalibrationSet:
        """Those of some queries, int [q]."""
        chosen = np.flatnonzero(np.isin(self.queries, queries))
        order = {query: number for number, query in enumerate(queries.tolist())}
        numbers = [order[query] for query in self.queries[chosen].tolist()]
        return CalibrationSet(
            self.inside.part(queries),
            self.outside.part(chosen),
            np.array(numbers, np.int64),
        )

    @classmethod
    def of(cls, inside: QueryResults) -> CalibrationSet:
        """Of queries that were asked only once."""
        return cls(inside, inside.part(np.arange(0)), np.arange(0))


class ResultCollector:
    """Collects what a gallery answers.

    Args:
        index: the gallery.
        where: degrees of the queries, [Q, 2].
        metres: R.
        outside: whether each is also asked without its own places.

    Attributes:
        top_k: how many answers each query needs.
        views: descriptors of the first of these, as many as `MOST_VIEWS`.
        kept: the queries that were answered, numbers in `where`.
        unjudged: how many others there were: their first answer is a place
            of unknown position.
    """

    def __init__(
        self, index: Index, where: np.ndarray, metres: float, outside: bool
    ):
        self._coordinates = index.coordinates
        self._where = where
        self._metres = metres
        self._own = self._own_rows(AWAY * metres) if outside else None
        self._inside: list[QueryResults] = []
        self._outside: list[QueryResults] = []
        self._asked_twice: list[int] = []
        self.kept: list[int] = []
        self.unjudged = 0
        self.views: list[np.ndarray] = []
        most = max(map(len, self._own), default=0) if self._own else 0
        self.top_k = CANDIDATES + most

    @property
    def trials(self) -> CalibrationSet:
        """All results so far."""
        return CalibrationSet(
            QueryResults.joined(self._inside),
            QueryResults.joined(self._outside),
            np.array(self._asked_twice, np.int64),
        )

    def note(self, batch: Searched, numbers: Sequence[int]) -> None:
        """Adds a batch.

        Args:
            batch: `top_k` answers to each query, or all there are.
            numbers: of the queries, in `where`.
        """
        whole = min(CANDIDATES, len(self._coordinates))
        for number, view, rows, similarities in zip(
            numbers,
            batch.descriptors,
            batch.rows,
            batch.similarities,
            strict=True,
        ):
            if np.isnan(self._coordinates[rows[0]]).any():
                self.unjudged += 1
                continue
            self._inside.append(
                self._evidence(number, rows[:whole], similarities[:whole])
            )
            if self._own is not None:
                others = ~np.isin(rows, self._own[number])
                if others.any():
                    self._asked_twice.append(len(self.kept))
                    self._outside.append(
                        self._evidence(
                            number,
                            *_first(rows[others], similarities[others], whole),
                        )
                    )
            self.kept.append(number)
            if len(self.views) < MOST_VIEWS:
                self.views.append(view)

    def _evidence(
        self, number: int, rows: np.ndarray, similarities: np.ndarray
    ) -> QueryResults:
        """Of one query, [1, K]; row -1 is no place."""
        candidates = self._coordinates[rows]
        candidates[rows < 0] = np.nan
        apart = geodesic_metres(self._where[number], candidates[:1])[0]
        return QueryResults(
            similarities[None],
            near_first(candidates[None], self._metres),
            np.array([apart <= self._metres]),
        )

    def _own_rows(self, metres: float) -> list[list[int]]:
        """The gallery's rows within so many metres of each query."""
        known = np.isfinite(self._coordinates).all(axis=1)
        rows = np.flatnonzero(known)
        if not len(rows):
            return [[] for _ in self._where]
        tree = cKDTree(earth_centred(*self._coordinates[rows].T))
        found = tree.query_ball_point(earth_centred(*self._where.T), metres)
        return [rows[near].tolist() for near in found]


def _first(
    rows: np.ndarray, similarities: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first so many; -1 and -inf where there are fewer."""
    missing = (0, max(count - len(rows), 0))
    return (
        np.pad(rows[:count], missing, constant_values=-1),
        np.pad(similarities[:count], missing, constant_values=-np.inf),
    )
