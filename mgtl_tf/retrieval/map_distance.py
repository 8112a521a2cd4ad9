"""Metres between places on the map: geodesics of the WGS 84 ellipsoid."""

from __future__ import annotations

import numpy as np
import pyproj


def metres_from(origin: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How far each place lies from one of them, along the ground.

    Args:
        origin: latitude and longitude in degrees, [2].
        places: the same, [N, 2].

    Returns:
        float64 [N]; NaN where a position is NaN.
    """
    places = np.asarray(places, np.float64).reshape(-1, 2)
    start = np.broadcast_to(np.asarray(origin, np.float64), places.shape)
    known = np.isfinite(places).all(axis=1) & np.isfinite(start).all(axis=1)
    metres = np.full(len(places), np.nan)
    if known.any():
        ellipsoid = pyproj.Geod(ellps="WGS84")
        here, there = start[known].T, places[known].T
        metres[known] = ellipsoid.inv(here[1], here[0], there[1], there[0])[2]
    return metres
