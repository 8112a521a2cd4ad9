"""The places of a gallery: id, aerial image, and where it is if known."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""Files of a folder that count as images, in any case."""

# CVACT's file names: the same place has one id in both views.
_VIEW_SUFFIXES = ("_satView_polish", "_grdView")
_LOCATION_COLUMNS = ("id", "latitude", "longitude")


@dataclass(frozen=True)
class Place:
    """One aerial image of a gallery.

    `coordinates` is (latitude, longitude) in degrees, or None.
    """

    id: str
    image: Path
    coordinates: tuple[float, float] | None = None


def place_id(image: Path | str) -> str:
    """A file's stem, without the view's name that CVACT appends."""
    stem = Path(image).stem
    for suffix in _VIEW_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return stem


def find_places(
    images: Sequence[Path | str], locations: Path | str | None = None
) -> list[Place]:
    """The places of image files and folders of them, folders by name.

    Args:
        images: files, folders (not what lies in folders inside), or CSV
            lists whose first column names files.
        locations: CSV with a header that names at least the columns id,
            latitude, longitude; rows of other ids are passed over.

    Raises:
        UserError: for a path that is missing, a folder without images, two
            files of one id, or a locations file with wrong rows.
    """
    files = [f for path in images for f in _image_files(Path(path))]
    if not files:
        raise UserError("--images: names no image; give folders or files")
    known = {} if locations is None else read_locations(locations)
    places: dict[str, Place] = {}
    for file in files:
        name = place_id(file)
        if name in places:
            raise UserError(
                f"--images: {places[name].image} and {file} both have the id"
                f" {name!r}; rename one"
            )
        places[name] = Place(name, file, known.get(name))
    if known and not known.keys() & places.keys():
        raise UserError(
            f"--locations={locations}: none of its ids is the stem of an"
            f" image file, such as {next(iter(places))!r}"
        )
    return list(places.values())


def _image_files(path: Path) -> Iterable[Path]:
    if path.suffix.lower() == ".csv" and path.is_file():
        return _listed_files(path)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"--images={path}: no such file or folder")
    files = sorted(
        f for f in path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES
    )
    if not files:
        raise UserError(
            f"--images={path}: holds no {', '.join(IMAGE_SUFFIXES)} file"
        )
    return files


def _listed_files(path: Path) -> list[Path]:
    """The first column of a list such as CVUSA's splits/val-19zl.csv."""
    # A wrong byte becomes a name that no file has, and is told so.
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    # CVUSA's lists lie in splits/ and name files from the folder above.
    folders = (path.parent, path.parent.parent)
    files = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            row = next(csv.reader([line]), [])
            name = row[0] if row else ""
            found = [f / name for f in folders if (f / name).is_file()]
        except (csv.Error, OSError):  # far too long for a name
            found = []
        if not found:
            raise UserError(
                f"--images={path}: row {number} names {line[:80]!r}, no file"
                " beside the list or in the folder above"
            )
        files.append(found[0])
    return files


def read_locations(path: Path | str) -> dict[str, tuple[float, float]]:
    """Coordinates by place id, from a CSV file.

    Raises:
        UserError: naming file, row and value.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            missing = [c for c in _LOCATION_COLUMNS if c not in header]
            if missing:
                raise UserError(
                    f"--locations={path}: the header lacks {missing[0]!r};"
                    f" it must name {', '.join(_LOCATION_COLUMNS)}"
                )
            known: dict[str, tuple[float, float]] = {}
            for row in reader:
                where = f"--locations={path}: line {reader.line_num}"
                name = place_id(row["id"] or "")
                coordinates = _coordinates(row, where)
                if known.setdefault(name, coordinates) != coordinates:
                    raise UserError(f"{where}: id {name!r} appears twice")
    except FileNotFoundError as error:
        raise UserError(f"--locations={path}: no such file") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"--locations={path}: no CSV text ({error})") from error
    return known


def _coordinates(row: dict[str, str], where: str) -> tuple[float, float]:
    """(latitude, longitude) of one row, checked."""
    values = []
    for column, limit in (("latitude", 90.0), ("longitude", 180.0)):
        try:
            value = float(row[column])
        except (TypeError, ValueError):
            value = math.nan
        if not abs(value) <= limit:
            raise UserError(
                f"{where}: {column}={row[column]!r} is no number of degrees"
                f" from {-limit:g} to {limit:g}"
            )
        values.append(value)
    return values[0], values[1]
