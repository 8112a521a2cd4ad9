"""Camera places along the streets, each 6 to 12 m from its nearest one."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.synthetic.town.streets import Street


def make_places(
    rng: np.random.Generator,
    streets: list[Street],
    side: float,
    margin: float,
    spacing: tuple[float, float],
) -> np.ndarray:
    """All places that a map has room for.

    Args:
        rng: random source.
        streets: the network.
        side: metres of the map a side.
        margin: metres along the border where no camera stands.
        spacing: least and greatest metres to the nearest other place.

    Returns:
        float64 [N, 2], east and north; neighbours on a street follow each
        other.
    """
    kept: list[np.ndarray] = []
    cells: dict[tuple[int, int], list[np.ndarray]] = {}
    for street in streets:
        for point in _walk(rng, street, spacing):
            if np.any(point < margin) or np.any(point > side - margin):
                continue
            cell = (int(point[0] // spacing[0]), int(point[1] // spacing[0]))
            if _is_clear(point, cell, cells, spacing[0]):
                cells.setdefault(cell, []).append(point)
                kept.append(point)
    places = np.asarray(kept, np.float64).reshape(-1, 2)
    return without_isolated(places, spacing[1])


def choose(places: np.ndarray, count: int, greatest: float) -> np.ndarray:
    """The first `count` places, each with another within `greatest` metres.

    Returns:
        float64 [count, 2]; fewer where the map has not as many.
    """
    taken = count
    while taken <= len(places):
        chosen = without_isolated(places[:taken], greatest)
        if len(chosen) >= count:
            # Dropping the last few may orphan one more, so look again.
            chosen = without_isolated(chosen[:count], greatest)
            if len(chosen) == count:
                return chosen
        taken += 1
    return without_isolated(places, greatest)[:count]


def without_isolated(places: np.ndarray, greatest: float) -> np.ndarray:
    """Drops places until each has another within `greatest` metres."""
    while len(places) > 1:
        nearest = cKDTree(places).query(places, k=2)[0][:, 1]
        if not (nearest > greatest).any():
            return places
        places = places[nearest <= greatest]
    return places[:0]


def _walk(
    rng: np.random.Generator, street: Street, spacing: tuple[float, float]
) -> np.ndarray:
    """Points on one of a street's lanes, a random stride apart, [K, 2]."""
    length = street.length
    low, high = spacing[0] * 1.08, spacing[1] * 0.88
    strides = rng.uniform(low, high, int(length / low) + 1)
    distances = np.cumsum(strides)
    distances = distances[distances < length]
    lane = 0.0 if street.lanes == 1 else street.width / 4
    lane *= rng.choice([-1.0, 1.0])
    return street.beside(distances, min(lane, 2.5))


def _is_clear(
    point: np.ndarray,
    cell: tuple[int, int],
    cells: dict[tuple[int, int], list[np.ndarray]],
    least: float,
) -> bool:
    """Whether no kept place is nearer than `least` metres."""
    return not any(
        np.hypot(*(other - point)) < least
        for row in range(cell[0] - 1, cell[0] + 2)
        for column in range(cell[1] - 1, cell[1] + 2)
        for other in cells.get((row, column), ())
    )
