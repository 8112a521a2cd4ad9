"""Makes a synthetic world: maps, pictures, tables, contact sheet."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mgtl_tf.datasets.preprocess import read_image
from mgtl_tf.synthetic import files
from mgtl_tf.synthetic.drawing import draw_world
from mgtl_tf.synthetic.pairs import as_jpeg
from mgtl_tf.synthetic.settings import WorldSettings
from mgtl_tf.synthetic.vigor_files import draw_vigor_world, example_pictures
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.locks import LOCK, hold_lock
from polar.transform import polar_transform

SHEET = "contact_sheet.jpg"
PLACES = 12
TILE_HEIGHT = 128
GAP = 8


def make_world(
    settings: WorldSettings,
    output_dir: str | Path,
    processes: int = 1,
    progress: bool = True,
) -> Path:
    """Makes a world, or resumes one that was interrupted.

    Args:
        settings: of the world.
        output_dir: its folder, in CVUSA's or VIGOR's layout when finished.
        processes: how many work at once; the files do not depend on it.
        progress: whether to show a progress bar.

    Returns:
        the path of the contact sheet.

    Raises:
        UserError: for a folder that holds another world or something else,
            that another process is filling or the disk has no room for; or
            an impossible number of processes.
    """
    if processes < 1:
        raise UserError(f"processes is {processes}: give at least 1")
    root = Path(output_dir)
    files.open_folder(root, settings)
    with hold_lock(root / LOCK, root, "making this world"):
        draw = draw_vigor_world if settings.layout == "vigor" else draw_world
        draw(root, settings, processes, progress)
        return write_contact_sheet(root, settings)


def write_contact_sheet(root: Path, settings: WorldSettings) -> Path:
    """Writes the sheet of places spread over both splits; its path.

    Streets stand in the same columns of both views where the geometry of
    the two renderers agrees and the panorama stands in the centre.
    """
    if settings.layout == "vigor":
        pictures = example_pictures(root, PLACES)
    else:
        total = settings.train_pairs + settings.val_pairs
        count = min(PLACES, total)
        numbers = np.linspace(1, total, count).round().astype(int)
        pictures = [files.picture_paths(root, int(n)) for n in numbers]
    tiles = [_tile(*pair) for pair in pictures]
    if len(tiles) % 2:
        tiles.append(np.full_like(tiles[0], 255))
    rows = [
        np.concatenate(tiles[first : first + 2], axis=1)
        for first in range(0, len(tiles), 2)
    ]
    atomic_write(root / SHEET, as_jpeg(np.concatenate(rows), 92))
    return root / SHEET


def _tile(aerial_path: Path, ground_path: Path) -> np.ndarray:
    """One place: panorama over polar view, the aerial image at the right."""
    try:
        aerial, ground = read_image(aerial_path), read_image(ground_path)
    except UserError as error:
        raise UserError(f"{error}; delete it and run this again") from error
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
