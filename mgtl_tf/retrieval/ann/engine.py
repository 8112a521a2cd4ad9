"""The interface of all search engines: exact search, and how it is sped up."""

from __future__ import annotations

import numpy as np

from mgtl_tf.utils.scorers import DOT, ROUNDING, Scorer
from mgtl_tf.utils.top_k import NotFiniteError, exact_scores, first_k
from mgtl_tf.utils.top_k import top_k as nearest


class SearchEngine:
    """Finds the gallery rows that are most similar to a query.

    Similarity is the scorer's, by default the cosine: the product of unit
    vectors (R11). This class compares all rows, in blocks, where they lie on
    disk. Approximate engines derive from it, for the cosine alone, and name
    candidates; these are compared exactly, so that a calibrated confidence
    holds for all engines.

    Args:
        descriptors: float32 [N, D], may be memory-mapped.
        scorer: the system's.
    """

    def __init__(self, descriptors: np.ndarray, scorer: Scorer = DOT):
        self._descriptors = descriptors
        self._scorer = scorer

    def search(
        self, queries: np.ndarray, top_k: int, rows: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The K most similar gallery rows of each query.

        Args:
            queries: float32 [Q, D].
            top_k: K; fewer where the gallery, or `rows`, has fewer.
            rows: the rows to search, int [M] in any order, always exactly;
                None for all.

        Returns:
            rows: int64 [Q, K], most similar first, equally similar ones in
                the order of the gallery.
            similarities: float32 [Q, K], summed in float64.

        Raises:
            ValueError: for shapes that do not fit, an empty gallery, top_k
                below 1, rows that the gallery does not have, or values that
                are not finite.
        """
        gallery, scorer = self._descriptors, self._scorer
        _check_shapes(queries, gallery, top_k, scorer)
        queries = np.ascontiguousarray(queries, np.float32)
        if not np.isfinite(queries).all():
            raise NotFiniteError
        if rows is not None:
            rows = _checked_rows(rows, len(gallery))
            count = min(top_k, len(rows))
            return nearest(queries, gallery, count, rows, scorer=scorer)
        found = self._candidates(queries, top_k) if len(queries) else None
        if found is None:
            count = min(top_k, len(gallery))
            return nearest(queries, gallery, count, scorer=scorer)
        return rerank(queries, gallery, found, top_k)

    def _candidates(self, queries: np.ndarray, top_k: int) -> np.ndarray | None:
        """Rows, int64 [Q, R], -1 where there are fewer; None for all rows."""
        return None


def _check_shapes(
    queries: np.ndarray, gallery: np.ndarray, top_k: int, scorer: Scorer
) -> None:
    if queries.ndim != 2 or gallery.ndim != 2:
        raise ValueError(
            f"queries {queries.shape} and gallery {gallery.shape} must be"
            " [Q, D] and [N, D]"
        )
    fits = scorer.fits(queries.shape[1], gallery.shape[1])
    if not fits or not len(gallery):
        raise ValueError(
            f"gallery {gallery.shape} must have at least one row, of the"
            f" length of the queries' {queries.shape}"
        )
    if top_k < 1:
        raise ValueError(f"top_k={top_k}: must be 1 or more")


def _checked_rows(rows: np.ndarray, count: int) -> np.ndarray:
    """Each row once, ascending."""
    rows = np.asarray(rows)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
        raise ValueError(
            f"rows {rows.shape} of {rows.dtype}: must be [M] integers"
        )
    rows = np.unique(rows).astype(np.int64)
    if rows.size and not 0 <= rows[0] <= rows[-1] < count:
        raise ValueError(
            f"rows {rows[0]}..{rows[-1]}: the gallery has 0..{count - 1}"
        )
    return rows


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
        rows[enough], similarities[enough] = _best_candidates(
            queries[enough], gallery, found[enough], top_k
        )
    if not enough.all():
        rows[~enough], similarities[~enough] = nearest(
            queries[~enough], gallery, top_k
        )
    return rows, similarities


def _best_candidates(
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
    exact = exact_scores(queries, gallery, of_query, rows)
    return first_k(of_query, rows, exact.astype(np.float32), top_k)
