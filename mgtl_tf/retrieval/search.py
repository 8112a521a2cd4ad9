"""Exact search: the gallery's most similar descriptors, in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# A block of the gallery and its similarities stay in this many numbers.
_BLOCK_NUMBERS = 2**24
_QUERY_ROWS = 256
# float32 sums of equal rows may differ by where a row stands in the matrix.
# Rows this near the K-th are compared again, in float64.
_ROUNDING = 4e-5


def search(
    queries: np.ndarray, gallery: np.ndarray, top_k: int = 5
) -> tuple[np.ndarray, np.ndarray]:
    """The K most similar gallery rows of each query, exactly.

    Similarity is the cosine: the product of unit vectors (R11). Equally
    similar rows come in the order of the gallery.

    Args:
        queries: unit vectors, float32 [Q, D].
        gallery: unit vectors, float32 [N, D], may be memory-mapped.
        top_k: K; the whole gallery where it has fewer rows.

    Returns:
        rows: int64 [Q, K], most similar first.
        similarities: float32 [Q, K], -1..1.

    Raises:
        ValueError: for shapes that do not fit, an empty gallery, K below 1,
            or values that are not finite.
    """
    _check(queries, gallery, top_k)
    top_k = min(top_k, len(gallery))
    rows = np.empty((len(queries), top_k), np.int64)
    similarities = np.empty((len(queries), top_k), np.float32)
    for part in _slices(len(queries), _QUERY_ROWS):
        rows[part], similarities[part] = _search_part(
            np.asarray(queries[part], np.float32), gallery, top_k
        )
    return rows, similarities


def _check(queries: np.ndarray, gallery: np.ndarray, top_k: int) -> None:
    if queries.ndim != 2 or gallery.ndim != 2:
        raise ValueError(
            f"queries {queries.shape} and gallery {gallery.shape} must be"
            " [Q, D] and [N, D]"
        )
    if queries.shape[1] != gallery.shape[1] or not len(gallery):
        raise ValueError(
            f"gallery {gallery.shape} must have at least one row, of the"
            f" length of the queries' {queries.shape}"
        )
    if top_k < 1:
        raise ValueError(f"top_k={top_k}: must be 1 or more")


def _search_part(
    queries: np.ndarray, gallery: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """`search` for a few queries [q, D]: rows and similarities [q, K]."""
    best_rows = np.empty((len(queries), 0), np.int64)
    best = np.empty((len(queries), 0), np.float32)
    size = max(top_k, _BLOCK_NUMBERS // max(queries.shape[1], len(queries)))
    for part in _slices(len(gallery), size):
        block = np.asarray(gallery[part], np.float32)
        query, row, similarity = _candidates(queries, block, top_k)
        # The best so far come first in the stable sort: lower rows win ties.
        held = np.repeat(np.arange(len(queries)), best.shape[1])
        query = np.concatenate([held, query])
        row = np.concatenate([best_rows.ravel(), row + part.start])
        similarity = np.concatenate([best.ravel(), similarity])
        best_rows, best = _first_k(query, row, similarity, top_k)
    return best_rows, best


def _candidates(
    queries: np.ndarray, block: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All that may be among the K first of a block, with exact products.

    Returns:
        Three flat arrays: query, row of the block, similarity.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        rough = queries @ block.T  # [q, n]
    if not np.isfinite(rough).all():
        raise ValueError("queries or gallery hold values that are not finite")
    top_k = min(top_k, len(block))
    kth = np.partition(rough, len(block) - top_k, axis=1)[:, [-top_k]]
    query, row = np.nonzero(rough >= kth - _ROUNDING)
    exact = np.empty(len(query), np.float32)
    for part in _slices(len(query), _BLOCK_NUMBERS // 16 // block.shape[1] + 1):
        exact[part] = np.einsum(
            "pd,pd->p",
            queries[query[part]].astype(np.float64),
            block[row[part]].astype(np.float64),
        )
    return query, row, exact


def _first_k(
    query: np.ndarray, row: np.ndarray, similarity: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The K first of each query; every query has at least K, or all it has."""
    order = np.lexsort((row, -similarity, query))
    query, row, similarity = query[order], row[order], similarity[order]
    counts = np.bincount(query)
    starts = np.cumsum(counts) - counts
    keep = starts[:, None] + np.arange(min(top_k, counts.min()))
    return row[keep], similarity[keep]


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
