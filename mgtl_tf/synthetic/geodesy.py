"""Map metres to latitude and longitude on WGS 84.

Each map is a plane that touches the ellipsoid at the map's own made-up
origin, so a distance on the map is the distance on the ground.
"""

from __future__ import annotations

import numpy as np

SEMI_MAJOR_METRES = 6378137.0
FLATTENING = 1 / 298.257223563
ECCENTRICITY_SQUARED = FLATTENING * (2 - FLATTENING)

# Made up: farmland in Kansas, where no town of ours stands.
ORIGIN_LATITUDE = 38.5
ORIGIN_LONGITUDE = -98.5
DEGREES_BETWEEN_MAPS = 0.25


def map_origin(map_index: int) -> tuple[float, float]:
    """Latitude and longitude, degrees, of a map's south-west corner.

    Map 0 is val's. The others lie on a square grid at least 21 km away.
    """
    row, column = divmod(map_index, 16)
    return (
        ORIGIN_LATITUDE + DEGREES_BETWEEN_MAPS * row,
        ORIGIN_LONGITUDE + DEGREES_BETWEEN_MAPS * column,
    )


def to_degrees(metres: np.ndarray, map_index: int) -> np.ndarray:
    """Latitude and longitude of points of a map.

    Args:
        metres: float64 [N, 2], east and north of the map's origin.
        map_index: which map.

    Returns:
        float64 [N, 2], degrees.
    """
    latitude, longitude = np.radians(map_origin(map_index))
    east, north = np.asarray(metres, np.float64).T
    sine, cosine = np.sin(latitude), np.cos(latitude)
    curvature = SEMI_MAJOR_METRES / np.sqrt(1 - ECCENTRICITY_SQUARED * sine**2)
    axial = curvature * cosine - sine * north
    vertical = curvature * (1 - ECCENTRICITY_SQUARED) * sine + cosine * north
    turn = np.arctan2(east, axial)
    return np.degrees(
        np.stack(
            [_latitude(np.hypot(axial, east), vertical), longitude + turn], 1
        )
    )


def _latitude(axial: np.ndarray, vertical: np.ndarray) -> np.ndarray:
    """Geodetic latitude, radians, by Bowring's formula (exact to 1e-11)."""
    minor = SEMI_MAJOR_METRES * (1 - FLATTENING)
    angle = np.arctan2(vertical * SEMI_MAJOR_METRES, axial * minor)
    second = ECCENTRICITY_SQUARED / (1 - ECCENTRICITY_SQUARED)
    return np.arctan2(
        vertical + second * minor * np.sin(angle) ** 3,
        axial - ECCENTRICITY_SQUARED * SEMI_MAJOR_METRES * np.cos(angle) ** 3,
    )
