"""Mining hard negatives (R18): by the model's descriptors, or by position.

Before a model tells places apart, near places are the likeliest to look
alike: the same streets, roofs and light.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from mgtl_tf.datasets.negatives import Places
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.scorers import DOT, Scorer
from mgtl_tf.utils.top_k import slices, top_k

_ROWS = 512
_NONE = -1


def mine_hard_negatives(
    ground: np.ndarray,
    satellite: np.ndarray,
    places: Places,
    k: int,
    scorer: Scorer = DOT,
) -> np.ndarray:
    """The negatives that each ground image is most similar to.

    Args:
        ground, satellite: descriptors [N, D], row i of both of place i.
        places: the N places.
        k: how many; at most N - 1 are given.
        scorer: the system's.

    Returns:
        int64 [N, min(k, N - 1)], most similar first; -1 stands at the end of
        a row where there are fewer negatives.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite,
            or k below 1.
    """
    count = len(ground)
    shapes = ground.shape, satellite.shape
    fits = (
        ground.ndim == satellite.ndim == 2
        and len(satellite) == count
        and scorer.fits(ground.shape[1], satellite.shape[1])
    )
    if not fits or count < 2:
        raise ValueError(
            f"ground {shapes[0]} and satellite {shapes[1]} must both"
            " be [N, D], N of 2 or more"
        )
    if k < 1 or len(places) != count:
        raise ValueError(
            f"k={k} must be 1 or more, and {len(places)} places N = {count}"
        )
    mask, k = places.false_negatives, min(k, count - 1)
    return top_k(
        ground, satellite, k, exclude=mask, exact=False, scorer=scorer
    )[0]


def nearest_places(places: Places, k: int) -> np.ndarray:
    """The nearest places that are negatives.

    Args:
        places, k: as of `mine_hard_negatives`.

    Returns:
        int64 [N, min(k, N - 1)], nearest first; -1 stands at the end of a
        row where there are fewer, and in all the row of a place without a
        position.

    Raises:
        UserError: where fewer than two places have a position.
    """
    positions, radius = places.positions, places.same_place_metres
    known = np.empty(0, np.int64)
    if positions is not None:
        known = np.flatnonzero(np.isfinite(positions).all(axis=1))
    if positions is None or len(known) < 2:
        raise UserError(
            "mining_by_position_until must be 0: fewer than two training"
            " pairs have a position"
        )
    k = min(k, len(positions) - 1)
    images = places.images[known]
    # Centred: a tree of UTM northings would waste their digits.
    there = positions[known] - positions[known].mean(axis=0)
    tree = cKDTree(there)
    _, number, counts = np.unique(
        images, return_inverse=True, return_counts=True
    )
    answers = np.full((len(positions), k), _NONE, np.int64)
    shared = places.shared[known]
    for rows in slices(len(known), _ROWS):
        near = tree.query_ball_point(there[rows], radius, return_length=True)
        # These may all be nearer than the k that are wanted.
        overlapping = shared[rows] @ shared.T
        near = near + counts[number[rows]] + np.diff(overlapping.indptr)
        excluded = int(near.max())
        reach = range(1, min(len(known), k + excluded) + 1)
        apart, others = tree.query(there[rows], reach)
        same = images[others] == images[rows, None]
        if overlapping.nnz:
            here = np.arange(len(others))[:, None]
            same |= np.asarray(overlapping[here, others].todense() > 0)
        apart[(apart < radius) | same] = np.inf
        order = np.lexsort((others, apart), axis=1)[:, :k]
        found = known[np.take_along_axis(others, order, axis=1)]
        found[np.isinf(np.take_along_axis(apart, order, axis=1))] = _NONE
        answers[known[rows], : found.shape[1]] = found
    return answers
