"""A map of one or more sheets, which may overlap and leave gaps."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from mgtl_tf.retrieval.tiling.map import Map, outline
from mgtl_tf.utils.errors import UserError

_OPEN_SHEETS = 64
_MOST_NOTES = 5


class Sheets:
    """Sheets as one map, each in its own coordinate system and resolution.

    Args:
        name: of the map, in the ids of its crops.
        maps: the sheets, at least one; where some overlap the first wins.

    Attributes:
        name, maps: as given.
        bounds: south, north, west and east of each, degrees, float64 [K, 4];
            longitudes go on beyond 180.

    Raises:
        UserError: where a sheet holds a pole.
    """

    def __init__(self, name: str, maps: Sequence[Map]):
        self.name = name
        self.maps = tuple(maps)
        self.bounds = np.array([_bounds(area) for area in self.maps])
        # All of them on the first one's side of the 180th meridian.
        middles = self.bounds[:, 2:].mean(axis=1)
        turns = np.round((middles - middles[0]) / 360)
        self.bounds[:, 2:] -= 360 * turns[:, None]
        self._open: OrderedDict[int, Map] = OrderedDict()

    def near(self, degrees: np.ndarray) -> list[int]:
        """Numbers of the sheets that may show some places.

        Args:
            degrees: latitude and longitude, [P, 2].
        """
        latitude, longitude = degrees.T
        middle = self.bounds[0, 2:].mean()
        longitude = (longitude - middle + 180) % 360 - 180 + middle
        south, north, west, east = self.bounds.T
        found = (south <= latitude.max()) & (north >= latitude.min())
        found &= (west <= longitude.max()) & (east >= longitude.min())
        return np.flatnonzero(found).tolist()

    def opened(self, number: int) -> Map:
        """A sheet to be read; of many, those not read lately are closed."""
        self._open[number] = self.maps[number]
        self._open.move_to_end(number)
        if len(self._open) > _OPEN_SHEETS:
            self._open.popitem(last=False)[1].close()
        return self.maps[number]

    def notes(self) -> list[str]:
        """What was ignored in sheets, a line each."""
        notes = [note for area in self.maps for note in area.notes]
        if (more := len(notes) - _MOST_NOTES) > 0:
            notes[_MOST_NOTES:] = [f"{self.name}: so in {more:,} more sheets"]
        return notes

    def describe(self) -> dict[str, Any]:
        """What it is, the same on every machine."""
        if len(self.maps) == 1:
            return self.maps[0].describe()
        texts = [repr(area.describe()) for area in self.maps]
        return {
            "map": self.name,
            "sheets": len(self.maps),
            "sheets' files": _digest(texts),
        }

    def stamp(self) -> str:
        """What its files are right now, on this machine."""
        if len(self.maps) == 1:
            return self.maps[0].stamp()
        return f"{self.name} {_digest([area.stamp() for area in self.maps])}"


def _digest(texts: Sequence[str]) -> str:
    whole = "\n".join(texts).encode(errors="surrogateescape")
    return hashlib.sha256(whole).hexdigest()[:16]


def _bounds(area: Map) -> tuple[float, float, float, float]:
    """Least and greatest latitude, and longitude without a seam."""
    for pole in (-90.0, 90.0):
        column, row = area.to_pixels(np.array([pole, 0.0])).tolist()
        # A map in degrees has its poles along its edges.
        if 0 < column < area.width and 0 < row < area.height:
            raise UserError(
                f"--images: the map {area.name!r} holds a pole, around which"
                " there is no north; cut it off with gdal_translate -projwin"
            )
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
