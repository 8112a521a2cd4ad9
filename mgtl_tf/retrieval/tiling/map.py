"""What cutting needs to know of a map, wherever its pixels come from."""

from __future__ import annotations

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
            f"--images={path}: cutting a map needs rasterio; give pip install"
            " -e '.[tiles]'"
        ) from error
    return rasterio
