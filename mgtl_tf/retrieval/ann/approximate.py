"""Approximate search: candidates from an index of FAISS, ordered exactly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann.recipe import Effort, Recipe
from mgtl_tf.retrieval.ann.short_list import nearest_of
from mgtl_tf.retrieval.search import NotFiniteError, check_search, search

_MORE = 4


class ApproximateSearch:
    """Finds candidates by a small index and compares them exactly.

    The similarities are therefore exact, and only the choice of rows is
    approximate. A search within given rows compares all of these.

    Attributes:
        name: of the engine, as --engine takes it.
        descriptors: float32 [N, D] unit vectors, may be memory-mapped; only
            the candidates' are read.
        effort: how much of the index a search looks at.
        details: what engine.json says (settings, memory, measured recall).
    """

    def __init__(
        self,
        faiss: Any,
        recipe: Recipe,
        index: Any,
        descriptors: np.ndarray,
        effort: Effort,
        details: Mapping[str, Any] | None = None,
    ):
        self.name = recipe.name
        self.descriptors = descriptors
        self.effort = effort
        self.details = dict(details or {})
        self._faiss, self._recipe, self._index = faiss, recipe, index

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K most similar rows of each query; see `SearchEngine`."""
        check_search(queries, self.descriptors, top_k)
        queries = np.ascontiguousarray(queries, np.float32)
        if not np.isfinite(queries).all():
            raise NotFiniteError
        count = len(self.descriptors)
        top_k = min(top_k, count)
        wanted = max(self.effort.short_list, _MORE * top_k)
        if rows is not None or not len(queries) or wanted >= count:
            return search(queries, self.descriptors, top_k, rows)
        effort = Effort(wanted, self.effort.lists)
        found = self._recipe.candidates(
            self._faiss, self._index, queries, effort
        )
        return _exact(queries, self.descriptors, found, top_k)


def _exact(
    queries: np.ndarray, gallery: np.ndarray, found: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The candidates in order; a query with too few of them gets all rows."""
    rows = np.empty((len(queries), top_k), np.int64)
    similarities = np.empty((len(queries), top_k), np.float32)
    enough = np.count_nonzero(found >= 0, axis=1) >= top_k
    rows[enough], similarities[enough] = nearest_of(
        queries[enough], gallery, found[enough], top_k
    )
    if not enough.all():
        rows[~enough], similarities[~enough] = search(
            queries[~enough], gallery, top_k
        )
    return rows, similarities
