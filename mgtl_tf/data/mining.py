"""Which places share a batch: shuffled, or with their nearest wrong ones.

Plain NumPy on row numbers: nothing here reads an image. In-batch losses see
only the wrong places of their own batch, so composing batches of places that
the current model confuses gives every place its globally hard negatives
(R18).
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
from scipy.spatial import cKDTree

_QUERY_ROWS = 2048
_GALLERY_ROWS = 4096
_NONE = -1


def nearest_wrong_places(
    ground: np.ndarray,
    satellite: np.ndarray,
    positions: np.ndarray | None,
    same_place_metres: float,
    k: int,
) -> np.ndarray:
    """The wrong satellite images that each ground image is nearest to.

    Computed in tiles; no [N, N] matrix is held.

    Args:
        ground, satellite: unit descriptors [N, D], row i of both of place i.
        positions: [N, P] Cartesian metres, or None where unknown.
        same_place_metres: places nearer than this are the same (R15) and
            never among the answers.
        k: how many; at most N - 1 are given.

    Returns:
        int64 [N, min(k, N - 1)], nearest first; -1 stands at the end of a
        row where fewer places are far enough away.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite,
            or k below 1.
    """
    _check(ground, satellite, positions, k)
    count = len(ground)
    k = min(k, count - 1)
    near = _SamePlaces(positions, same_place_metres, count)
    best = np.full((count, k), _NONE, np.int64)
    for rows in _slices(count, _QUERY_ROWS):
        queries = np.asarray(ground[rows], np.float32)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        places = best[rows]
        for columns in _slices(count, _GALLERY_ROWS):
            gallery = np.asarray(satellite[columns], np.float32)
            similarity = queries @ gallery.T  # [q, n]
            similarity[near.within(rows, columns)] = -np.inf
            scores, places = _merge(scores, places, similarity, columns, k)
        best[rows] = np.where(np.isfinite(scores), places, _NONE)
    return best


def shuffled_batches(
    count: int, batch_size: int, rng: np.random.Generator
) -> np.ndarray:
    """Each place once, in random order; an incomplete batch is dropped (R17).

    Args:
        count: N, places.
        batch_size: B.
        rng: decides the order, and which places are left out.

    Returns:
        int64 [N // B, B], rows of the places of each batch.

    Raises:
        ValueError: where N does not fill one batch.
    """
    steps = _steps(count, batch_size)
    order = rng.permutation(count)[: steps * batch_size]
    return order.reshape(steps, batch_size)


def mined_batches(
    neighbours: np.ndarray,
    batch_size: int,
    rng: np.random.Generator,
    randomness: float = 0.5,
    group_size: int | None = None,
) -> np.ndarray:
    """Each place once, beside its nearest wrong places where they are left.

    A group grows from a random place: again and again the free place that
    the group's members name most, and most highly, comes in, until the group
    is full or no named place is free; then the next group begins. Batches
    come out in random order, because the last ones to be composed find
    fewer neighbours and are easier.

    Args:
        neighbours: of `nearest_wrong_places`, int [N, k], -1 for none.
        batch_size: B.
        rng: decides everything that is random.
        randomness: 0 ranks a place's neighbours nearest first; larger
            values mix their ranks, nearly evenly from 2 on, so that the
            same places do not meet in every epoch.
        group_size: places that grow from one; B by default. Smaller groups
            give a batch several unlike groups.

    Returns:
        int64 [N // B, B]; which N mod B places are left out is random.

    Raises:
        ValueError: where N does not fill one batch, or for a group size
            below 1.
    """
    count = len(neighbours)
    steps = _steps(count, batch_size)
    group_size = batch_size if group_size is None else group_size
    if group_size < 1:
        raise ValueError(f"group_size={group_size}: must be 1 or more")
    seeds = rng.permutation(count)[: steps * batch_size]
    order = _grow(
        seeds, _mix(neighbours, rng, randomness), batch_size, group_size
    )
    batches = np.array(order, np.int64).reshape(steps, batch_size)
    return batches[rng.permutation(steps)]


def _grow(
    seeds: np.ndarray,
    neighbours: np.ndarray,
    batch_size: int,
    group_size: int,
) -> list[int]:
    """The seeds in an order that keeps neighbours together."""
    free = np.zeros(len(neighbours) + 1, bool)
    free[seeds] = True  # the last one, which -1 reads, is never free
    # Lists: this loop handles single numbers, which NumPy is slow at.
    available, lists = free.tolist(), neighbours.tolist()
    # Slowly falling: a place's nearest count most, and ties between many
    # members still add up. Steeper or flat ones brought fewer together.
    weights = (np.arange(1, neighbours.shape[1] + 1) ** -0.5).tolist()
    order: list[int] = []
    for seed in seeds.tolist():
        if not available[seed]:
            continue
        room = min(group_size, batch_size - len(order) % batch_size)
        named: dict[int, float] = {}  # minus the sum of weights
        heap = [(0.0, seed)]
        while heap and room:
            _, place = heapq.heappop(heap)
            if not available[place]:
                continue  # an older, smaller entry of a place now in
            available[place] = False
            order.append(place)
            room -= 1
            for other, weight in zip(lists[place], weights, strict=True):
                if available[other]:
                    named[other] = named.get(other, 0.0) - weight
                    heapq.heappush(heap, (named[other], other))
    return order


def _mix(
    neighbours: np.ndarray, rng: np.random.Generator, randomness: float
) -> np.ndarray:
    """Each row's neighbours, nearer ones earlier the less random."""
    count, k = neighbours.shape
    late = np.arange(k) + randomness * k * rng.random((count, k))
    return np.take_along_axis(neighbours, np.argsort(late, axis=1), axis=1)


def _merge(
    scores: np.ndarray,
    places: np.ndarray,
    similarity: np.ndarray,
    columns: slice,
    k: int,
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of those so far and of one more tile, best first."""
    width = similarity.shape[1]
    if width > k:
        # Only a tile's own k best can matter; a partition is much cheaper
        # than a sort.
        top = np.argpartition(-similarity, k - 1, axis=1)[:, :k]
    else:
        top = np.broadcast_to(np.arange(width), similarity.shape)
    scores = np.hstack([scores, np.take_along_axis(similarity, top, axis=1)])
    places = np.hstack([places, top + columns.start])
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return (
        np.take_along_axis(scores, order, axis=1),
        np.take_along_axis(places, order, axis=1),
    )


class _SamePlaces:
    """Pairs of places nearer than a radius, the place itself included."""

    def __init__(self, positions: np.ndarray | None, metres: float, count: int):
        itself = np.arange(count)
        pairs = np.stack([itself, itself], axis=1)
        if positions is not None and metres > 0:
            # Centred: a tree of UTM northings would waste their digits.
            centred = positions - np.mean(positions, axis=0)
            found = cKDTree(centred).query_pairs(metres, output_type="ndarray")
            a, b = found.T
            apart = np.linalg.norm(centred[a] - centred[b], axis=1)
            found = found[apart < metres]
            pairs = np.vstack([pairs, found, found[:, ::-1]])
        self._pairs = pairs[np.argsort(pairs[:, 0], kind="stable")]

    def within(self, rows: slice, columns: slice) -> tuple[np.ndarray, ...]:
        """Index arrays of the pairs inside a tile, relative to it."""
        first = np.searchsorted(self._pairs[:, 0], rows.start)
        last = np.searchsorted(self._pairs[:, 0], rows.stop)
        row, column = self._pairs[first:last].T
        inside = (column >= columns.start) & (column < columns.stop)
        return row[inside] - rows.start, column[inside] - columns.start


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


def _steps(count: int, batch_size: int) -> int:
    if not 1 <= batch_size <= count:
        raise ValueError(
            f"batch_size={batch_size}: must be 1 to {count}, the number of"
            " places"
        )
    return count // batch_size


def _slices(length: int, size: int) -> Iterator[slice]:
    for start in range(0, length, size):
        yield slice(start, min(start + size, length))
