"""A sheet of pairs: each panorama over the polar view of its aerial image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.datasets.preprocess import read_image
from mgtl_tf.synthetic import files
from mgtl_tf.synthetic.pairs import as_jpeg
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.utils.errors import UserError
from polar.transform import polar_transform

SHEET = "contact_sheet.jpg"
PLACES = 12
TILE_HEIGHT = 128
GAP = 8


def write_contact_sheet(root: Path, settings: WorldSettings) -> Path:
    """Writes the sheet of places spread over both splits; its path.

    Streets stand in the same columns of both views where the geometry of
    the two renderers agrees.
    """
    total = settings.train_pairs + settings.val_pairs
    count = min(PLACES, total)
    numbers = np.linspace(1, total, count).round().astype(int)
    tiles = [_tile(root, int(number)) for number in numbers]
    if len(tiles) % 2:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [
        np.concatenate(tiles[first : first + 2], axis=1)
        for first in range(0, len(tiles), 2)
    ]
    path = root / SHEET
    files.write_beside(path, as_jpeg(np.concatenate(rows), 92))
    return path


def _tile(root: Path, number: int) -> np.ndarray:
    """One place: panorama over polar view, the aerial image at the right."""
    aerial_path, ground_path = files.picture_paths(root, number)
    aerial, ground = _read(aerial_path), _read(ground_path)
    width = round(TILE_HEIGHT * ground.shape[1] / ground.shape[0])
    size = (width, TILE_HEIGHT)
    upper = cv2.resize(ground, size, interpolation=cv2.INTER_CUBIC)
    lower = polar_transform(aerial, TILE_HEIGHT, width)
    square = (2 * TILE_HEIGHT,) * 2
    right = cv2.resize(aerial, square, interpolation=cv2.INTER_AREA)
    tile = np.concatenate([np.concatenate([upper, lower]), right], axis=1)
    return cv2.copyMakeBorder(
        tile, 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255)
    )


def _read(path: Path) -> np.ndarray:
    """An image of the world's own, uint8 [H, W, 3] RGB."""
    try:
        return read_image(path)
    except UserError as error:
        raise UserError(f"{error}; delete it and run this again") from error
