"""A map as cropping sees it: one raster, or sheets that may overlap."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mgtl_tf.utils.errors import UserError


@dataclass(frozen=True)
class Window:
    """A rectangle of a map's pixels.

    Attributes:
        column, row: of its first pixel.
        pixels: RGB, uint8 [3, h, w].
        mask: 255 where there are data, else 0, uint8 [h, w].
        step: columns and rows of the map that one of these pixels covers.
    """

    column: int
    row: int
    pixels: np.ndarray
    mask: np.ndarray
    step: tuple[float, float] = (1.0, 1.0)


class Map(Protocol):
    """A raster with a position.

    Attributes:
        name: in the ids of its crops.
        width, height: pixels.
        transform: affine, of (column, row) to the coordinate system, as
            (a, b, c, d, e, f): x = a * column + b * row + c.
        crs: coordinate system, as rasterio takes it (WKT or EPSG:code).
        notes: what was ignored, lines to be told.
    """

    name: str
    width: int
    height: int
    transform: tuple[float, float, float, float, float, float]
    crs: str
    notes: tuple[str, ...]

    def to_pixels(self, degrees: np.ndarray) -> np.ndarray:
        """Latitude and longitude [..., 2] to column and row, float64.

        Where the map's coordinate system does not reach they are infinite.
        """

    def to_degrees(self, pixels: np.ndarray) -> np.ndarray:
        """Column and row [..., 2] to latitude and longitude."""

    def frame(self, centre: tuple[float, float]) -> str:
        """The coordinate system of a crop's pixels, as rasterio takes it.

        Metres east and north of its centre, which is told in degrees.
        """

    def read(
        self, left: int, top: int, right: int, bottom: int, coarsest: float = 1
    ) -> Window:
        """The pixels from left to before right, from top to before bottom.

        Args:
            coarsest: pixels of the map, a side, that one may stand for.

        Raises:
            LeftOut: where they are damaged, or there are none.
        """

    def close(self) -> None:
        """Lets go of open files; reading opens them again."""

    def describe(self) -> dict[str, Any]:
        """What it is, the same on every machine."""

    def stamp(self) -> str:
        """What its files are right now, on this machine."""


def outline(width: int, height: int, steps: int = 32) -> np.ndarray:
    """Columns and rows along a raster's edge, float64 [K, 2]."""
    share = np.linspace(0, 1, steps)
    zero, one = np.zeros(steps), np.ones(steps)
    sides = [(share, zero), (one, share), (share, one), (zero, share)]
    points = np.concatenate([np.stack(side, axis=-1) for side in sides])
    return points * (width, height)


def require_tiles_extra(path: object) -> Any:
    """rasterio, which reads and reprojects maps.

    Raises:
        UserError: where it isn't installed.
    """
    try:
        import rasterio
    except ImportError as error:
        raise UserError(
            f"{path}: cutting a map needs rasterio; give pip install"
            " -e '.[tiles]'"
        ) from error
    return rasterio


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
                f"the map {area.name!r} holds a pole, around which"
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
