"""Nearest neighbours, once: blockwise scores and the K best of each query.

Recall and ranks (`pairwise_distances.py`), the mining of hard negatives and
the exact search of a gallery use these, with the scorer of a system
(`scorers.py`). NumPy only; no [Q, N] matrix is ever held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from mgtl_tf.utils.scorers import DOT, Scorer

# Tall enough tiles for a matrix product to reach its peak.
_QUERY_ROWS = 2048
# A block of the gallery and its scores stay in this many numbers.
_BLOCK_NUMBERS = 2**24
NO_ROW = -1
"""Stands where a query has fewer than K neighbours."""

Exclude = Callable[[slice, slice], np.ndarray]
"""From a tile's queries and gallery rows to the pairs that are no neighbours,
bool [q, n]."""


class NotFiniteError(ValueError):
    """Queries or gallery hold NaN or infinity."""

    def __init__(self) -> None:
        super().__init__("queries or gallery hold values that are not finite")


def slices(length: int, size: int) -> Iterator[slice]:
    """0..length in slices of a size, the last one perhaps shorter."""
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))


def tiles(
    queries: np.ndarray,
    gallery: np.ndarray,
    rows: np.ndarray | None = None,
    scorer: Scorer = DOT,
) -> Iterator[tuple[slice, slice, np.ndarray, float]]:
    """All scores of two descriptor matrices, tile by tile.

    Args:
        queries: [Q, D], any real dtype.
        gallery: [N, D], may be memory-mapped.
        rows: the rows of the gallery that take part, int [M]; None: all.
        scorer: compares them.

    Yields:
        the tile's queries q, its gallery rows n (places in `rows`, where
        that is given), their scores, float32 [q, n], which the next tile
        overwrites, and by how much rounding may have moved these.
    """
    count = len(gallery) if rows is None else len(rows)
    height = min(_QUERY_ROWS, len(queries))
    width = max(1, _BLOCK_NUMBERS // max(queries.shape[1], height, 1))
    buffer = np.empty(height * min(width, count), np.float32)
    for q in slices(len(queries), _QUERY_ROWS):
        left = np.asarray(queries[q], np.float32)
        for n in slices(count, width):
            chosen = gallery[n] if rows is None else gallery[rows[n]]
            right = np.asarray(chosen, np.float32)
            shape = len(left), len(right)
            scores = buffer[: shape[0] * shape[1]].reshape(shape)
            with np.errstate(invalid="ignore", over="ignore"):
                scorer.tile(left, right, scores)
                rounding = scorer.rounding(left, right)
            yield q, n, scores, rounding


def top_k(
    queries: np.ndarray,
    gallery: np.ndarray,
    k: int,
    rows: np.ndarray | None = None,
    exclude: Exclude | None = None,
    exact: bool = True,
    scorer: Scorer = DOT,
) -> tuple[np.ndarray, np.ndarray]:
    """The K gallery rows of the largest scores with each query.

    Args:
        queries: [Q, D].
        gallery: [N, D], may be memory-mapped.
        k: K, 1 or more.
        rows: the rows of the gallery that take part, ascending; None: all.
        exclude: names pairs that are no neighbours.
        exact: whether scores are summed in float64, so that equal rows
            come in the order of the gallery; else float32 decides.
        scorer: compares them.

    Returns:
        rows: int64 [Q, K], largest score first; NO_ROW at the end where
        there are fewer.
        scores: float32 [Q, K]; -inf where there is no row.

    Raises:
        NotFiniteError: for scores that are not finite.
    """
    found = np.full((len(queries), k), NO_ROW, np.int64)
    best = np.full((len(queries), k), -np.inf, np.float32)
    for q, n, scores, rounding in tiles(queries, gallery, rows, scorer):
        if not np.isfinite([scores.min(), scores.max()]).all():
            raise NotFiniteError
        if exclude is not None:
            scores[exclude(q, n)] = -np.inf
        query, column = _candidates(scores, best[q], rounding * exact)
        row = column + n.start if rows is None else rows[column + n.start]
        if exact:
            sums = exact_scores(queries[q], gallery, query, row, scorer)
            value = sums.astype(np.float32)
        else:
            value = scores[query, column]
        # The best so far come first in the stable sort: lower rows win ties.
        held = np.repeat(np.arange(q.stop - q.start), k)
        found[q], best[q] = first_k(
            np.concatenate([held, query]),
            np.concatenate([found[q].ravel(), row]),
            np.concatenate([best[q].ravel(), value]),
            k,
        )
    return found, best


def _candidates(
    scores: np.ndarray, best: np.ndarray, margin: float
) -> tuple[np.ndarray, np.ndarray]:
    """All that may be among the K first: query and column of the tile.

    Args:
        scores: [q, n], -inf for what is left out.
        best: of the best so far, [q, K].
        margin: how far rounding may move a score.
    """
    k, columns = best.shape[1], scores.shape[1]
    # Above -inf, which stands for what is left out.
    lowest = np.finfo(np.float32).min
    least = np.maximum(best[:, -1:] - np.float32(margin), lowest)
    chosen = scores >= least
    # A comparison is much cheaper than a partition, which few blocks need.
    if np.count_nonzero(chosen) > 2 * k * len(scores):
        kth = columns - min(k, columns)
        bound = np.partition(scores, kth)[:, [kth]] - np.float32(margin)
        chosen = scores >= np.maximum(least, bound)
    query, column = np.divmod(np.flatnonzero(chosen), columns)
    return query, column


def exact_scores(
    queries: np.ndarray,
    gallery: np.ndarray,
    query: np.ndarray,
    row: np.ndarray,
    scorer: Scorer = DOT,
) -> np.ndarray:
    """Scores of P pairs, summed in float64.

    Args:
        queries: [Q, D].
        gallery: [N, D], may be memory-mapped.
        query, row: int [P], which of each.
        scorer: compares them.

    Returns:
        float64 [P].
    """
    exact = np.empty(len(query))
    size = _BLOCK_NUMBERS // 16 // gallery.shape[1] + 1
    for part in slices(len(query), size):
        pair = queries[query[part]], gallery[row[part]]
        exact[part] = scorer.exact(*pair)
    return exact


def first_k(
    query: np.ndarray, row: np.ndarray, value: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The K first candidates of each query, equal ones by their rows.

    Args:
        query, row: int [P], whose candidate and which.
        value: float32 [P]; the largest come first.
        k: K; fewer where a query has fewer.

    Returns:
        rows int64 [Q, K], values float32 [Q, K].
    """
    order = np.lexsort((row, -value, query))
    query, row, value = query[order], row[order], value[order]
    counts = np.bincount(query)
    starts = np.cumsum(counts) - counts
    keep = starts[:, None] + np.arange(min(k, counts.min()))
    return row[keep], value[keep]
