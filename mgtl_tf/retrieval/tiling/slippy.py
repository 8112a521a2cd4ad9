"""A folder of z/x/y tiles (slippy map) as a map in Web Mercator."""

from __future__ import annotations

import math
from collections import Counter
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import pyproj

from mgtl_tf.retrieval.galleries.sources import LeftOut, NoData
from mgtl_tf.retrieval.tiling.map import HALF_MERCATOR, Map, Window
from mgtl_tf.retrieval.tiling.tile_files import (
    Level,
    Tile,
    is_zoom_folder,
    read_levels,
    tile_scheme,
)
from mgtl_tf.utils.errors import UserError
from polar.image_files import decode, read_file
from polar.image_header import PNG_START
from polar.png_files import png_alpha

_CACHED_TILES = 256
_SAMPLED_TILES = 9
# Servers answer with a file of one pixel, or few, where they have no picture.
_PLACEHOLDER = 8

Pixels = tuple[np.ndarray, np.ndarray]
"""RGB [T, T, 3] and mask, 255 or 0, [T, T]; both uint8."""


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
        home = home.parent if is_zoom_folder(home) else home
        levels = read_levels(folder, tile_scheme(home, tile_rows))
        level = _choose(levels, metres_per_pixel)
        self.zoom, self._tiles = level.zoom, level.files
        self.files = [self._tiles[tile] for tile in sorted(self._tiles)]
        self.notes = tuple(filter(None, [level.note]))
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
        side = self._side
        first, last = left // side, (right - 1) // side + 1
        tiles = [
            [self._tile(x, y) for x in range(first, last)]
            for y in range(top // side, (bottom - 1) // side + 1)
        ]
        if all(tile not in self._tiles for row in tiles for tile in row):
            raise NoData("no tile there")
        step = 1  # The greatest power of two that divides a tile's side.
        while 2 * step <= coarsest and side % (2 * step) == 0:
            step *= 2
        pixels, mask = (
            np.concatenate([np.concatenate(row, axis=1) for row in part])
            for part in zip(
                *[
                    zip(*[self._reduced(t, step) for t in row], strict=True)
                    for row in tiles
                ],
                strict=True,
            )
        )
        west, north = first * side, top // side * side
        x, y = (left - west) // step, (top - north) // step
        part = np.s_[
            y : -(-(bottom - north) // step), x : -(-(right - west) // step)
        ]
        return Window(
            west + x * step,
            north + y * step,
            pixels[part],
            mask[part],
            (float(step), float(step)),
        )

    def close(self) -> None:
        """See `Map`."""
        self._decoded.cache_clear()

    def _tile(self, column: int, row: int) -> Tile:
        x = (self._first[0] + column) % 2**self.zoom
        return x, self._first[1] + row

    def _reduced(self, tile: Tile, step: int) -> Pixels:
        """Means of `step` x `step` pixels of a tile; empty without a file."""
        if tile not in self._tiles:
            size = self._side // step
            return _empty(size)
        pixels, mask = self._decoded(tile)
        if step == 1:
            return pixels, mask
        size = self._side // step
        means = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)
        shares = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)
        return means, np.where(shares > 127, 255, 0).astype(np.uint8)

    def _read_tile(self, tile: Tile) -> Pixels:
        path = self._tiles[tile]
        pixels, mask = _decode(path)
        if len(mask) <= _PLACEHOLDER:
            return _empty(self._side)
        if len(mask) != self._side:
            raise LeftOut(
                f"{path} is {len(mask)} pixels a side, not {self._side}"
            )
        return pixels, mask


def _empty(side: int) -> Pixels:
    return np.zeros((side, side, 3), np.uint8), np.zeros((side, side), np.uint8)


def _decode(path: Path) -> Pixels:
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
    opaque = np.full(pixels.shape[:2], 255, np.uint8)
    return pixels, opaque if alpha is None else alpha


def _usual_side(files: list[Path]) -> int:
    """The side of most of some tiles from all over the map, pixels."""
    sides: Counter[int] = Counter()
    reason = "they are placeholders"
    sample = files[:: -(-len(files) // _SAMPLED_TILES)]
    for number, path in enumerate(sample + files):
        if number >= len(sample) and sides:
            break
        try:
            side = len(_decode(path)[1])
            if side > _PLACEHOLDER:
                sides[side] += 1
        except LeftOut as error:
            reason = str(error)
    if not sides:
        folder = files[0].parent.parent
        raise UserError(
            f"{folder}: none of {len(files)} tiles of zoom"
            f" {folder.name} is a complete square image: {reason}"
        )
    return sides.most_common(1)[0][0]


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
