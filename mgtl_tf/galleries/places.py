"""The places of a gallery: id, aerial image, and where it is if known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mgtl_tf.datasets.aerial_images import distinct_files
from mgtl_tf.datasets.csv_table import DEGREES, degrees_of, read_rows
from mgtl_tf.galleries.named_images import named_images, place_id, written_id
from mgtl_tf.utils.errors import UserError


@dataclass(frozen=True)
class Place:
    """One aerial image of a gallery.

    Attributes:
        id: names it.
        image: its file.
        coordinates: latitude and longitude in degrees, or None.
        other_ids: that name it too: of pairs that share the image.
        side_metres: ground that a side of the image covers, or None.
    """

    id: str
    image: Path
    coordinates: tuple[float, float] | None = None
    other_ids: tuple[str, ...] = ()
    side_metres: float | None = None


def find_places(
    images: Sequence[Path | str], locations: Path | str | None = None
) -> list[Place]:
    """The places of image files and folders of them, folders by name.

    Each distinct image once: what names the same file, or a file of the same
    bytes, is a further id of the first place that did.

    Args:
        images: files, folders or CSV lists, as of `named_images`.
        locations: CSV with a header that names at least the columns id,
            latitude, longitude; rows of other ids are passed over.

    Raises:
        UserError: for a path that is missing, a folder without images, two
            files of one id, or a list or locations file with wrong rows.
    """
    found = [
        Place(
            named.id or named.place,
            named.image,
            named.coordinates,
            side_metres=named.side_metres,
        )
        for path in images
        for named in named_images(path, "aerial")
    ]
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


def read_locations(path: Path | str) -> dict[str, tuple[float, float]]:
    """Coordinates by place id, from a CSV file.

    Rows without a position are passed over. An id counts as it is written
    and, where it is the name of an image file, without its suffix. A list of
    own pairs is taken too: its places have the names of their aerial images
    besides their ids.

    Raises:
        UserError: naming file, row and value.
    """
    known: dict[str, tuple[float, float]] = {}
    others: dict[str, tuple[float, float]] = {}
    for number, values in read_rows(Path(path), ("id", *DEGREES)):
        row = f"{path}: row {number}"
        try:
            coordinates = degrees_of(values)
        except ValueError as error:
            raise UserError(f"{row}: {error}") from None
        if coordinates is None:
            continue
        name = written_id(values["id"])
        if known.setdefault(name, coordinates) != coordinates:
            raise UserError(f"{row}: id {name!r} appears twice")
        if aerial := values.get("aerial"):
            others.setdefault(place_id(aerial), coordinates)
        others[values["id"]] = coordinates
    return others | known
