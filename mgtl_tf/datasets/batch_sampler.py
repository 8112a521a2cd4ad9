"""Which places share a batch: shuffled, or with their hard negatives.

In-batch losses see only the negatives of their own batch, so batches of
places that the current model confuses give every place its globally hard
negatives (R18).
"""

from __future__ import annotations

import heapq

import numpy as np


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
) -> np.ndarray:
    """Each place once, beside its hard negatives where they are left.

    A batch grows from a random place: the free place that its members rank
    most often and highest is added, until the batch is full or none is free;
    then another random place begins. Batches come in random order, because
    the last ones find fewer neighbours and are easier.

    Args:
        neighbours: of each place, nearest first, int [N, k], -1 for none.
        batch_size: B.
        rng: decides everything that is random.
        randomness: 0 ranks a place's neighbours nearest first; larger
            values mix their ranks, nearly evenly from 2 on, so that the
            same places do not meet in every epoch.

    Returns:
        int64 [N // B, B]; which N mod B places are left out is random.

    Raises:
        ValueError: where N does not fill one batch.
    """
    count, k = neighbours.shape
    steps = _steps(count, batch_size)
    seeds = rng.permutation(count)[: steps * batch_size]
    ranks = np.arange(k) + randomness * k * rng.random((count, k))
    ranked = np.take_along_axis(neighbours, np.argsort(ranks, axis=1), axis=1)
    order = _grow(seeds, ranked, batch_size)
    batches = np.array(order, np.int64).reshape(steps, batch_size)
    return batches[rng.permutation(steps)]


def kept_neighbours(
    neighbours: np.ndarray, kept: int, rng: np.random.Generator
) -> np.ndarray:
    """Of each place its nearest neighbours, and as many random others.

    Sample4Geo's choice: 32 and 32 of 128, of which a batch is then filled.

    Args:
        neighbours: of each place, nearest first, int [N, k], -1 for none,
            which stand last.
        kept: how many of either, half of k at most.
        rng: draws the others, of each place without repetition.

    Returns:
        int [N, 2 kept], nearest first among either.
    """
    first, others = neighbours[:, :kept], neighbours[:, kept:]
    draws = rng.random(others.shape)
    draws[others < 0] = 2.0  # taken last
    drawn = np.sort(np.argsort(draws, axis=1)[:, :kept], axis=1)
    return np.hstack([first, np.take_along_axis(others, drawn, axis=1)])


def _grow(
    seeds: np.ndarray, neighbours: np.ndarray, batch_size: int
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
        room = batch_size - len(order) % batch_size
        scores: dict[int, float] = {}  # minus the sum of weights
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
                    scores[other] = scores.get(other, 0.0) - weight
                    heapq.heappush(heap, (scores[other], other))
    return order


def _steps(count: int, batch_size: int) -> int:
    if not 1 <= batch_size <= count:
        raise ValueError(
            f"batch_size={batch_size}: must be 1 to {count}, the number of"
            " places"
        )
    return count // batch_size
