"""The panoramas that files and folders name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgtl_tf.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
"""Files of a folder that count as panoramas, in any case."""


def query_files(paths: Sequence[Path | str]) -> list[Path]:
    """Files as they are given, the images of a folder by name.

    Whether a file can be read is not looked at.

    Raises:
        UserError: where nothing is given, or a folder holds no image.
    """
    if not paths:
        raise UserError("IMAGE: none given; name one panorama or more")
    files: list[Path] = []
    for path in map(Path, paths):
        files += _images_in(path) if path.is_dir() else [path]
    return files


def _images_in(folder: Path) -> list[Path]:
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{folder}: holds no {', '.join(SUFFIXES)} file")
    return files
