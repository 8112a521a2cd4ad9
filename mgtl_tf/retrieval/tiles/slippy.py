"""A folder of z/x/y tiles (slippy map) as a map in Web Mercator."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.sources import LeftOut
from mgtl_tf.retrieval.sources import NoData
from mgtl_tf.retrieval.tiles.ground import SEMI_MAJOR_METRES
from mgtl_tf.retrieval.tiles.map import Window
from mgtl_tf.retrieval.tiles.map import require_tiles_extra
from polar.image_files import decode

_SUFFIXES = (".jpg", ".jpeg", ".png")
_HALF = math.pi * SEMI_MAJOR_METRES
_CACHED_TILES = 256

Tile = tuple[int, int]
"""x from west, y from north."""


def is_tile_folder(folder: Path) -> bool:
    """Whether a folder has the layout Z/X/Y.jpg or Y.png."""
    return any(True for zoom in _numbered(folder) for _ in _tiles(zoom))


class SlippyMap:
    """The tiles of one zoom level; those that are missing are no data.

    Args:
        folder: holds Z/X/Y.(jpg|png), y from the north.
        metres_per_pixel: that is asked for: the coarsest zoom level that has
            it on the ground is taken, else the finest.

    Attributes:
        folder: of the tiles.
        zoom: the level that was taken.
        name, width, height, transform, crs: see `map.Map`; the pixels from
            the first to the last tile of both axes.

    Raises:
        UserError: where no tile can be read.
    """

    crs = "EPSG:3857"

    def __init__(self, folder: Path | str, metres_per_pixel: float):
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        require_tiles_extra(folder)
        levels = [
            (int(level.name), tiles)
            for level in _numbered(self.folder)
            if (tiles := dict(_tiles(level)))
        ]
        self.zoom, self._files = _choose(levels, metres_per_pixel)
        self._side = self._tile_side()
        self._decoded: OrderedDict[Tile, tuple[np.ndarray, np.ndarray]] = (
            OrderedDict()
        )
        columns, rows = zip(*self._files, strict=True)
        self._first = min(columns), min(rows)
        self.width = (max(columns) + 1 - min(columns)) * self._side
        self.height = (max(rows) + 1 - min(rows)) * self._side
        pixel = 2 * _HALF / (self._side * 2**self.zoom)
        west = min(columns) * self._side * pixel - _HALF
        north = _HALF - min(rows) * self._side * pixel
        self.transform = (pixel, 0.0, west, 0.0, -pixel, north)

    def _tile_side(self) -> int:
        """Pixels a side of the first tile that is whole."""
        for tile in sorted(self._files):
            try:
                return self._decode(tile)[0].shape[0]
            except LeftOut:
                continue
        raise UserError(
            f"--images={self.folder}: none of {len(self._files)} tiles of zoom"
            f" {self.zoom} is a whole square image"
        )

    def to_pixels(self, degrees: np.ndarray) -> np.ndarray:
        """See `map.Map`: x = R longitude, y = R ln tan(45 + latitude / 2)."""
        angles = np.radians(degrees)
        pixel, _, west, _, _, north = self.transform
        with np.errstate(divide="ignore"):
            y = np.log(np.tan(math.pi / 4 + angles[..., 0] / 2))
        return np.stack(
            [
                (SEMI_MAJOR_METRES * angles[..., 1] - west) / pixel,
                (north - SEMI_MAJOR_METRES * y) / pixel,
            ],
            axis=-1,
        )

    def to_degrees(self, pixels: np.ndarray) -> np.ndarray:
        """See `map.Map`."""
        pixel, _, west, _, _, north = self.transform
        x = west + pixel * pixels[..., 0]
        y = north - pixel * pixels[..., 1]
        latitude = np.arctan(np.sinh(y / SEMI_MAJOR_METRES))
        return np.degrees(np.stack([latitude, x / SEMI_MAJOR_METRES], axis=-1))

    def read(self, left: int, top: int, right: int, bottom: int) -> Window:
        """See `map.Map`."""
        side = self._side
        columns = range(left // side, (right - 1) // side + 1)
        rows = range(top // side, (bottom - 1) // side + 1)
        needed = [[self._tile(x, y) for x in columns] for y in rows]
        if all(tile not in self._files for row in needed for tile in row):
            raise NoData("no tile there")
        parts = [[self._pixels(tile) for tile in row] for row in needed]
        pixels = np.concatenate(
            [np.concatenate([p for p, _ in row], axis=1) for row in parts]
        )
        mask = np.block([[m for _, m in row] for row in parts])
        x, y = left - columns[0] * side, top - rows[0] * side
        part = np.s_[y : y + bottom - top, x : x + right - left]
        return Window(left, top, np.moveaxis(pixels[part], -1, 0), mask[part])

    def _tile(self, column: int, row: int) -> Tile:
        return self._first[0] + column, self._first[1] + row

    def _pixels(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        """RGB [T, T, 3] and mask [T, T]; the last ones stay decoded."""
        if tile in self._decoded:
            self._decoded.move_to_end(tile)
            return self._decoded[tile]
        if tile not in self._files:
            empty = np.zeros((self._side, self._side, 3), np.uint8)
            return empty, empty[..., 0]
        found = self._decode(tile)
        if found[0].shape[0] != self._side:
            raise LeftOut(
                f"{self._files[tile]} is {found[0].shape[0]} pixels a side, not"
                f" {self._side}"
            )
        self._decoded[tile] = found
        if len(self._decoded) > _CACHED_TILES:
            self._decoded.popitem(last=False)
        return found

    def _decode(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        path = self._files[tile]
        try:
            data = path.read_bytes()
            pixels = decode(data)
        except OSError as error:
            raise LeftOut(f"{path}: {error.strerror or error}") from error
        except ValueError as error:
            raise LeftOut(f"{path} {error}") from error
        if pixels.shape[0] != pixels.shape[1]:
            raise LeftOut(f"{path} is not square")
        return pixels, _opaque(data, pixels.shape[:2])

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


def _opaque(data: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """255 where a PNG's alpha says that there is something, uint8 [T, T]."""
    if data.startswith(b"\x89PNG"):
        whole = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED
        )
        if whole is not None and whole.ndim == 3 and whole.shape[2] == 4:
            full = 65535 if whole.dtype == np.uint16 else 255
            return np.where(whole[..., 3] == full, 255, 0).astype(np.uint8)
    return np.full(shape, 255, np.uint8)


def _choose(
    levels: list[tuple[int, dict[Tile, Path]]], metres_per_pixel: float
) -> tuple[int, dict[Tile, Path]]:
    """The coarsest level that shows enough, else the finest."""
    for zoom, tiles in sorted(levels, key=lambda level: level[0]):
        row = sum(y for _, y in tiles) / len(tiles) + 0.5
        latitude = math.atan(math.sinh(math.pi * (1 - 2 * row / 2**zoom)))
        # Tiles of 512 pixels show more still.
        pixel = 2 * _HALF / (256 * 2**zoom) * math.cos(latitude)
        if pixel <= 1.001 * metres_per_pixel:
            break
    return zoom, tiles


def _numbered(folder: Path) -> Iterator[Path]:
    return (p for p in folder.iterdir() if p.name.isdecimal() and p.is_dir())


def _tiles(level: Path) -> Iterator[tuple[Tile, Path]]:
    """x and y of each tile of a zoom level, and its file."""
    for column in _numbered(level):
        for path in column.iterdir():
            if path.stem.isdecimal() and path.suffix.lower() in _SUFFIXES:
                yield (int(column.name), int(path.stem)), path
