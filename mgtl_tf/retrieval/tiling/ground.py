"""Metres on the ground to degrees, on the WGS 84 ellipsoid."""

from __future__ import annotations

import math

import numpy as np
import pyproj

SEMI_MAJOR_METRES = 6378137.0
_FLATTENING = 1 / 298.257223563
_SQUARED_ECCENTRICITY = _FLATTENING * (2 - _FLATTENING)


def degree_metres(
    latitude: np.ndarray | float,
) -> tuple[np.ndarray, np.ndarray]:
    """Metres of one degree northward and of one eastward.

    By the radii of curvature, of the meridian and across it:
    M = a(1 - e^2) / (1 - e^2 sin^2)^(3/2), N = a / (1 - e^2 sin^2)^(1/2).

    Args:
        latitude: degrees.
    """
    angle = np.radians(latitude)
    root = np.sqrt(1 - _SQUARED_ECCENTRICITY * np.sin(angle) ** 2)
    across = SEMI_MAJOR_METRES / root
    along = SEMI_MAJOR_METRES * (1 - _SQUARED_ECCENTRICITY) / root**3
    degree = math.pi / 180
    return along * degree, across * np.cos(angle) * degree


def move(
    centres: np.ndarray, east: np.ndarray, north: np.ndarray
) -> np.ndarray:
    """Places some metres away from others: the azimuthal equidistant frame.

    Args:
        centres: latitude and longitude, degrees, [..., 2].
        east, north: metres, shapes that broadcast with [...].

    Returns:
        degrees, float64 [..., 2]; longitudes -180 to 180.
    """
    latitude, longitude, east, north = np.broadcast_arrays(
        centres[..., 0], centres[..., 1], east, north
    )
    moved = pyproj.Geod(ellps="WGS84").fwd(
        longitude.ravel(),
        latitude.ravel(),
        np.degrees(np.arctan2(east, north)).ravel(),
        np.hypot(east, north).ravel(),
    )
    pairs = np.stack([moved[1], moved[0]], axis=-1)
    return pairs.reshape(*latitude.shape, 2)
