"""How well queries find their places: ranks, recall, metres (R20 to R22).

Pure functions of descriptor matrices. Nearness is the squared Euclidean
distance, which orders unit vectors as the cosine does and is right for other
vectors too. Everything is computed in tiles, so that no [Q, N] matrix is
ever held.

Ties count against the model: a network that gives all images one descriptor
ranks every query last.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike

from mgtl_tf.utils.pairwise_distances import Nearness

DEFAULT_KS: tuple[int | str, ...] = (1, 5, 10, "1%")


def recall(
    queries: ArrayLike,
    gallery: ArrayLike,
    truth: ArrayLike | None = None,
    ks: Sequence[int | str] = DEFAULT_KS,
) -> dict[str, float | int]:
    """Recall at K, with ties counted against the model (R20 to R22).

    Args:
        queries: descriptors [Q, D].
        gallery: descriptors [N, D].
        truth: int [Q], each query's true gallery row; default row i for
            query i, where Q = N.
        ks: whole numbers K, or shares of the gallery such as "1%": K =
            floor(0.01 N), at least 1 (R21).

    Returns:
        {"r@1": 0..1, ..., "r@1%": 0..1, "ties": queries whose true match
        ties with a wrong one, "mean_rank", "median_rank": from 1}.

    Raises:
        ValueError: for values that are not finite (naming the row), shapes
            or indices that do not fit, or an unreadable K.
    """
    place, ties = ranks(queries, gallery, truth)
    return summary(place, ties, len(np.asarray(gallery)), ks)


def summary(
    place: np.ndarray,
    ties: np.ndarray,
    size: int,
    ks: Sequence[int | str] = DEFAULT_KS,
) -> dict[str, float | int]:
    """Ranks as recall.

    Args:
        place: ranks from 1, int [Q]; N + 1 where nothing is right.
        ties: of `ranks`, int [Q].
        size: N, rows of the gallery.
        ks: as of `recall`.

    Returns:
        as `recall`.

    Raises:
        ValueError: for an unreadable K.
    """
    result: dict[str, float | int] = {
        f"r@{k}": float(np.mean(place <= min(_count(k, size), size)))
        for k in ks
    }
    result["ties"] = int(np.count_nonzero(ties))
    result["mean_rank"] = float(np.mean(place))
    result["median_rank"] = float(np.median(place))
    return result


def ranks(
    queries: ArrayLike, gallery: ArrayLike, truth: ArrayLike | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Where each query's true match stands in the gallery (R20).

    Args:
        queries, gallery, truth: as of `recall`.

    Returns:
        rank: int64 [Q], 1 + the number of wrong gallery rows at least as
            near as the true one; 1 is first.
        ties: int64 [Q], how many of those are equally near.

    Raises:
        ValueError: as `recall`.
    """
    pair = Nearness.of(queries, gallery)
    rows = _true_rows(truth, len(pair.queries), len(pair.gallery))
    true, slack = pair.scores_of(rows)
    at_least_as_near = np.zeros(len(rows), np.int64)
    nearer = np.zeros(len(rows), np.int64)
    for q, n, scores in pair.tiles():
        own = np.flatnonzero((rows[q] >= n.start) & (rows[q] < n.stop))
        scores[own, rows[q][own] - n.start] = np.inf
        counts = pair.counts(q, n, scores, true[q], slack[q])
        at_least_as_near[q] += counts[0]
        nearer[q] += counts[1]
    return 1 + at_least_as_near, at_least_as_near - nearer


def within_metres(
    queries: ArrayLike,
    gallery: ArrayLike,
    query_positions: ArrayLike,
    gallery_positions: ArrayLike,
    metres: float = 25.0,
    own: tuple[np.ndarray, np.ndarray] | None = None,
) -> float:
    """Share of queries whose first answer lies within so many metres (R22).

    Where several answers tie for the first place, all of them must. The
    share is that of the queries whose position is known; an answer of
    unknown position is taken to be too far.

    Args:
        queries, gallery: descriptors [Q, D] and [N, D].
        query_positions: [Q, P], Cartesian metres, P of 2 or 3; NaN where
            unknown, in one row at least not.
        gallery_positions: [N, P], NaN where unknown.
        metres: the radius, inclusive.
        own: queries and gallery rows, int [n] each, that belong to each
            other wherever they lie; none by default.

    Returns:
        the share, 0..1.

    Raises:
        ValueError: as `recall`, and for positions that do not fit.
    """
    pair = Nearness.of(queries, gallery)
    here, there = checked_positions(
        len(pair.queries), len(pair.gallery), query_positions, gallery_positions
    )
    asked = known(here)
    if not asked.any():
        raise ValueError("query_positions: none of them is known")
    close = np.full(len(here), np.inf, np.float32)
    far = np.full(len(here), np.inf, np.float32)
    for q, n, scores in pair.tiles():
        slacks = pair.slacks(q, n)
        is_close = _near(here[q], there[n], metres)
        if own is not None:
            _mark(is_close, q, n, *own)
        # The worst case of rounding: close ones later, far ones earlier.
        highest = np.where(is_close, scores + slacks, np.inf)
        close[q] = np.minimum(close[q], highest.min(axis=1))
        lowest = np.where(is_close, np.inf, scores - slacks)
        far[q] = np.minimum(far[q], lowest.min(axis=1))
    return float(np.mean((close < far)[asked]))


