"""The panoramas that files, folders and lists name."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.datasets.csv_table import (
    DEGREES,
    degrees_of,
    headless_rows,
    read_rows,
)
from mgtl_tf.galleries.places import is_pair_list, place_id
from mgtl_tf.utils.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
"""Files of a folder that count as panoramas, in any case."""


@dataclass(frozen=True)
class QueryFile:
    """A panorama and the place where it was taken.

    Attributes:
        image: its file.
        place: the place's id, by the name of a file.
        id: the place's id in its list, where that has one.
        coordinates: degrees, where the list has them.
    """

    image: Path
    place: str
    id: str = ""
    coordinates: tuple[float, float] | None = None


def query_files(paths: Sequence[Path | str]) -> list[Path]:
    """Files as they are given, the images of a folder by name.

    Raises:
        UserError: where nothing is given, or a folder holds no image.
    """
    if not paths:
        raise UserError("no image given; name one panorama or more")
    files: list[Path] = []
    for path in map(Path, paths):
        files += _images_in(path) if path.is_dir() else [path]
    return files


def known_queries(path: Path | str) -> list[QueryFile]:
    """The panoramas of a folder or a list, each with its place's id.

    Args:
        path: a folder of panoramas named by the place's id; or a CSV list of
            pairs as CVUSA's (aerial image, panorama, ...; no header), where
            the place's id is the stem of the aerial image; or of own pairs,
            with a header that names the columns aerial and ground and
            perhaps id, latitude and longitude. Rows count from 1 below it.

    Raises:
        UserError: for a path that is neither, or a row without a panorama.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv" and path.is_file():
        return list(_own(path) if is_pair_list(path) else _listed(path))
    if path.is_dir():
        return [QueryFile(file, place_id(file)) for file in _images_in(path)]
    raise UserError(f"{path}: no folder and no .csv file")


def _images_in(folder: Path) -> list[Path]:
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{folder}: holds no {', '.join(SUFFIXES)} file")
    return files


def _own(path: Path) -> Iterator[QueryFile]:
    """The panoramas of own pairs."""
    for row in read_rows(path, ("ground", "aerial")):
        values = dict.fromkeys(("id", *DEGREES), "") | row.values
        try:
            degrees = degrees_of(values)
        except ValueError as error:
            raise UserError(f"{path}: row {row.number}: {error}") from None
        image = _found(path, row.number, values["ground"])
        place = place_id(values["aerial"])
        yield QueryFile(image, place, values["id"], degrees)


def _listed(path: Path) -> Iterator[QueryFile]:
    """The panoramas of a list without a header."""
    for number, row in headless_rows(path):
        image = _found(path, number, row[1] if len(row) > 1 else "")
        yield QueryFile(image, place_id(row[0]))


def _found(path: Path, number: int, name: str) -> Path:
    # CVUSA's lists lie in splits/ and name files from the folder above.
    for folder in (path.parent, path.parent.parent):
        # os.path's: a name that no file can have is none, not an error.
        if name and os.path.isfile(folder / name):
            return folder / name
    raise UserError(
        f"{path}: row {number} names the panorama {name[:80]!r}, no"
        " file beside the list or in the folder above"
    )
