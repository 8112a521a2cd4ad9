"""Camera places along the streets, each 6 to 12 m from its nearest one."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.synthetic.town.streets import Street, left_of


def make_places(
    rng: np.random.Generator,
    streets: list[Street],
    side: float,
    margin: float,
    spacing: tuple[float, float],
) -> np.ndarray:
    """All places that a map has room for.

    Args:
        rng: where its chances come from.
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
    """The first `count` places none of which is left without a neighbour.

    Args:
        places: float64 [N, 2].
        count: how many are wanted.
        greatest: metres within which each needs another.

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


def nearest_distances(places: np.ndarray) -> np.ndarray:
    """Metres from each place [N, 2] to its nearest other one, float64 [N]."""
    if len(places) < 2:
        return np.full(len(places), np.inf)
    return cKDTree(places).query(places, k=2)[0][:, 1]


def without_isolated(places: np.ndarray, greatest: float) -> np.ndarray:
    """Drops places until each has another within `greatest` metres."""
    while len(places):
        lonely = nearest_distances(places) > greatest
        if not lonely.any():
            break
        places = places[~lonely]
    return places


def _walk(
    rng: np.random.Generator, street: Street, spacing: tuple[float, float]
) -> np.ndarray:
    """Points on one of a street's lanes, a random stride apart, [K, 2]."""
    length = street.length
    low, high = spacing[0] * 1.08, spacing[1] * 0.88
    strides = rng.uniform(low, high, int(length / low) + 1)
    distances = np.cumsum(strides)
    distances = distances[distances < length]
    points, tangents = street.along(distances)
    lane = 0.0 if street.lanes == 1 else street.width / 4
    lane *= rng.choice([-1.0, 1.0])
    return points + left_of(tangents) * min(lane, 2.5)


def _is_clear(
    point: np.ndarray,
    cell: tuple[int, int],
    cells: dict[tuple[int, int], list[np.ndarray]],
    least: float,
) -> bool:
    """Whether no kept place is nearer than `least` metres."""
    for row in range(cell[0] - 1, cell[0] + 2):
        for column in range(cell[1] - 1, cell[1] + 2):
            for other in cells.get((row, column), ()):
                if np.hypot(*(other - point)) < least:
                    return False
    return True
