"""Mining hard negatives (R18): the most similar wrong satellite images."""

from __future__ import annotations

import numpy as np

from mgtl_tf.datasets.false_negatives import FalseNegativeMask
from mgtl_tf.utils.pairwise_distances import row_norms
from mgtl_tf.utils.top_k import top_k


def mine_hard_negatives(
    ground: np.ndarray,
    satellite: np.ndarray,
    positions: np.ndarray | None,
    same_place_metres: float,
    k: int,
    images: np.ndarray | None = None,
) -> np.ndarray:
    """The negatives that each ground image is most similar to.

    Args:
        ground, satellite: unit descriptors [N, D], row i of both of place i.
        positions: [N, P] Cartesian metres, NaN in rows that are unknown, or
            None where all are.
        same_place_metres: places nearer than this are no negatives (R15).
        k: how many; at most N - 1 are given.
        images: int [N], the number of each place's aerial image; places that
            share one are no negatives. By default none do.

    Returns:
        int64 [N, min(k, N - 1)], most similar first; -1 stands at the end of
        a row where there are fewer negatives.

    Raises:
        ValueError: for shapes that do not fit, values that are not finite,
            or k below 1.
    """
    _check(ground, satellite, positions, k)
    count = len(ground)
    mask = FalseNegativeMask(positions, same_place_metres, count, images)
    rows, _ = top_k(
        ground,
        satellite,
        min(k, count - 1),
        exclude=mask.within,
        exact=False,
    )
    return rows


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
    row_norms("ground", ground)
    row_norms("satellite", satellite)
