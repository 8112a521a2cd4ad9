"""Hard negatives by position: the places nearest on the map (R18).

Before a model tells places apart, near places are the likeliest to look
alike: the same streets, roofs and light. No descriptor is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.datasets.records import Pair, coordinates, positions
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import EARTH_METRES, haversine

_ROWS = 512
# A tree's distances round otherwise than ours: it only proposes.
_MARGIN_METRES = 1e-2
_NONE = -1


def nearest_places(
    pairs: Sequence[Pair],
    same_place_metres: float,
    k: int,
    images: np.ndarray | None = None,
) -> np.ndarray:
    """The nearest places that are not the same, however the pairs tell where.

    Args:
        pairs: some of them with positions or with coordinates.
        same_place_metres, k: as of `nearest_on_map`.
        images: int [N], the number of each place's aerial image; places that
            share one are the same. By default none do.

    Returns:
        as `nearest_on_map`, -1 in all the row of a place without a position.

    Raises:
        UserError: where fewer than two pairs tell one of them.
        ValueError: as `nearest_on_map`.
    """
    metres, degrees = positions(pairs), coordinates(pairs)
    where = degrees if metres is None else metres
    known = np.empty(0, np.int64)
    if where is not None:
        known = np.flatnonzero(np.isfinite(where).all(axis=1))
    if where is None or len(known) < 2:
        raise UserError(
            "mining_by_position_until must be 0: fewer than two training"
            " pairs have a position"
        )
    find = nearest_by_coordinates if metres is None else nearest_on_map
    own = None if images is None else images[known]
    found = find(where[known], same_place_metres, k, own)
    answers = np.full((len(pairs), min(k, len(pairs) - 1)), _NONE, np.int64)
    # Row -1 of `known` is read too, and then not used.
    answers[known, : found.shape[1]] = np.where(
        found == _NONE, _NONE, known[found]
    )
    return answers


def nearest_on_map(
    places: np.ndarray,
    same_place_metres: float,
    k: int,
    images: np.ndarray | None = None,
) -> np.ndarray:
    """The nearest places that are not the same, by Euclid.

    Args:
        places: [N, P] Cartesian metres.
        same_place_metres: places nearer than this are the same (R15) and
            never among the answers.
        k: how many; at most N - 1 are given.
        images: as of `nearest_places`.

    Returns:
        int64 [N, min(k, N - 1)], nearest first; -1 stands at the end of a
        row where fewer places are far enough away.

    Raises:
        ValueError: for positions that are not finite, fewer than two of
            them, or k below 1.
    """
    places = np.asarray(places, np.float64)
    _check(places, k)

    def distance(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        apart = places[rows][:, None] - places[others]
        return np.linalg.norm(apart, axis=2)

    # Centred: a tree of UTM northings would waste their digits.
    centred = places - places.mean(axis=0)
    return _nearest(centred, distance, same_place_metres, k, images)


def nearest_by_coordinates(
    degrees: np.ndarray,
    same_place_metres: float,
    k: int,
    images: np.ndarray | None = None,
) -> np.ndarray:
    """The nearest places that are not the same, along the ground.

    Args:
        degrees: latitude and longitude, [N, 2].
        same_place_metres, k, images: as of `nearest_on_map`.

    Returns:
        as `nearest_on_map`.

    Raises:
        ValueError: as `nearest_on_map`.
    """
    degrees = np.asarray(degrees, np.float64)
    _check(degrees, k)
    angles = np.radians(degrees)

    def distance(rows: np.ndarray, others: np.ndarray) -> np.ndarray:
        return haversine(angles[rows][:, None], angles[others])

    # Through the globe: the same order, and no seam at 180 degrees.
    latitude, longitude = angles.T
    points = EARTH_METRES * np.stack(
        [
            np.cos(latitude) * np.cos(longitude),
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude),
        ],
        axis=1,
    )
    return _nearest(points, distance, same_place_metres, k, images)


def _nearest(
    points: np.ndarray,
    distance: Callable[[np.ndarray, np.ndarray], np.ndarray],
    same_place_metres: float,
    k: int,
    images: np.ndarray | None,
) -> np.ndarray:
    """Candidates by a tree of `points`; `distance` decides among them."""
    count = len(points)
    k = min(k, count - 1)
    tree = cKDTree(points)
    images = np.arange(count) if images is None else images
    # Those of one's own image may all be nearer than the k that are wanted.
    shared = np.unique(images, return_inverse=True, return_counts=True)
    shared_counts = shared[2][shared[1]]
    answers = np.full((count, k), _NONE, np.int64)
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        same = tree.query_ball_point(
            points[rows], same_place_metres + _MARGIN_METRES, return_length=True
        )
        most = int((same + shared_counts[rows]).max()) - 1
        others = tree.query(points[rows], min(count, k + most))[1]
        apart = distance(rows, others)
        own = images[others] == images[rows, None]
        apart[(apart < same_place_metres) | own] = np.inf
        order = np.lexsort((others, apart), axis=1)[:, :k]
        others = np.take_along_axis(others, order, axis=1)
        apart = np.take_along_axis(apart, order, axis=1)
        answers[rows] = np.where(np.isfinite(apart), others, _NONE)
    return answers


def _check(places: np.ndarray, k: int) -> None:
    if places.ndim != 2 or len(places) < 2:
        raise ValueError(
            f"places {places.shape}: must be [N, axes], N of 2 or more"
        )
    wrong = np.flatnonzero(~np.isfinite(places).all(axis=1))
    if wrong.size:
        raise ValueError(f"places: row {wrong[0]} is not finite")
    if k < 1:
        raise ValueError(f"k={k}: must be 1 or more")
