"""A prior: the query was taken within so many metres of a known point."""

from __future__ import annotations

import math

import numpy as np

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred, geodesic_metres


def rows_near(
    coordinates: np.ndarray,
    near: tuple[float, float] | None,
    radius: float | None,
) -> np.ndarray | None:
    """The gallery's places inside a circle.

    Args:
        coordinates: of the places, degrees, [N, 2]; NaN where unknown, which
            is outside.
        near: (latitude, longitude) of the centre, degrees.
        radius: metres, above 0.

    Returns:
        rows, int64 [n], ascending, at least one; None without a circle.

    Raises:
        UserError: where one of the two is missing or wrong, or no place is
            inside, naming the distance of the nearest.
    """
    if near is None and radius is None:
        return None
    if near is None or radius is None:
        given, missing = "near", "radius"
        if near is None:
            given, missing = missing, given
        raise UserError(
            f"{given}: needs {missing} too; together they are a circle to"
            " search in"
        )
    latitude, longitude = near
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise UserError(
            f"near={latitude:g},{longitude:g}: must be latitude (-90 to 90) and"
            " longitude (-180 to 180), degrees"
        )
    if not 0 < radius < math.inf:
        raise UserError(
            f"radius={radius:g}: must be a number of metres above 0"
        )
    return _inside(coordinates, np.array(near, np.float64), radius)


def _inside(
    coordinates: np.ndarray, centre: np.ndarray, radius: float
) -> np.ndarray:
    chords = np.linalg.norm(
        earth_centred(*coordinates.T) - earth_centred(*centre),
        axis=1,
    )
    if not np.isfinite(chords).any():
        raise UserError(
            "near: no place of the gallery has a position; index it with"
            " locations"
        )
    # No chord is longer than its geodesic: these are all, and some more.
    rows = np.flatnonzero(chords <= radius)
    rows = rows[geodesic_metres(centre, coordinates[rows]) <= radius]
    if not len(rows):
        nearest = coordinates[[np.nanargmin(chords)]]
        raise UserError(
            f"radius={radius:g}: no place of the gallery lies so near to"
            f" {centre[0]:g},{centre[1]:g}; the nearest is"
            f" {geodesic_metres(centre, nearest)[0]:,.0f} m away"
        )
    return rows
