"""Exact search by NumPy or FAISS, and approximate search by FAISS."""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from mgtl_tf.retrieval.ann.engine import rerank
from mgtl_tf.retrieval.ann.faiss_indexes import FaissIndex, SearchSettings
from mgtl_tf.retrieval.search import check_search, search
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.top_k import ROUNDING, NotFiniteError

# FAISS is asked for so many more than K, to see all that rounding might have
# kept out of them; a query with more than these equals takes the blocks.
_SURPLUS = 32
# Of an approximate index, so many candidates for each answer.
_CANDIDATES = 4


def has_faiss() -> bool:
    """Whether FAISS is installed."""
    return importlib.util.find_spec("faiss") is not None


def faiss_library(wanted_by: str) -> Any:
    """The module `faiss`.

    Args:
        wanted_by: the flag and value that need it, for the error.

    Raises:
        UserError: where it is not installed.
    """
    if not has_faiss():
        raise UserError(f"{wanted_by}: needs FAISS; pip install -e '.[faiss]'")
    # It tells at length which instructions it was built for.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    return importlib.import_module("faiss")


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
        nearest, similarities = rerank(queries, self.descriptors, found, top_k)
        unsure = rough[:, -1] >= rough[:, top_k - 1] - ROUNDING
        if found.shape[1] < count and unsure.any():
            nearest[unsure], similarities[unsure] = search(
                queries[unsure], self.descriptors, top_k
            )
        return nearest, similarities


class ApproximateSearch:
    """Finds candidates by a small index and compares them exactly.

    The similarities are therefore exact, and only the choice of rows is
    approximate. A search within given rows compares all of these.

    Attributes:
        name: of the engine, as --engine takes it.
        descriptors: float32 [N, D] unit vectors, may be memory-mapped; only
            the candidates' are read.
        settings: how much of the index a search looks at.
        details: what engine.json says (settings, memory, measured recall).
    """

    def __init__(
        self,
        kind: FaissIndex,
        index: Any,
        descriptors: np.ndarray,
        settings: SearchSettings,
        details: Mapping[str, Any] | None = None,
    ):
        self.name = kind.name
        self.descriptors = descriptors
        self.settings = settings
        self.details = dict(details or {})
        self._kind, self._index = kind, index

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
        wanted = max(self.settings.reranked, _CANDIDATES * top_k)
        if rows is not None or not len(queries) or wanted >= count:
            return search(queries, self.descriptors, top_k, rows)
        settings = SearchSettings(wanted, self.settings.nprobe)
        found = self._kind.candidates(self._index, queries, settings)
        return _rerank_or_search(queries, self.descriptors, found, top_k)


def _rerank_or_search(
    queries: np.ndarray, gallery: np.ndarray, found: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The candidates in order; a query with too few of them gets all rows."""
    rows = np.empty((len(queries), top_k), np.int64)
    similarities = np.empty((len(queries), top_k), np.float32)
    enough = np.count_nonzero(found >= 0, axis=1) >= top_k
    rows[enough], similarities[enough] = rerank(
        queries[enough], gallery, found[enough], top_k
    )
    if not enough.all():
        rows[~enough], similarities[~enough] = search(
            queries[~enough], gallery, top_k
        )
    return rows, similarities
