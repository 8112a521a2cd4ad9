"""A map: one raster or several sheets, each with its position on the Earth."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyproj

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import WGS84, degree_metres

Transform = tuple[float, float, float, float, float, float]

HALF_MERCATOR = math.pi * WGS84.a
"""Web Mercator's greatest coordinate, at 180 degrees, metres."""

# Web Mercator around the 180th meridian, for what crosses it.
_OPPOSITE_MERCATOR = (
    "+proj=merc +a=6378137 +b=6378137 +lat_ts=0 +lon_0=180 +x_0=0 +y_0=0 +k=1"
    " +units=m +nadgrids=@null +no_defs"
)
_OPEN_SHEETS = 64


class Window(NamedTuple):
    """A rectangle of a raster.

    Attributes:
        column, row: of its first pixel.
        pixels: RGBA uint8 [h, w, 4]; alpha is 0 where there are no data.
        step: columns and rows of the raster that one of these pixels covers.
    """

    column: int
    row: int
    pixels: np.ndarray
    step: tuple[float, float] = (1.0, 1.0)


class Map(ABC):
    """A raster with an affine transform into a coordinate system.

    Args:
        path: of its file or folder.
        name: begins the ids of its crops.
        size: width and height, pixels.
        transform: (a, b, c, d, e, f): x = a * column + b * row + c.
        system: projected or geographic.

    Attributes:
        path, name: as given.
        width, height: pixels.
        files: what its pixels are read from.
        notes: what was ignored, a line each.
    """

    files: Sequence[Path] = ()
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        path: Path,
        name: str,
        size: tuple[int, int],
        transform: Transform,
        system: pyproj.CRS,
    ):
        self.path = path
        self.name = name
        self.width, self.height = size
        a, b, c, d, e, f = transform
        x = [c + a * i + b * j for i in (0, size[0]) for j in (0, size[1])]
        if system.to_epsg() == 3857 and np.abs(x).max() > HALF_MERCATOR + 1e-3:
            system = pyproj.CRS.from_string(_OPPOSITE_MERCATOR)
            c -= math.copysign(HALF_MERCATOR, c)
        self._matrix = np.array([[a, b], [d, e]])
        self._origin = np.array([c, f])
        self._middle = float(np.mean(x))
        self._turn = 0.0  # 360 degrees in the system's own unit
        if system.is_geographic:
            unit = system.axis_info[0].unit_conversion_factor
            self._turn = 2 * math.pi / unit
        degrees, transformer = "EPSG:4326", pyproj.Transformer.from_crs
        self._to_map = transformer(degrees, system, always_xy=True)
        self._to_degrees = transformer(system, degrees, always_xy=True)

    def to_pixels(self, degrees: np.ndarray) -> np.ndarray:
        """Latitude and longitude [..., 2] to column and row, float64.

        Infinite or NaN where the map's coordinate system does not reach.
        """
        x, y = self._to_map.transform(degrees[..., 1], degrees[..., 0])
        with np.errstate(invalid="ignore"):
            if self._turn:  # Longitudes may be 0 to 360, or exceed 180.
                x = x - self._turn * np.round((x - self._middle) / self._turn)
            points = np.stack([x, y], axis=-1) - self._origin
            return points @ np.linalg.inv(self._matrix).T

    def to_degrees(self, pixels: np.ndarray) -> np.ndarray:
        """Column and row [..., 2] to latitude and longitude."""
        points = pixels @ self._matrix.T + self._origin
        longitude, latitude = self._to_degrees.transform(
            points[..., 0], points[..., 1]
        )
        latitude = np.where(np.abs(latitude) <= 90, latitude, np.inf)
        return np.stack([latitude, longitude], axis=-1)

    def pixel_metres(self) -> float:
        """Of a pixel's side on the ground, in the raster's middle."""
        middle = np.array([self.width, self.height]) / 2
        here, there = self.to_degrees(np.stack([middle - 0.5, middle + 0.5]))
        degree = np.array(degree_metres(here[0]))
        return float(np.hypot(*((there - here) * degree)) / 2**0.5)

    def bounds(self) -> tuple[float, float, float, float]:
        """South, north, west and east, degrees; east may exceed 180.

        Raises:
            UserError: where the map contains a pole.
        """
        size = np.array([self.width, self.height])
        for pole in (-90.0, 90.0):
            point = self.to_pixels(np.array([pole, 0.0]))
            # A map in degrees has its poles along its edges.
            if ((point > 0) & (point < size)).all():
                raise UserError(
                    f"{self.path}: contains a pole, where north is undefined;"
                    " cut it off with gdal_translate -projwin"
                )
        share = np.linspace(0, 1, 32)
        edges = [(share, 0 * share), (share, 0 * share + 1)]
        edges += [(y, x) for x, y in edges]
        outline = np.concatenate([np.stack(edge, axis=-1) for edge in edges])
        degrees = self.to_degrees(outline * size)
        degrees = degrees[np.isfinite(degrees).all(axis=-1)]
        if not len(degrees):
            return 0.0, 0.0, 0.0, 0.0
        latitude, longitude = degrees.T
        first = longitude[0]
        longitude = (longitude - first + 180) % 360 - 180 + first
        south, north = float(latitude.min()), float(latitude.max())
        return south, north, float(longitude.min()), float(longitude.max())

    @abstractmethod
    def read(
        self, left: int, top: int, right: int, bottom: int, coarsest: float = 1
    ) -> Window:
        """The pixels from left to before right, from top to before bottom.

        Args:
            coarsest: pixels of the map, a side, that one may average.

        Raises:
            LeftOut: where they are damaged, or there are none.
        """

    @abstractmethod
    def close(self) -> None:
        """Closes files and frees memory; `read` opens them again."""


class Sheets:
    """Sheets as one map, each in its own coordinate system and resolution.

    Args:
        name: of the map, in the ids of its crops.
        maps: the sheets, at least one; where some overlap the first wins.

    Attributes:
        name, maps: as given.
        bounds: south, north, west and east of each, degrees, float64 [K, 4];
            longitudes may exceed 180.

    Raises:
        UserError: where a sheet contains a pole.
    """

    def __init__(self, name: str, maps: Sequence[Map]):
        self.name = name
        self.maps = tuple(maps)
        self.bounds = np.array([area.bounds() for area in self.maps])
        # All of them on the first one's side of the 180th meridian.
        middles = self.bounds[:, 2:].mean(axis=1)
        turns = np.round((middles - middles[0]) / 360)
        self.bounds[:, 2:] -= 360 * turns[:, None]
        self._open: OrderedDict[int, Map] = OrderedDict()

    def near(self, degrees: np.ndarray) -> list[int]:
        """Numbers of the sheets that may show places [P, 2]."""
        latitude, longitude = degrees.T
        middle = self.bounds[0, 2:].mean()
        longitude = (longitude - middle + 180) % 360 - 180 + middle
        south, north, west, east = self.bounds.T
        found = (south <= latitude.max()) & (north >= latitude.min())
        found &= (west <= longitude.max()) & (east >= longitude.min())
        return np.flatnonzero(found).tolist()

    def opened(self, number: int) -> Map:
        """A sheet to be read; the least recently read ones are closed."""
        self._open[number] = self.maps[number]
        self._open.move_to_end(number)
        if len(self._open) > _OPEN_SHEETS:
            self._open.popitem(last=False)[1].close()
        return self.maps[number]
