"""Which queries are enough to calibrate a gallery with."""

from __future__ import annotations

import numpy as np

from mgtl_tf.retrieval.calibration.calibration_set import (
    AWAY,
    CalibrationSet,
    places_around,
)
from mgtl_tf.retrieval.calibration.fit import parts_of_map
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred

# Of right and of wrong answers each: fewer do not describe their kind.
_FEWEST = 5
_FEWEST_QUERIES = 50


def require_spread(
    coordinates: np.ndarray,
    where: np.ndarray,
    metres: float,
    outside_share: float,
) -> None:
    """Refuses queries by their positions, before any is encoded.

    Args:
        coordinates: of the gallery's places, degrees [N, 2].
        where: of the queries, degrees [Q, 2].
        metres: R.
        outside_share: as of `fit.fit`.

    Raises:
        UserError: where too few leave a place of the gallery far away, or
            none is left to fit for a part of the map.
    """
    if len(where) < _FEWEST_QUERIES:
        return  # `require_enough` also says how many were right.
    if outside_share:
        around = places_around(coordinates, where, AWAY * metres)
        left = sum(len(near) < len(coordinates) for near in around)
        _require_outside(left, metres, outside_share)
    for _ in parts_of_map(earth_centred(*where.T), metres):
        pass


def require_enough(
    queries: CalibrationSet, metres: float, outside_share: float
) -> None:
    """Refuses too few queries, or too few of a kind.

    Args:
        queries: as they were answered.
        metres: R.
        outside_share: as of `fit.fit`.

    Raises:
        UserError: with how many there are, and how many are needed.
    """
    right = int(queries.inside.right.sum())
    wrong = len(queries.inside) - right
    if right + wrong < _FEWEST_QUERIES or min(right, wrong) < _FEWEST:
        raise UserError(
            f"queries: {right} first answers lie within {metres:g} m and"
            f" {wrong} do not; at least {_FEWEST_QUERIES} queries with"
            f" {_FEWEST} of each kind are needed: give more queries or another"
            " metres"
        )
    _require_outside(len(queries.without_place), metres, outside_share)


def _require_outside(count: int, metres: float, outside_share: float) -> None:
    if outside_share and count < _FEWEST_QUERIES:
        raise UserError(
            f"outside_share={outside_share:g}: only {count} queries leave a"
            f" place of the gallery {AWAY * metres:g} m or more away; give"
            " outside_share=0, a smaller metres or a larger gallery"
        )