def known(positions: np.ndarray) -> np.ndarray:
    """Which rows of positions [n, P] are known, bool [n]: those without NaN."""
    return ~np.isnan(positions).any(axis=1)


def checked_positions(
    queries: int,
    gallery: int,
    query_positions: ArrayLike,
    gallery_positions: ArrayLike,
) -> tuple[np.ndarray, np.ndarray]:
    """Positions of so many queries and gallery rows, float64 metres.

    Raises:
        ValueError: for positions that do not fit or are infinite.
    """
    here = _positions("query_positions", query_positions, queries)
    there = _positions("gallery_positions", gallery_positions, gallery)
    if here.shape[1] != there.shape[1]:
        raise ValueError(
            f"query_positions {here.shape} and gallery_positions"
            f" {there.shape} must have the same number of axes"
        )
    return here, there


def _mark(
    tile: np.ndarray, q: slice, n: slice, queries: np.ndarray, rows: np.ndarray
) -> None:
    """Sets the pairs of query and gallery row that lie in a tile."""
    inside = (queries >= q.start) & (queries < q.stop)
    inside &= (rows >= n.start) & (rows < n.stop)
    tile[queries[inside] - q.start, rows[inside] - n.start] = True


def _true_rows(
    truth: ArrayLike | None, queries: int, gallery: int
) -> np.ndarray:
    if truth is None:
        if queries != gallery:
            raise ValueError(
                f"{queries} queries and {gallery} gallery rows: truth, each"
                " query's true gallery row, must be given"
            )
        return np.arange(queries)
    rows = np.asarray(truth)
    if rows.shape != (queries,) or rows.dtype.kind not in "iu":
        raise ValueError(
            f"truth is {rows.dtype} {rows.shape}; must be whole numbers"
            f" [Q] = ({queries},)"
        )
    wrong = np.flatnonzero((rows < 0) | (rows >= gallery))
    if wrong.size:
        raise ValueError(
            f"truth[{wrong[0]}] = {rows[wrong[0]]}: must be at least 0 and"
            f" below {gallery}, the number of gallery rows"
        )
    return rows.astype(np.int64)


def _count(k: int | str, size: int) -> int:
    """K as a number of gallery rows."""
    try:
        if isinstance(k, str) and k.endswith("%"):
            # Exact: 0.29 * 100 would be cut to 28 in floating point.
            share = Fraction(k[:-1]) / 100
            count = max(1, int(share * size)) if share > 0 else 0
        else:
            count = k if isinstance(k, int | np.integer) else 0
    except (ValueError, ZeroDivisionError):
        count = 0
    if count < 1:
        raise ValueError(
            f"ks holds {k!r}; each must be a whole number of 1 or more, or a"
            ' share such as "1%"'
        )
    return int(count)


def _positions(name: str, values: ArrayLike, rows: int) -> np.ndarray:
    positions = np.asarray(values, np.float64)
    if positions.ndim != 2 or len(positions) != rows:
        raise ValueError(
            f"{name} has shape {positions.shape}; must be [{rows}, 2 or 3]"
        )
    wrong = np.flatnonzero(np.isinf(positions).any(axis=1))
    if wrong.size:
        raise ValueError(f"{name}: row {wrong[0]} is infinite")
    return positions


def _near(here: np.ndarray, there: np.ndarray, metres: float) -> np.ndarray:
    """bool [q, n], whether two places lie within so many metres."""
    squared = np.zeros((len(here), len(there)))
    for a, b in zip(here.T, there.T, strict=True):
        squared += (a[:, None] - b) ** 2
    return squared <= metres**2
