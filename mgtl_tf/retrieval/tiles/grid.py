"""Where a map's crops are: centres on a grid of equal steps on the ground."""

from __future__ import annotations

import numpy as np

from mgtl_tf.retrieval.tiles.crop_settings import CropSettings
from mgtl_tf.retrieval.tiles.ground import degree_metres
from mgtl_tf.retrieval.tiles.ground import move
from mgtl_tf.retrieval.tiles.map import Map
from mgtl_tf.retrieval.tiles.map import outline

# What rounding may cost a grid that fits exactly, in steps and in pixels.
_ROUNDING_STEPS = 1e-6
_ROUNDING_PIXELS = 1e-3


def crop_centres(area: Map, settings: CropSettings) -> np.ndarray:
    """Centres of all crops that lie on the map, from north-west, by rows.

    Rows and columns are `step_metres` apart along the ground; what is left
    over is shared by both edges.

    Args:
        area: the map; it may cross the 180th meridian, not hold a pole.
        settings: of the crops.

    Returns:
        latitude and longitude, degrees, float64 [M, 2]; M may be 0.
    """
    south, north, west, east = _bounds(area)
    north_metres = float(degree_metres((south + north) / 2)[0])
    rows = []
    for latitude in _spread(north, south, north_metres, settings):
        east_metres = float(degree_metres(latitude)[1])
        longitudes = _spread(west, east, east_metres, settings)
        centres = np.stack(
            [np.full_like(longitudes, latitude), longitudes], axis=-1
        )
        rows.append(centres[_on_map(area, centres, settings)])
    centres = np.concatenate([np.empty((0, 2)), *rows])
    centres[:, 1] = (centres[:, 1] + 180) % 360 - 180
    return centres


def _bounds(area: Map) -> tuple[float, float, float, float]:
    """Least and greatest latitude, and longitude without a seam."""
    degrees = area.to_degrees(outline(area.width, area.height))
    degrees = degrees[np.isfinite(degrees).all(axis=-1)]
    if not len(degrees):
        return 0.0, 0.0, 0.0, 0.0
    latitude, longitude = degrees.T
    first = longitude[0]
    longitude = (longitude - first + 180) % 360 - 180 + first
    return (
        float(latitude.min()),
        float(latitude.max()),
        float(longitude.min()),
        float(longitude.max()),
    )


def _spread(
    first: float, last: float, degree: float, settings: CropSettings
) -> np.ndarray:
    """Centres in degrees from one edge to the other, evenly within both."""
    extent = abs(last - first) * degree
    spare = (extent - settings.crop_metres) / settings.step_metres
    count = int(np.floor(spare + _ROUNDING_STEPS)) + 1
    if count < 1:
        return np.empty(0)
    offsets = (np.arange(count) - (count - 1) / 2) * settings.step_metres
    return (first + last) / 2 + np.sign(last - first) * offsets / degree


def _on_map(
    area: Map, centres: np.ndarray, settings: CropSettings
) -> np.ndarray:
    """Whether all of a crop's pixels lie on the map, bool [M]."""
    reach = (settings.crop_metres - settings.pixel_metres) / 2
    east, north = reach * np.array([[-1, 1, 1, -1], [1, 1, -1, -1]])
    corners = area.to_pixels(move(centres[:, None], east, north))
    limits = np.array([area.width, area.height]) + _ROUNDING_PIXELS
    inside = (corners >= -_ROUNDING_PIXELS) & (corners <= limits)
    return np.asarray(inside.all(axis=(1, 2)))
