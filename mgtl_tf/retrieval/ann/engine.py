"""The interface of all search engines, and exact search."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np

from mgtl_tf.retrieval.search import check_search, search
from mgtl_tf.utils.top_k import (
    ROUNDING,
    NotFiniteError,
    exact_products,
    first_k,
)


class SearchEngine(Protocol):
    """Finds the gallery rows that are most similar to a query.

    All engines return the same similarities: float32 cosines of the gallery's
    own descriptors, summed in float64. Approximate engines differ only in
    which rows they find, so a calibrated confidence holds for all of them.
    """

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K most similar gallery rows of each query.

        Args:
            queries: unit vectors, float32 [Q, D].
            top_k: K; fewer where the gallery, or `rows`, has fewer.
            rows: the rows to search, int [M], always exactly; None for all.

        Returns:
            rows: int64 [Q, K], most similar first, equally similar ones in
                the order of the gallery.
            similarities: float32 [Q, K], -1..1.

        Raises:
            ValueError: for shapes that do not fit, top_k below 1, rows that
                the gallery does not have, or values that are not finite.
        """


class ExactSearch:
    """Compares every descriptor, in blocks, where it lies on disk.

    Args:
        descriptors: float32 [N, D] unit vectors, may be memory-mapped.
    """

    def __init__(self, descriptors: np.ndarray):
        self._descriptors = descriptors

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `SearchEngine`."""
        return search(queries, self._descriptors, top_k, rows)


class ApproximateSearch(ABC):
    """Finds candidates by an index and compares them exactly.

    Searches within given rows, and those for nearly all rows, compare all.

    Args:
        descriptors: float32 [N, D] unit vectors, may be memory-mapped; only
            the candidates' are read.
    """

    def __init__(self, descriptors: np.ndarray):
        self._descriptors = descriptors

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """See `SearchEngine`."""
        check_search(queries, self._descriptors, top_k)
        queries = np.ascontiguousarray(queries, np.float32)
        if not np.isfinite(queries).all():
            raise NotFiniteError
        wanted = self._wanted(top_k)
        everything = wanted >= len(self._descriptors)
        if rows is not None or not len(queries) or everything:
            return search(queries, self._descriptors, top_k, rows)
        found = self._candidates(queries, wanted)
        return rerank(queries, self._descriptors, found, top_k)

    @abstractmethod
    def _wanted(self, top_k: int) -> int:
        """How many candidates are needed; from N on, all rows are compared."""

    @abstractmethod
    def _candidates(self, queries: np.ndarray, count: int) -> np.ndarray:
        """Rows, int64 [Q, count]; -1 where there are fewer."""


def rerank(
    queries: np.ndarray, gallery: np.ndarray, found: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The K most similar of each query's candidates, exactly.

    Args:
        queries: unit vectors, float32 [Q, D].
        gallery: unit vectors, float32 [N, D], may be memory-mapped.
        found: candidates, int64 [Q, R], -1 where there is none; a query with
            fewer than K is searched in the complete gallery.
        top_k: K, at most N.

    Returns:
        as `SearchEngine.search`.

    Raises:
        NotFiniteError: where a candidate is not finite.
    """
    rows = np.empty((len(queries), top_k), np.int64)
    similarities = np.empty((len(queries), top_k), np.float32)
    enough = np.count_nonzero(found >= 0, axis=1) >= top_k
    if enough.any():
        rows[enough], similarities[enough] = _nearest(
            queries[enough], gallery, found[enough], top_k
        )
    if not enough.all():
        rows[~enough], similarities[~enough] = search(
            queries[~enough], gallery, top_k
        )
    return rows, similarities


def _nearest(
    queries: np.ndarray, gallery: np.ndarray, found: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    query, row = [], []
    for i, candidates in enumerate(found):
        # In the file's order: neighbours are read together.
        candidates = np.sort(candidates[candidates >= 0])
        rough = gallery[candidates] @ queries[i]  # [r]
        if not np.isfinite(rough).all():
            raise NotFiniteError
        kth = len(candidates) - top_k
        near = rough >= np.partition(rough, kth)[kth] - ROUNDING
        row.append(candidates[near])
        query.append(np.full(len(row[-1]), i))
    of_query, rows = np.concatenate(query), np.concatenate(row)
    exact = exact_products(queries, gallery, of_query, rows)
    return first_k(of_query, rows, exact, top_k)
