"""A folder of z/x/y tiles (slippy map) as a map in Web Mercator."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.retrieval.galleries.sources import NoData
from mgtl_tf.retrieval.tiling.frames import world_frame
from mgtl_tf.retrieval.tiling.map import Window, require_tiles_extra
from mgtl_tf.retrieval.tiling.position import OPPOSITE_MERCATOR
from mgtl_tf.retrieval.tiling.tile_files import (
    Level,
    Tile,
    is_zoom_folder,
    read_levels,
    tile_scheme,
)
from mgtl_tf.retrieval.tiling.tile_pixels import TilePixels
from mgtl_tf.utils.geodesy import WGS84

_HALF = math.pi * WGS84.a


class SlippyMap:
    """The tiles of one zoom level; those that are missing are no data.

    Args:
        folder: holds Z/X/Y.(jpg|png|tif), or is one such Z.
        metres_per_pixel: that is asked for: the coarsest zoom level that has
            it on the ground is taken, else the finest.
        tile_rows: "xyz", "tms" or None; see `tile_scheme`.

    Attributes:
        folder: of the tiles.
        zoom: the level that was taken.
        name, width, height, transform, crs, notes: see `map.Map`; the
            pixels from the first to the last tile of both axes.

    Raises:
        UserError: where no tile can be read.
    """

    def __init__(
        self,
        folder: Path | str,
        metres_per_pixel: float,
        tile_rows: str | None = None,
    ):
        self.folder = Path(folder)
        require_tiles_extra(folder)
        home = self.folder.absolute()
        home = home.parent if is_zoom_folder(home) else home
        self.name = home.resolve().name
        scheme = tile_scheme(home, tile_rows)
        levels = read_levels(self.folder, scheme)
        level = _choose(levels, metres_per_pixel)
        self.zoom, self._files = level.zoom, level.files
        self.notes: tuple[str, ...] = tuple(filter(None, [level.note]))
        self._tiles = TilePixels(self._files)
        self._side = self._tiles.side
        self._lay_out()

    def _lay_out(self) -> None:
        """Where the first tile lies, and how large all are together."""
        columns = _around(sorted({x for x, _ in self._files}), 2**self.zoom)
        rows = [y for _, y in self._files]
        self._first = columns[0], min(rows)
        self.width = (columns[-1] + 1 - columns[0]) * self._side
        self.height = (max(rows) + 1 - min(rows)) * self._side
        pixel = 2 * _HALF / (self._side * 2**self.zoom)
        crosses = columns[-1] >= 2**self.zoom
        self.crs = OPPOSITE_MERCATOR if crosses else "EPSG:3857"
        self._meridian = 180.0 if crosses else 0.0
        west = columns[0] * self._side * pixel - _HALF * (1 + crosses)
        north = _HALF - min(rows) * self._side * pixel
        self.transform = (pixel, 0.0, west, 0.0, -pixel, north)

    def to_pixels(self, degrees: np.ndarray) -> np.ndarray:
        """See `map.Map`: x = R longitude, y = R ln tan(45 + latitude / 2)."""
        east = (degrees[..., 1] - self._meridian + 180) % 360 - 180
        # The map's own edge at 180 degrees is not the other one's.
        east = np.where(degrees[..., 1] - self._meridian == 180, 180, east)
        angles = np.radians(np.stack([degrees[..., 0], east], axis=-1))
        pixel, _, west, _, _, north = self.transform
        with np.errstate(divide="ignore"):
            y = np.log(np.tan(math.pi / 4 + angles[..., 0] / 2))
        return np.stack(
            [
                (WGS84.a * angles[..., 1] - west) / pixel,
                (north - WGS84.a * y) / pixel,
            ],
            axis=-1,
        )

    def to_degrees(self, pixels: np.ndarray) -> np.ndarray:
        """See `map.Map`."""
        pixel, _, west, _, _, north = self.transform
        x = west + pixel * pixels[..., 0]
        y = north - pixel * pixels[..., 1]
        latitude = np.arctan(np.sinh(y / WGS84.a))
        angles = np.stack([latitude, x / WGS84.a], axis=-1)
        return np.degrees(angles) + np.array([0.0, self._meridian])

    def frame(self, centre: tuple[float, float]) -> str:
        """See `map.Map`."""
        return world_frame(centre)

    def read(
        self, left: int, top: int, right: int, bottom: int, coarsest: float = 1
    ) -> Window:
        """See `map.Map`; every tile is reduced by itself."""
        side = self._side
        columns = range(left // side, (right - 1) // side + 1)
        rows = range(top // side, (bottom - 1) // side + 1)
        needed = [[self._tile(x, y) for x in columns] for y in rows]
        if all(tile not in self._files for row in needed for tile in row):
            raise NoData("no tile there")
        step = _power_of_two(coarsest, side)
        parts = [[self._tiles.read(t, step) for t in row] for row in needed]
        pixels = np.concatenate(
            [np.concatenate([p for p, _ in row], axis=1) for row in parts]
        )
        mask = np.block([[m for _, m in row] for row in parts])
        west, north = columns[0] * side, rows[0] * side
        x, y = (left - west) // step, (top - north) // step
        part = np.s_[
            y : -(-(bottom - north) // step), x : -(-(right - west) // step)
        ]
        return Window(
            west + x * step,
            north + y * step,
            np.moveaxis(pixels[part], -1, 0),
            mask[part],
            (float(step), float(step)),
        )

    def close(self) -> None:
        """See `map.Map`."""
        self._tiles.forget()

    def _tile(self, column: int, row: int) -> Tile:
        x = (self._first[0] + column) % 2**self.zoom
        return x, self._first[1] + row

    def describe(self) -> dict[str, Any]:
        """See `map.Map`."""
        digest = hashlib.sha256()
        for tile, path in sorted(self._files.items()):
            digest.update(f"{tile} {path.stat().st_size}\n".encode())
        return {
            "map": self.name,
            "zoom": self.zoom,
            "tiles": len(self._files),
            "tiles' files": digest.hexdigest()[:16],
        }

    def stamp(self) -> str:
        """See `map.Map`."""
        digest = hashlib.sha256()
        for tile, path in sorted(self._files.items()):
            digest.update(f"{tile} {path.stat().st_mtime_ns}\n".encode())
        return f"{self.folder} {digest.hexdigest()[:16]}"


def _choose(levels: list[Level], metres_per_pixel: float) -> Level:
    """The coarsest level that shows enough, else the finest."""
    for level in levels:
        row = sum(y for _, y in level.files) / len(level.files) + 0.5
        turn = math.pi * (1 - 2 * row / 2**level.zoom)
        # Tiles of 512 pixels show more still.
        pixel = 2 * _HALF / (256 * 2**level.zoom) / math.cosh(turn)
        if pixel <= 1.001 * metres_per_pixel:
            break
    return level


def _power_of_two(most: float, side: int) -> int:
    """The greatest up to `most` that divides a tile's side."""
    step = 1
    while 2 * step <= most and side % (2 * step) == 0:
        step *= 2
    return step


def _around(columns: list[int], count: int) -> list[int]:
    """Columns from the widest gap's end on, which may be past the last one.

    Tiles on both sides of the 180th meridian are then beside each other.
    """
    gaps = [
        (after - before, after)
        for before, after in zip(
            columns, [*columns[1:], columns[0] + count], strict=True
        )
    ]
    widest, first = max(gaps)
    if first >= count or 2 * widest < count:
        return columns
    return sorted(x if x >= first else x + count for x in columns)
