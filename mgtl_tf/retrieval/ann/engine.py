"""What every search engine answers, and re-ranking of its candidates."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mgtl_tf.utils.top_k import (
    ROUNDING,
    NotFiniteError,
    exact_products,
    first_k,
)


class SearchEngine(Protocol):
    """Finds the gallery rows that are most similar to a query.

    Every engine answers with the same similarities: float32 cosines summed
    in float64 from the gallery's own descriptors. Engines that are not exact
    differ only in which rows they find, so a calibrated confidence and a
    threshold hold for all of them.

    Attributes:
        name: of the engine, as --engine takes it.
    """

    name: str

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K most similar gallery rows of each query.

        Args:
            queries: unit vectors, float32 [Q, D].
            top_k: how many; fewer where fewer rows may answer.
            rows: the M rows that may answer, int64 [M] (a prior, such as
                the places within a radius); None for all N.

        Returns:
            rows: int64 [Q, K], K = min(top_k, M or N), most similar first,
                equally similar ones in the order of the gallery.
            similarities: float32 [Q, K], -1..1.

        Raises:
            ValueError: for shapes that do not fit, top_k below 1, rows that
                the gallery does not have, or values that are not finite.
        """


def rerank(
    queries: np.ndarray,
    gallery: np.ndarray,
    candidates: np.ndarray,
    top_k: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The K most similar of each query's candidates, exactly.

    Args:
        queries: unit vectors, float32 [Q, D].
        gallery: unit vectors, float32 [N, D], may be memory-mapped.
        candidates: its rows, int64 [Q, R], each at most once in a line; -1
            where there is none. Every line must have K or more.
        top_k: K.

    Returns:
        rows int64 [Q, K] and similarities float32 [Q, K]: most similar
        first, equal ones in the order of the gallery.

    Raises:
        ValueError: where a query has fewer than K candidates.
        NotFiniteError: where a candidate is not finite.
    """
    if np.count_nonzero(candidates >= 0, axis=1).min(initial=top_k) < top_k:
        raise ValueError(f"candidates: a line holds fewer than {top_k}")
    query, row = [], []
    for i, line in enumerate(candidates):
        # In the file's order: neighbours are read together.
        line = np.sort(line[line >= 0])
        rough = gallery[line] @ queries[i]  # [r]
        if not np.isfinite(rough).all():
            raise NotFiniteError
        kth = np.partition(rough, len(line) - top_k)[len(line) - top_k]
        row.append(line[rough >= kth - ROUNDING])
        query.append(np.full(len(row[-1]), i))
    if not row:
        return np.empty((0, top_k), np.int64), np.empty((0, top_k), np.float32)
    of_query, rows = np.concatenate(query), np.concatenate(row)
    exact = exact_products(queries, gallery, of_query, rows)
    return first_k(of_query, rows, exact, top_k)
