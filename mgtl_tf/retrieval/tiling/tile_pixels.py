"""Tiles' files as pixels of one size; the last ones stay decoded."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.retrieval.galleries.sources import LeftOut
from mgtl_tf.retrieval.tiling.tile_files import Tile
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


class TilePixels:
    """The tiles of one zoom level.

    Args:
        files: of the tiles, at least one.

    Attributes:
        side: T, pixels a side: that of most of some tiles from all over.

    Raises:
        UserError: where no tile is a whole square image.
    """

    def __init__(self, files: Mapping[Tile, Path]):
        self._files = files
        self._decoded: OrderedDict[Tile, Pixels] = OrderedDict()
        self.side = self._most_sides()

    def _most_sides(self) -> int:
        tiles = sorted(self._files)
        sides: Counter[int] = Counter()
        reason = "they are placeholders"
        # From all over the map; and on, until one is found.
        step = -(-len(tiles) // _SAMPLED_TILES)
        for number, tile in enumerate(tiles[::step] + tiles):
            if number >= _SAMPLED_TILES and sides:
                break
            try:
                side = len(_decode(self._files[tile])[1])
                if side > _PLACEHOLDER:
                    sides[side] += 1
            except LeftOut as error:
                reason = str(error)
        if not sides:
            folder = self._files[tiles[0]].parent.parent
            raise UserError(
                f"{folder}: none of {len(tiles)} tiles of zoom"
                f" {folder.name} is a whole square image: {reason}"
            )
        return sides.most_common(1)[0][0]

    def read(self, tile: Tile, step: int = 1) -> Pixels:
        """A tile, empty where there is no file or a placeholder.

        Args:
            tile: x and y.
            step: means of `step` x `step` pixels are taken; it divides T.

        Raises:
            LeftOut: where it is damaged or of another size.
        """
        pixels, mask = self._whole(tile)
        if step == 1:
            return pixels, mask
        size = self.side // step, self.side // step
        means = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        there = cv2.resize(mask, size, interpolation=cv2.INTER_AREA) > 127
        return means, np.where(there, 255, 0).astype(np.uint8)

    def forget(self) -> None:
        """Gives the memory of what is decoded back."""
        self._decoded.clear()

    def _whole(self, tile: Tile) -> Pixels:
        if tile in self._decoded:
            self._decoded.move_to_end(tile)
            return self._decoded[tile]
        empty = np.zeros((self.side, self.side, 3), np.uint8)
        if tile not in self._files:
            return empty, empty[..., 0]
        found = _decode(self._files[tile])
        if len(found[1]) <= _PLACEHOLDER:
            found = empty, empty[..., 0]
        if len(found[1]) != self.side:
            raise LeftOut(
                f"{self._files[tile]} is {len(found[1])} pixels a side, not"
                f" {self.side}"
            )
        self._decoded[tile] = found
        if len(self._decoded) > _CACHED_TILES:
            self._decoded.popitem(last=False)
        return found


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
