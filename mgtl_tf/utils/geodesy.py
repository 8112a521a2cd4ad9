"""Every geodesic of the package: degrees, metres and WGS 84, by PROJ."""

from __future__ import annotations

import functools

import numpy as np
import pyproj

WGS84 = pyproj.Geod(ellps="WGS84")
"""The ellipsoid: semi-axes, geodesics forward and inverse."""

# Canberra, where CVACT was taken: UTM zone 55, southern hemisphere.
CVACT_UTM = "EPSG:32755"
_DEGREES = "EPSG:4326"
_GEODETIC = "EPSG:4979"  # with the height
_CARTESIAN = "EPSG:4978"


def earth_centred(latitude: np.ndarray, longitude: np.ndarray) -> np.ndarray:
    """Earth-centred Cartesian coordinates at height zero (WGS 84).

    Up to 10 km, straight distances are shorter than those along the ground
    by less than a part in a million.

    Args:
        latitude, longitude: degrees, [N]; NaN where unknown.

    Returns:
        float64 metres, [N, 3]; NaN where unknown.
    """
    latitude, longitude = np.broadcast_arrays(
        np.asarray(latitude, np.float64), np.asarray(longitude, np.float64)
    )
    known = np.isfinite(latitude) & np.isfinite(longitude)
    metres = np.full((*latitude.shape, 3), np.nan)
    metres[known] = np.stack(
        _transformer(_GEODETIC, _CARTESIAN).transform(
            longitude[known], latitude[known], np.zeros(known.sum())
        ),
        axis=-1,
    )
    return metres


def from_utm(utm: np.ndarray, system: str = CVACT_UTM) -> np.ndarray:
    """Latitude and longitude in degrees, float64 [N, 2].

    Args:
        utm: easting and northing in metres, float64 [N, 2].
        system: the EPSG code of their zone.
    """
    transformer = _transformer(system, _DEGREES)
    longitude, latitude = transformer.transform(utm[:, 0], utm[:, 1])
    return np.stack([latitude, longitude], axis=-1)


def geodesic_metres(origin: np.ndarray, places: np.ndarray) -> np.ndarray:
    """How far places lie from another along the ground.

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
    here, there = start[known].T, places[known].T
    metres[known] = WGS84.inv(here[1], here[0], there[1], there[0])[2]
    return metres


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
    moved = WGS84.fwd(
        longitude.ravel(),
        latitude.ravel(),
        np.degrees(np.arctan2(east, north)).ravel(),
        np.hypot(east, north).ravel(),
    )
    pairs = np.stack([moved[1], moved[0]], axis=-1)
    return pairs.reshape(*latitude.shape, 2)


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
    root = np.sqrt(1 - WGS84.es * np.sin(angle) ** 2)
    across = WGS84.a / root
    along = WGS84.a * (1 - WGS84.es) / root**3
    return np.radians(along), np.radians(across * np.cos(angle))


def from_tangent_plane(
    metres: np.ndarray, latitude: float, longitude: float
) -> np.ndarray:
    """Latitude and longitude below points of a plane that touches WGS 84.

    Args:
        metres: float64 [N, 2], east and north of where it touches.
        latitude, longitude: of where it touches, degrees.

    Returns:
        float64 [N, 2], degrees.
    """
    east, north = np.asarray(metres, np.float64).T
    cartesian = pyproj.Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84"
        f" +lat_0={latitude!r} +lon_0={longitude!r}"
    ).transform(east, north, np.zeros(len(east)))
    to_degrees = _transformer(_CARTESIAN, _GEODETIC)
    longitudes, latitudes, _ = to_degrees.transform(*cartesian)
    return np.stack([latitudes, longitudes], axis=-1)


@functools.cache
def _transformer(source: str, target: str) -> pyproj.Transformer:
    return pyproj.Transformer.from_crs(source, target, always_xy=True)
