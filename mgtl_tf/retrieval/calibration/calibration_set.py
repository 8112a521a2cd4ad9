"""The calibration set: search results of queries of known position.

Each query is searched twice: in the complete gallery, which has its place; and
without the places around its position, as if the gallery lacked it. Then
every answer is wrong, and as similar as answers to panoramas from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.retrieval.calibration.confidence import (
    CANDIDATES,
    features,
    near_first,
)
from mgtl_tf.retrieval.queries import Unreadable
from mgtl_tf.retrieval.searcher import SearchedBatch, Searcher
from mgtl_tf.utils.angles import wrapped
from mgtl_tf.utils.geodesy import earth_centred, geodesic_metres

AWAY = 2.0
"""Times R: within this distance of a query, places are left out for the
second search. Those just beyond R look too much like the query's own."""

MOST_VIEWS = 4_000
"""Queries of which descriptors are kept, for simulated drives."""


@dataclass(frozen=True)
class QueryResults:
    """Search results of queries whose position is known.

    Attributes:
        similarities: of the K best answers, float [Q, K], highest first;
            -inf where there are no more places.
        near: which of them lie within R metres of the first, bool [Q, K].
        right: whether the first lies within R metres of the query, bool [Q].
    """

    similarities: np.ndarray
    near: np.ndarray
    right: np.ndarray

    def __len__(self) -> int:
        """Q."""
        return len(self.right)

    def __getitem__(self, queries: np.ndarray) -> QueryResults:
        """Those of some queries, bool [Q] or int [q]."""
        return QueryResults(
            self.similarities[queries], self.near[queries], self.right[queries]
        )

    @property
    def answered(self) -> np.ndarray:
        """Which queries have any answer, bool [Q]."""
        return np.isfinite(self.similarities[:, 0])

    def features(self, sharpness: float) -> np.ndarray:
        """z and the first similarity, float64 [Q, 2]."""
        return features(self.similarities, self.near, sharpness)


@dataclass(frozen=True)
class CalibrationSet:
    """Results of the same Q queries with and without their places.

    Attributes:
        inside: in the complete gallery.
        outside: without the places around each query.
    """

    inside: QueryResults
    outside: QueryResults

    def __getitem__(self, queries: np.ndarray) -> CalibrationSet:
        """That of some queries, bool [Q] or int [q]."""
        return CalibrationSet(self.inside[queries], self.outside[queries])

    @property
    def without_place(self) -> QueryResults:
        """Of `outside`, the queries for which any place was left."""
        return self.outside[self.outside.answered]


@dataclass(frozen=True)
class SearchedQueries:
    """What the queries of known position came to.

    Attributes:
        results: of the Q queries whose first answer has a position.
        numbers: which of the given images these are, int [Q].
        views: descriptors of the first 4,000 of these, float32 [q, D].
        unjudged: other queries; their first answer has no position.
        headings: of their first answers, degrees, [Q]; NaN of systems that
            find none.
    """

    results: CalibrationSet
    numbers: np.ndarray
    views: np.ndarray
    unjudged: int
    headings: np.ndarray

    @property
    def heading_errors(self) -> np.ndarray:
        """Of right first answers, degrees, [q]; none of other systems.

        Panoramas are searched with north in their centre column.
        """
        found = self.headings[self.results.inside.right]
        return wrapped(found[np.isfinite(found)])


def search_queries(
    searcher: Searcher,
    images: Iterable[Path],
    where: np.ndarray,
    metres: float,
    outside: bool,
    unreadable: Unreadable,
) -> SearchedQueries:
    """Searches a gallery for queries of known position.

    Args:
        searcher: model and gallery.
        images: panoramas.
        where: theirs, degrees [n, 2].
        metres: R.
        outside: whether each is also searched without its place.
        unreadable: called with each image that cannot be read, and why.
    """
    coordinates = searcher.index.coordinates
    excluded = places_around(coordinates, where, AWAY * metres)
    count = min(CANDIDATES, len(coordinates))
    inside, without, numbers, unjudged = [], [], [], 0
    headings: list[float] = []
    views: list[np.ndarray] = []
    top_k = CANDIDATES + max(map(len, excluded), default=0) * outside
    for batch in searcher.search(images, top_k, unreadable=unreadable):
        for query, view, rows, similarities, heading in zip(
            batch.queries,
            batch.descriptors,
            batch.rows,
            batch.similarities,
            _first_headings(batch),
            strict=True,
        ):
            if np.isnan(coordinates[rows[0]]).any():
                unjudged += 1
                continue
            number = query.number - 1
            others = ~np.isin(rows, excluded[number]) & outside
            inside.append((rows[:count], similarities[:count]))
            without.append(_padded(rows[others], similarities[others], count))
            numbers.append(number)
            headings.append(heading)
            views += [view] if len(views) < MOST_VIEWS else []
    chosen = np.array(numbers, np.int64)
    results = [
        _results(found, where[chosen], coordinates, metres)
        for found in (inside, without)
    ]
    return SearchedQueries(
        CalibrationSet(*results),
        chosen,
        np.array(views),
        unjudged,
        np.array(headings),
    )


def _first_headings(batch: SearchedBatch) -> np.ndarray:
    """Of the first answers, degrees, [Q]; NaN where none are found."""
    if batch.headings is None:
        return np.full(len(batch.queries), np.nan)
    return batch.headings[:, 0]


def places_around(
    coordinates: np.ndarray, where: np.ndarray, metres: float
) -> list[np.ndarray]:
    """The gallery's rows within so many metres of each query."""
    rows = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
    if not len(rows):
        return [rows for _ in where]
    tree = cKDTree(earth_centred(*coordinates[rows].T))
    found = tree.query_ball_point(earth_centred(*where.T), metres)
    return [rows[near] for near in found]


def _padded(
    rows: np.ndarray, similarities: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first so many; -1 and -inf where there are fewer."""
    missing = (0, max(count - len(rows), 0))
    return (
        np.pad(rows[:count], missing, constant_values=-1),
        np.pad(similarities[:count], missing, constant_values=-np.inf),
    )


def _results(
    found: Sequence[tuple[np.ndarray, np.ndarray]],
    where: np.ndarray,
    coordinates: np.ndarray,
    metres: float,
) -> QueryResults:
    """Of rows and similarities, [K] each; row -1 is no place."""
    if not found:
        none = np.empty((0, 1))
        return QueryResults(none, none.astype(bool), np.empty(0, bool))
    rows = np.array([line for line, _ in found])
    places = np.where(rows[..., None] < 0, np.nan, coordinates[rows])
    return QueryResults(
        np.array([line for _, line in found]),
        near_first(places, metres),
        geodesic_metres(where, places[:, 0]) <= metres,
    )
