"""The panoramas that files, folders and lists name."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.errors import UserError
from mgtl_tf.retrieval.places import place_id

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
"""Files of a folder that count as panoramas, in any case."""


@dataclass(frozen=True)
class QueryFile:
    """A panorama and the id of the place where it was taken."""

    image: Path
    place: str


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


def known_queries(path: Path | str) -> list[QueryFile]:
    """The panoramas of a folder or a list, each with its place's id.

    Args:
        path: a folder of panoramas named by the place's id; or a CSV list of
            pairs as CVUSA's (aerial image, panorama, ...; no header) or with
            a header that names the columns aerial and ground. The place's id
            is then the stem of the aerial image.

    Raises:
        UserError: for a path that is neither, or a row without a panorama.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv" and path.is_file():
        return list(_listed(path))
    if path.is_dir():
        return [QueryFile(file, place_id(file)) for file in _images_in(path)]
    raise UserError(f"--queries={path}: no folder and no .csv file")


def _images_in(folder: Path) -> list[Path]:
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{folder}: holds no {', '.join(SUFFIXES)} file")
    return files


def _listed(path: Path) -> Iterator[QueryFile]:
    # A wrong byte becomes a name that no file has, and is told so.
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    rows = list(csv.reader(text.splitlines()))
    aerial, ground = 0, 1
    first = 1
    if rows and {"aerial", "ground"} <= set(rows[0]):
        aerial, ground = rows[0].index("aerial"), rows[0].index("ground")
        first = 2
    # CVUSA's lists lie in splits/ and name files from the folder above.
    folders = (path.parent, path.parent.parent)
    for number, row in enumerate(rows[first - 1 :], start=first):
        name = row[ground] if len(row) > max(aerial, ground) else ""
        found = [f / name for f in folders if name and (f / name).is_file()]
        if not found:
            raise UserError(
                f"--queries={path}: row {number} names the panorama"
                f" {name[:80]!r}, no file beside the list or in the folder"
                " above"
            )
        yield QueryFile(found[0], place_id(row[aerial]))
