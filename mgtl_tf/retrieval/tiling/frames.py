"""The frame of a crop: metres east and north of its centre."""

from __future__ import annotations

import math

import pyproj
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import AzimuthalEquidistantConversion


def world_frame(centre: tuple[float, float]) -> str:
    """Azimuthal equidistant around a place of WGS 84, as a PROJ string.

    Args:
        centre: latitude and longitude, degrees.
    """
    latitude, longitude = centre
    return (
        f"+proj=aeqd +lat_0={latitude!r} +lon_0={longitude!r} +datum=WGS84"
        " +units=m +no_defs"
    )


class OwnFrames:
    """Frames on a coordinate system's own datum.

    From WGS 84 to many a datum there are several ways, by region. Which one
    is taken must be decided once: by `pyproj`, for where a crop's centre is.
    Two libraries that each decide may lie metres apart. Within one datum
    there is nothing to decide.

    Args:
        system: projected or geographic, neither bound nor derived.
        geodetic: its geographic system.
    """

    def __init__(self, system: pyproj.CRS, geodetic: pyproj.CRS):
        self._geodetic = geodetic.to_2d()
        self._to_geodetic = pyproj.Transformer.from_crs(
            system, self._geodetic, always_xy=True
        )
        radians = self._geodetic.axis_info[0].unit_conversion_factor
        self._degrees = math.degrees(radians)

    def around(self, x: float, y: float) -> str:
        """The frame around a place in the system, as WKT."""
        longitude, latitude = self._to_geodetic.transform(x, y)
        conversion = AzimuthalEquidistantConversion(
            latitude * self._degrees, longitude * self._degrees
        )
        return ProjectedCRS(conversion, geodetic_crs=self._geodetic).to_wkt()


def own_frames(system: pyproj.CRS) -> OwnFrames | None:
    """Frames on a system's datum; None where `world_frame` does as well."""
    # A bound system has one way to WGS 84, which is written in it.
    if system.is_bound or system.is_derived and system.is_geographic:
        return None
    geodetic = system.geodetic_crs
    if geodetic is None or geodetic.to_epsg() in (4326, 4979):
        return None
    return OwnFrames(system, geodetic)
