"""A folder of z/x/y tiles (slippy map) as a map in Web Mercator."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pyproj

from mgtl_tf.galleries.sources import LeftOut, NoData
from mgtl_tf.galleries.tiling.map import HALF_MERCATOR, Map, Window
from mgtl_tf.galleries.tiling.tile_files import (
    Level,
    Tile,
    read_levels,
    tile_scheme,
    zoom_folders,
)
from mgtl_tf.utils.errors import UserError
from polar.image_files import decode, read_file
from polar.image_header import PNG_START
from polar.png_files import png_alpha

_CACHED_TILES = 256
_SAMPLED_TILES = 9
# Servers answer with a file of one pixel, or few, where they have no picture.
_PLACEHOLDER = 8


class SlippyMap(Map):
    """The tiles of one zoom level; those that are missing are no data.

    Args:
        folder: holds Z/X/Y.(jpg|png|tif), or is one such Z.
        metres_per_pixel: that is asked for: the coarsest zoom level that has
            it on the ground is taken, else the finest.
        tile_rows: "xyz", "tms" or None; see `tile_scheme`.

    Attributes:
        zoom: the level that was taken.

    Raises:
        UserError: where no tile can be read.
    """

    def __init__(
        self,
        folder: Path | str,
        metres_per_pixel: float,
        tile_rows: str | None = None,
    ):
        folder = Path(folder)
        home = folder.absolute()
        if zoom_folders(folder) == [folder]:
            home = home.parent
        levels = read_levels(folder, tile_scheme(home, tile_rows))
        self.zoom, self._tiles, note = _choose(levels, metres_per_pixel)
        self.files = [self._tiles[tile] for tile in sorted(self._tiles)]
        self.notes = tuple(filter(None, [note]))
        self._side = _usual_side(self.files)
        self._decoded = lru_cache(_CACHED_TILES)(self._read_tile)
        columns = _around(sorted({x for x, _ in self._tiles}), 2**self.zoom)
        rows = [y for _, y in self._tiles]
        self._first = columns[0], min(rows)
        size = (
            (columns[-1] + 1 - columns[0]) * self._side,
            (max(rows) + 1 - min(rows)) * self._side,
        )
        pixel = 2 * HALF_MERCATOR / (self._side * 2**self.zoom)
        west = columns[0] * self._side * pixel - HALF_MERCATOR
        north = HALF_MERCATOR - min(rows) * self._side * pixel
        super().__init__(
            folder,
            home.resolve().name,
            size,
            (pixel, 0.0, west, 0.0, -pixel, north),
            pyproj.CRS.from_epsg(3857),
        )

    def read(
        self, left: int, top: int, right: int, bottom: int, coarsest: float = 1
    ) -> Window:
        """See `Map`; every tile is reduced by itself."""
        side, step = self._side, 1
        while 2 * step <= coarsest and side % (2 * step) == 0:
            step *= 2
        size = side // step
        x0, y0 = left // side, top // side
        x1, y1 = -(-right // side), -(-bottom // side)
        pixels = np.zeros(((y1 - y0) * size, (x1 - x0) * size, 4), np.uint8)
        empty = True
        for y in range(y0, y1):
            for x in range(x0, x1):
                column = (self._first[0] + x) % 2**self.zoom
                tile = column, self._first[1] + y
                if tile in self._tiles:
                    empty = False
                    pixels[
                        (y - y0) * size : (y - y0 + 1) * size,
                        (x - x0) * size : (x - x0 + 1) * size,
                    ] = _reduced(self._decoded(tile), size)
        if empty:
            raise NoData("no tile there")
        # Whole pixels around what is asked for.
        x, y = left // step, top // step
        part = pixels[
            y - y0 * size : -(-bottom // step) - y0 * size,
            x - x0 * size : -(-right // step) - x0 * size,
        ]
        return Window(x * step, y * step, part, (float(step), float(step)))

    def close(self) -> None:
        """See `Map`."""
        self._decoded.cache_clear()

    def _read_tile(self, tile: Tile) -> np.ndarray:
        path = self._tiles[tile]
        pixels = _decode(path)
        if len(pixels) <= _PLACEHOLDER:
            return np.zeros((self._side, self._side, 4), np.uint8)
        if len(pixels) != self._side:
            raise LeftOut(
                f"{path} is {len(pixels)} pixels a side, not {self._side}"
            )
        return pixels


def _reduced(pixels: np.ndarray, size: int) -> np.ndarray:
    if size == len(pixels):
        return pixels
    means = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
    means[..., 3] = np.where(means[..., 3] > 127, 255, 0)
    return means


def _decode(path: Path) -> np.ndarray:
    """A tile as RGBA uint8 [s, s, 4]."""
    try:
        data = read_file(path)
        pixels = decode(data)
    except OSError as error:
        raise LeftOut(f"{path}: {error.strerror or error}") from error
    except ValueError as error:
        raise LeftOut(f"{path} {error}") from error
    if pixels.shape[0] != pixels.shape[1]:
        raise LeftOut(f"{path} is not square")
    alpha = png_alpha(data) if data.startswith(PNG_START) else None
    if alpha is None:
        alpha = np.full(pixels.shape[:2], 255, np.uint8)
    return np.dstack([pixels, alpha])


def _usual_side(files: list[Path]) -> int:
    """The side of most of some tiles from all over the map, pixels."""
    sides: Counter[int] = Counter()
    reason = "they are placeholders"
    for paths in (files[:: -(-len(files) // _SAMPLED_TILES)], files):
        for path in paths:
            try:
                sides[len(_decode(path))] += 1
            except LeftOut as error:
                reason = str(error)
        known = [n for n, _ in sides.most_common() if n > _PLACEHOLDER]
        if known:
            return known[0]
    folder = files[0].parent.parent
    raise UserError(
        f"{folder}: none of {len(files)} tiles of zoom {folder.name} is a"
        f" complete square image: {reason}"
    )


def _choose(levels: list[Level], metres_per_pixel: float) -> Level:
    """The coarsest level that is fine enough, else the finest."""
    for level in levels:
        row = sum(y for _, y in level.files) / len(level.files) + 0.5
        turn = math.pi * (1 - 2 * row / 2**level.zoom)
        # Of 256 pixels a tile; tiles of 512 are finer still.
        pixel = 2 * HALF_MERCATOR / (256 * 2**level.zoom) / math.cosh(turn)
        if pixel <= 1.001 * metres_per_pixel:
            break
    return level


def _around(columns: list[int], count: int) -> list[int]:
    """Columns from the widest gap's end on, which may be past the last one.

    Tiles on both sides of the 180th meridian are then beside each other.
    """
    after = [*columns[1:], columns[0] + count]
    widest, first = max((b - a, b) for a, b in zip(columns, after, strict=True))
    if first >= count or 2 * widest < count:
        return columns
    return sorted(x if x >= first else x + count for x in columns)
