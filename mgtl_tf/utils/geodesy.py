"""Latitude and longitude to metres, and UTM to latitude and longitude."""

from __future__ import annotations

import numpy as np
import pyproj

# The WGS 84 ellipsoid.
_SEMI_MAJOR_METRES = 6378137.0
_FLATTENING = 1 / 298.257223563

EARTH_METRES = 6371008.8
"""Mean radius of the Earth."""

# Canberra, where CVACT was taken: UTM zone 55, southern hemisphere.
CVACT_UTM = "EPSG:32755"


def earth_centred(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Earth-centred Cartesian coordinates at height zero (WGS 84).

    The straight distance between two of them is shorter than that along the
    ground by less than a part in a million up to 10 km.

    Args:
        latitude, longitude: degrees, [N].

    Returns:
        float64 metres, [N, 3].
    """
    latitude, longitude = np.radians(latitude), np.radians(longitude)
    squared_eccentricity = _FLATTENING * (2 - _FLATTENING)
    sine = np.sin(latitude)
    normal = _SEMI_MAJOR_METRES / np.sqrt(1 - squared_eccentricity * sine**2)
    return np.stack(
        [
            normal * np.cos(latitude) * np.cos(longitude),
            normal * np.cos(latitude) * np.sin(longitude),
            normal * (1 - squared_eccentricity) * sine,
        ],
        axis=-1,
    )


def from_utm(utm: np.ndarray, system: str = CVACT_UTM) -> np.ndarray:
    """Latitude and longitude in degrees, float64 [N, 2].

    Args:
        utm: easting and northing in metres, float64 [N, 2].
        system: the EPSG code of their zone.
    """
    transformer = pyproj.Transformer.from_crs(
        system, "EPSG:4326", always_xy=True
    )
    longitude, latitude = transformer.transform(utm[:, 0], utm[:, 1])
    return np.stack([latitude, longitude], axis=-1)


def haversine(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Great-circle distance on the mean sphere, metres.

    Within 0.6 % of the ellipsoid's; exact for near places, where the cosine
    of the angle would lose all digits.

    Args:
        here, there: latitude and longitude in RADIANS, [..., 2], shapes that
            broadcast.

    Returns:
        float64 [...].
    """
    half = np.sin((there - here) / 2) ** 2
    cosines = np.cos(here[..., 0]) * np.cos(there[..., 0])
    share = half[..., 0] + cosines * half[..., 1]
    return 2 * EARTH_METRES * np.arcsin(np.sqrt(np.minimum(share, 1.0)))
