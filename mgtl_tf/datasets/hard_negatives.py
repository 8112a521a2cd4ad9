"""The wrong satellite images that a panorama is nearest to (R18), exactly.

In blocks of NumPy's own matrix product, or by FAISS where that is installed
(`pip install mgtl_tf[faiss]`); both give the same similarities. No [N, N]
matrix is ever held: 35,532 places would need 5 GB.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Iterator

import numpy as np

from mgtl_tf.datasets.false_negatives import FalseNegativeMask

# Tall enough tiles for a matrix product to reach its peak.
_QUERY_ROWS = 2048
_GALLERY_ROWS = 4096
# FAISS is asked for so many more than k at most, because it cannot leave out
# places that are the same; a place with more of those near it takes blocks.
_SURPLUS = 64
_NONE = -1


def mine_hard_negatives(
    ground: np.ndarray,
    satellite: np.ndarray,
    positions: np.ndarray | None,
    same_place_metres: float,
    k: int,
    search: str = "auto",
    images: np.ndarray | None = None,
) -> np.ndarray:
    """The wrong satellite images that each ground image is nearest to.

    Args:
        ground, satellite: unit descriptors [N, D], row i of both of place i.
        positions: [N, P] Cartesian metres, NaN in rows that are unknown, or
            None where all are.
        same_place_metres: places nearer than this are the same (R15) and
            never among the answers.
        k: how many; at most N - 1 are given.
        search: "blocks", "faiss" (which holds a copy of `satellite`), or
            "auto": FAISS where it is installed. Equally similar places may
            come in another order.
        images: int [N], the number of each place's aerial image; places that
            share one are the same. By default none do.

    Returns:
        int64 [N, min(k, N - 1)], nearest first; -1 stands at the end of a
        row where fewer places are far enough away.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite,
            k below 1, or an unknown search.
    """
    _check(ground, satellite, positions, k)
    if search not in ("auto", "blocks", "faiss"):
        raise ValueError(f"search={search!r}: must be auto, blocks or faiss")
    if search == "auto":
        search = "faiss" if importlib.util.find_spec("faiss") else "blocks"
    count = len(ground)
    k = min(k, count - 1)
    same = FalseNegativeMask(positions, same_place_metres, count, images)
    everyone = np.arange(count)
    if search == "blocks":
        return _by_blocks(ground, satellite, same, k, everyone)
    places = _by_faiss(ground, satellite, same, k)
    wanted = np.minimum(k, count - same.counts)
    short = everyone[np.count_nonzero(places != _NONE, axis=1) < wanted]
    if short.size:
        places[short] = _by_blocks(ground, satellite, same, k, short)
    return places


def _by_blocks(
    ground: np.ndarray,
    satellite: np.ndarray,
    same: FalseNegativeMask,
    k: int,
    asked: np.ndarray,
) -> np.ndarray:
    """Nearest wrong places of the places asked about, int [n] to [n, k]."""
    best = np.full((len(asked), k), _NONE, np.int64)
    for part in _slices(len(asked), _QUERY_ROWS):
        rows = asked[part]
        queries = np.asarray(ground[rows], np.float32)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        places = best[part]
        for columns in _slices(len(satellite), _GALLERY_ROWS):
            gallery = np.asarray(satellite[columns], np.float32)
            similarity = queries @ gallery.T  # [q, n]
            similarity[same.within(rows, columns)] = -np.inf
            scores, places = _merge(scores, places, similarity, columns, k)
        best[part] = np.where(np.isfinite(scores), places, _NONE)
    return best


def _by_faiss(
    ground: np.ndarray, satellite: np.ndarray, same: FalseNegativeMask, k: int
) -> np.ndarray:
    """As `_by_blocks` of all places, but some rows may hold too few."""
    # It tells at length which instructions it was built for.
    logging.getLogger("faiss.loader").setLevel(logging.WARNING)
    faiss = importlib.import_module("faiss")
    count = len(satellite)
    index = faiss.IndexFlatIP(satellite.shape[1])
    # At once: growing, the index would hold its vectors twice.
    index.add(np.ascontiguousarray(satellite, np.float32))
    fetched = min(count, k + min(int(same.counts.max()), _SURPLUS))
    best = np.empty((count, k), np.int64)
    for part in _slices(count, _QUERY_ROWS):
        queries = np.ascontiguousarray(ground[part], np.float32)
        places = index.search(queries, fetched)[1]
        wrong = ~same.contain(np.arange(part.start, part.stop), places)
        places = np.where(wrong, places, _NONE)
        # The wrong ones first, each kind still nearest first.
        order = np.argsort(~wrong, axis=1, kind="stable")[:, :k]
        best[part] = np.take_along_axis(places, order, axis=1)
    return best


def _merge(
    scores: np.ndarray,
    places: np.ndarray,
    similarity: np.ndarray,
    columns: slice,
    k: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of those so far and of one more tile, best first."""
    # After the first tiles hardly any place beats the k-th best so far: one
    # comparison is much cheaper than a partition, and that than a sort.
    better = similarity > scores[:, -1:]
    most = int(np.count_nonzero(better, axis=1).max())
    if most > 2 * k:
        top = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
        new_scores = np.take_along_axis(similarity, top, axis=1)
    else:
        top, new_scores = _compressed(better, similarity, most)
    scores = np.hstack([scores, new_scores])
    places = np.hstack([places, top + columns.start])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(scores, order, axis=1),
        np.take_along_axis(places, order, axis=1),
    )


def _compressed(
    chosen: np.ndarray, values: np.ndarray, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the chosen, [q, most]; -inf where there is none.

    Args:
        chosen: bool [q, n], at most `most` in a row.
        values: float32 [q, n].
        most: width of the answer.
    """
    row, column = np.nonzero(chosen)
    counts = np.bincount(row, minlength=len(chosen))
    slot = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
    columns = np.zeros((len(chosen), most), np.int64)
    found = np.full((len(chosen), most), -np.inf, np.float32)
    columns[row, slot], found[row, slot] = column, values[row, column]
    return columns, found


def _check(
    ground: np.ndarray,
    satellite: np.ndarray,
    positions: np.ndarray | None,
    k: int,
) -> None:
    if ground.ndim != 2 or ground.shape != satellite.shape or len(ground) < 2:
        raise ValueError(
            f"ground {ground.shape} and satellite {satellite.shape} must both"
            " be [N, D], N of 2 or more"
        )
    if k < 1:
        raise ValueError(f"k={k}: must be 1 or more")
    if positions is not None and len(positions) != len(ground):
        raise ValueError(
            f"positions {positions.shape} must have N = {len(ground)} rows"
        )
    for name, matrix in (("ground", ground), ("satellite", satellite)):
        for rows in _slices(len(matrix), _QUERY_ROWS):
            finite = np.isfinite(matrix[rows]).all(axis=1)
            if not finite.all():
                row = rows.start + int(np.argmin(finite))
                raise ValueError(f"{name}: row {row} is not finite")


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
