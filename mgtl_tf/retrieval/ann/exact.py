"""Exact engines: own blocks of NumPy, and FAISS over the mapped file."""

from __future__ import annotations

import numpy as np

from mgtl_tf.retrieval.ann.faiss_library import faiss_library
from mgtl_tf.retrieval.ann.short_list import nearest_of
from mgtl_tf.retrieval.search import (
    ROUNDING,
    NotFiniteError,
    check_search,
    search,
)

# FAISS is asked for so many more than K, to see all that rounding might have
# kept out of them; a query with more than these equals takes the blocks.
_SURPLUS = 32


class BlockSearch:
    """Exact search in blocks of NumPy's own matrix product.

    Attributes:
        name: "exact".
        descriptors: float32 [N, D] unit vectors, may be memory-mapped.
    """

    name = "exact"

    def __init__(self, descriptors: np.ndarray):
        self.descriptors = descriptors

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K most similar rows of each query; see `SearchEngine`."""
        return search(queries, self.descriptors, top_k, rows)


class FlatSearch:
    """Exact search by FAISS, which reads the descriptors where they lie.

    Nothing is copied: a gallery larger than memory is read from disk at
    every search. Answers are those of `BlockSearch`, ties included.

    Attributes:
        name: "exact".
        descriptors: float32 [N, D] unit vectors, may be memory-mapped.
    """

    name = "exact"

    def __init__(self, descriptors: np.ndarray):
        self._faiss = faiss_library("--engine=exact")
        self.descriptors = np.ascontiguousarray(descriptors, np.float32)

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K most similar rows of each query; see `SearchEngine`."""
        check_search(queries, self.descriptors, top_k)
        if rows is not None or not len(queries):
            return search(queries, self.descriptors, top_k, rows)
        queries = np.ascontiguousarray(queries, np.float32)
        count = len(self.descriptors)
        top_k = min(top_k, count)
        rough, found = self._faiss.knn(
            queries,
            self.descriptors,
            min(count, top_k + _SURPLUS),
            metric=self._faiss.METRIC_INNER_PRODUCT,
        )
        if not np.isfinite(rough).all() or (found < 0).any():
            raise NotFiniteError
        nearest, similarities = nearest_of(
            queries, self.descriptors, found, top_k
        )
        unsure = rough[:, -1] >= rough[:, top_k - 1] - ROUNDING
        if found.shape[1] < count and unsure.any():
            nearest[unsure], similarities[unsure] = search(
                queries[unsure], self.descriptors, top_k
            )
        return nearest, similarities
