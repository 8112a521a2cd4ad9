"""The places of a gallery: id, aerial image, and where it is if known."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mgtl_tf.datasets.aerial_images import distinct_files
from mgtl_tf.datasets.csv_table import (
    DEGREES,
    degrees_of,
    header_of,
    headless_rows,
    read_rows,
)
from mgtl_tf.utils.errors import UserError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
"""Files of a folder that count as images, in any case."""

# CVACT's file names: the same place has one id in both views.
_VIEW_SUFFIXES = ("_satView_polish", "_grdView")


@dataclass(frozen=True)
class Place:
    """One aerial image of a gallery.

    Attributes:
        id: names it.
        image: its file.
        coordinates: latitude and longitude in degrees, or None.
        other_ids: that name it too: of pairs that share the image.
    """

    id: str
    image: Path
    coordinates: tuple[float, float] | None = None
    other_ids: tuple[str, ...] = ()


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

    Each distinct image once: what names the same file, or a file of the same
    bytes, is a further id of the first place that did.

    Args:
        images: files, folders (not what lies in folders inside), or CSV
            lists: of own pairs, with a header that names the column aerial
            and perhaps id, latitude and longitude; or without a header, the
            first column naming files.
        locations: CSV with a header that names at least the columns id,
            latitude, longitude; rows of other ids are passed over.

    Raises:
        UserError: for a path that is missing, a folder without images, two
            files of one id, or a list or locations file with wrong rows.
    """
    found = [p for path in images for p in _places(Path(path))]
    if not found:
        raise UserError("no image is named; give folders or files")
    known = {} if locations is None else read_locations(locations)
    places: dict[str, Place] = {}
    for place in found:
        if place.id in places:
            raise UserError(
                f"{places[place.id].image} and {place.image} both"
                f" have the id {place.id!r}; rename one"
            )
        where = known.get(place.id, place.coordinates)
        places[place.id] = replace(place, coordinates=where)
    if known and not known.keys() & places.keys():
        raise UserError(
            f"{locations}: none of its ids is the stem of an"
            f" image file, such as {next(iter(places))!r}"
        )
    return distinct_places(list(places.values()))


def distinct_places(places: Sequence[Place]) -> list[Place]:
    """Each image once, with the ids of all places that show it.

    The first place gives the id; the first that has a position, the
    position.
    """
    joined: dict[int, Place] = {}
    numbers = distinct_files([place.image for place in places]).tolist()
    for number, place in zip(numbers, places, strict=True):
        first = joined.setdefault(number, place)
        if first is not place:
            joined[number] = replace(
                first,
                coordinates=first.coordinates or place.coordinates,
                other_ids=(*first.other_ids, place.id),
            )
    return list(joined.values())


def _places(path: Path) -> Iterable[Place]:
    if path.suffix.lower() == ".csv" and path.is_file():
        if is_pair_list(path):
            return _own_places(path)
        return [Place(place_id(f), f) for f in _listed_files(path)]
    return [Place(place_id(f), f) for f in _image_files(path)]


def is_pair_list(path: Path) -> bool:
    """Whether a CSV file has a header that names the column aerial."""
    names = header_of(path)
    if len(names) == 1:  # read_rows names the wrong separator
        names = names[0].replace(";", "\t").split("\t")
    return "aerial" in names


def _own_places(path: Path) -> list[Place]:
    """The aerial images of own pairs, with their ids and positions."""
    where, places = str(path), []
    for row in read_rows(path, ("aerial",), where):
        name = row.values["aerial"]
        image = path.parent / name
        # os.path's: a name that no file can have is none, not an error.
        if not name or not os.path.isfile(image):
            raise UserError(
                f"{where}: row {row.number} names the aerial image"
                f" {name[:80]!r}, no file beside the list"
            )
        values = dict.fromkeys(DEGREES, "") | row.values
        try:
            degrees = degrees_of(values)
        except ValueError as error:
            raise UserError(f"{where}: row {row.number}: {error}") from None
        own = row.values.get("id") or place_id(image)
        places.append(Place(own, image, degrees))
    return places


def _image_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder")
    files = sorted(
        f for f in path.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES
    )
    if not files:
        raise UserError(f"{path}: holds no {', '.join(IMAGE_SUFFIXES)} file")
    return files


def _listed_files(path: Path) -> list[Path]:
    """The first column of a list such as CVUSA's splits/val-19zl.csv."""
    # CVUSA's lists lie in splits/ and name files from the folder above.
    folders = (path.parent, path.parent.parent)
    files = []
    for number, row in headless_rows(path, str(path)):
        name = row[0] if row else ""
        # os.path's: a name that no file can have is none, not an error.
        found = [f / name for f in folders if os.path.isfile(f / name)]
        if not found:
            raise UserError(
                f"{path}: row {number} names {name[:80]!r}, no file"
                " beside the list or in the folder above"
            )
        files.append(found[0])
    return files


def read_locations(path: Path | str) -> dict[str, tuple[float, float]]:
    """Coordinates by place id, from a CSV file.

    Rows without a position are passed over. A list of own pairs is taken
    too: its places have the names of their aerial images besides their ids.

    Raises:
        UserError: naming file, line and value.
    """
    where = str(path)
    known: dict[str, tuple[float, float]] = {}
    files: dict[str, tuple[float, float]] = {}
    for row in read_rows(Path(path), ("id", *DEGREES), where):
        line = f"{where}: line {row.line}"
        try:
            coordinates = degrees_of(row.values)
        except ValueError as error:
            raise UserError(f"{line}: {error}") from None
        if coordinates is None:
            continue
        name = place_id(row.values["id"])
        if known.setdefault(name, coordinates) != coordinates:
            raise UserError(f"{line}: id {name!r} appears twice")
        if aerial := row.values.get("aerial"):
            files.setdefault(place_id(aerial), coordinates)
    return files | known
