"""Exact search: the gallery's most similar descriptors, in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# A block of the gallery and its similarities stay in this many numbers.
_BLOCK_NUMBERS = 2**24
_QUERY_ROWS = 256
ROUNDING = 4e-5
"""float32 sums of equal rows may differ by where a row stands in the matrix.
Rows this near the K-th are compared again, in float64."""


class NotFiniteError(ValueError):
    """Queries or gallery hold NaN or infinity."""

    def __init__(self) -> None:
        super().__init__("queries or gallery hold values that are not finite")


def search(
    queries: np.ndarray,
    gallery: np.ndarray,
    top_k: int = 5,
    rows: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """The K most similar gallery rows of each query, exactly.

    Similarity is the cosine: the product of unit vectors (R11). Equally
    similar rows come in the order of the gallery.

    Args:
        queries: unit vectors, float32 [Q, D].
        gallery: unit vectors, float32 [N, D], may be memory-mapped.
        top_k: K; all rows where there are fewer.
        rows: the M rows of the gallery that may answer, int [M] in any
            order; None for all.

    Returns:
        rows: int64 [Q, K], most similar first.
        similarities: float32 [Q, K], -1..1.

    Raises:
        ValueError: for shapes that do not fit, an empty gallery, K below 1,
            rows that it does not have, or values that are not finite.
    """
    check_search(queries, gallery, top_k)
    allowed = None if rows is None else checked_rows(rows, len(gallery))
    top_k = min(top_k, len(gallery) if allowed is None else len(allowed))
    found = np.empty((len(queries), top_k), np.int64)
    similarities = np.empty((len(queries), top_k), np.float32)
    for part in _slices(len(queries) if top_k else 0, _QUERY_ROWS):
        found[part], similarities[part] = _search_part(
            np.asarray(queries[part], np.float32), gallery, top_k, allowed
        )
    return found, similarities


def check_search(queries: np.ndarray, gallery: np.ndarray, top_k: int) -> None:
    """Refuses what no search can answer.

    Args:
        queries: [Q, D].
        gallery: [N, D].
        top_k: K.

    Raises:
        ValueError: for shapes that do not fit, an empty gallery or K below 1.
    """
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


def checked_rows(rows: np.ndarray, count: int) -> np.ndarray:
    """The rows that may answer, each once, in the order of the gallery.

    Args:
        rows: int [M], in any order.
        count: N, rows of the gallery.

    Returns:
        int64 [M'], ascending.

    Raises:
        ValueError: for other shapes or types, or rows outside 0..N-1.
    """
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


def _search_part(
    queries: np.ndarray,
    gallery: np.ndarray,
    top_k: int,
    allowed: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray]:
    """`search` for a few queries [q, D]: rows and similarities [q, K]."""
    best_rows = np.empty((len(queries), 0), np.int64)
    best = np.empty((len(queries), 0), np.float32)
    size = max(top_k, _BLOCK_NUMBERS // max(queries.shape[1], len(queries)))
    for part in _slices(len(gallery if allowed is None else allowed), size):
        chosen = part if allowed is None else allowed[part]
        block = np.asarray(gallery[chosen], np.float32)
        query, row, similarity = _candidates(queries, block, top_k, best)
        # The best so far come first in the stable sort: lower rows win ties.
        held = np.repeat(np.arange(len(queries)), best.shape[1])
        query = np.concatenate([held, query])
        row = np.concatenate([best_rows.ravel(), row + part.start])
        similarity = np.concatenate([best.ravel(), similarity])
        best_rows, best = first_k(query, row, similarity, top_k)
    return best_rows if allowed is None else allowed[best_rows], best


def _candidates(
    queries: np.ndarray, block: np.ndarray, top_k: int, best: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All that may be among the K first of a block, with exact products.

    Args:
        queries: [q, D].
        block: rows of the gallery [n, D].
        top_k: K.
        best: similarities of the best so far, [q, K] or fewer columns; rows
            that are surely less similar than the last are left out.

    Returns:
        Three flat arrays: query, row of the block, similarity.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        rough = queries @ block.T  # [q, n]
    if not np.isfinite(rough).all():
        raise NotFiniteError
    least = np.full((len(queries), 1), -np.inf, np.float32)
    if best.shape[1] >= top_k:
        least = best[:, -1:]
    # A comparison is much cheaper than a partition, which few blocks need.
    if np.count_nonzero(rough >= least) > 2 * top_k * len(queries):
        k = min(top_k, len(block))
        kth = np.partition(rough, len(block) - k, axis=1)[:, [-k]]
        least = np.maximum(least, kth)
    query, row = np.nonzero(rough >= least - ROUNDING)
    return query, row, exact_products(queries, block, query, row)


def exact_products(
    queries: np.ndarray, gallery: np.ndarray, query: np.ndarray, row: np.ndarray
) -> np.ndarray:
    """Similarities of P pairs, summed in float64.

    Args:
        queries: [Q, D].
        gallery: [N, D], may be memory-mapped.
        query, row: int [P], which of each.

    Returns:
        float32 [P].
    """
    exact = np.empty(len(query), np.float32)
    size = _BLOCK_NUMBERS // 16 // gallery.shape[1] + 1
    for part in _slices(len(query), size):
        exact[part] = np.einsum(
            "pd,pd->p",
            queries[query[part]].astype(np.float64),
            gallery[row[part]].astype(np.float64),
        )
    return exact


def first_k(
    query: np.ndarray, row: np.ndarray, similarity: np.ndarray, top_k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The K first candidates of each query, equal ones by their rows.

    Args:
        query, row: int [P], whose candidate and which.
        similarity: float32 [P].
        top_k: K; fewer where a query has fewer.

    Returns:
        rows int64 [Q, K], similarities float32 [Q, K].
    """
    order = np.lexsort((row, -similarity, query))
    query, row, similarity = query[order], row[order], similarity[order]
    counts = np.bincount(query)
    starts = np.cumsum(counts) - counts
    keep = starts[:, None] + np.arange(min(top_k, counts.min()))
    return row[keep], similarity[keep]


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
