"""Exact search: a gallery's most similar descriptors."""

from __future__ import annotations

import numpy as np

from mgtl_tf.utils import top_k as neighbours


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
        rows: the M rows of the gallery to search, int [M] in any order;
            None for all.

    Returns:
        rows: int64 [Q, K], most similar first.
        similarities: float32 [Q, K], -1..1.

    Raises:
        ValueError: for shapes that do not fit, an empty gallery, K below 1,
            rows that it does not have, or values that are not finite.
    """
    check_search(queries, gallery, top_k)
    count = len(gallery)
    if rows is not None:
        rows = _checked_rows(rows, count)
        count = len(rows)
    return neighbours.top_k(queries, gallery, min(top_k, count), rows)


def check_search(queries: np.ndarray, gallery: np.ndarray, top_k: int) -> None:
    """Raises ValueError for what no search can answer; see `search`."""
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
