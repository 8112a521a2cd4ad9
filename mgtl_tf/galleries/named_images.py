"""The image files that a user names: files, folders, CSV lists of pairs."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.datasets.csv_table import (
    SIDE,
    degrees_of,
    header_of,
    headless_rows,
    metres_of,
    read_rows,
)
from mgtl_tf.utils.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
"""Files of a folder that count as images, in any case."""

# A list's columns, in the order of one without a header.
_VIEWS = {"aerial": "aerial image", "ground": "panorama"}
# CVACT's file names: the same place has one id in both views.
_VIEW_SUFFIXES = ("_satView_polish", "_grdView")


@dataclass(frozen=True)
class NamedImage:
    """An image, and what its list says of its place.

    Attributes:
        image: its file.
        place: the place's id by the name of a file: of the aerial image in a
            list of pairs, else its own.
        id: the place's id in its list, where that has one.
        coordinates: degrees, where the list has them.
        side_metres: ground that a side of an aerial image covers, likewise.
    """

    image: Path
    place: str
    id: str = ""
    coordinates: tuple[float, float] | None = None
    side_metres: float | None = None


def place_id(image: Path | str) -> str:
    """A file's stem, without the view's name that CVACT appends."""
    return _without_view(Path(image).stem)


def written_id(text: str) -> str:
    """The place's id of a text that may be an id or an image file's name.

    Only a suffix of images is cut: ids may have points ("map_1.5").
    """
    if text.lower().endswith(SUFFIXES):
        return place_id(text)
    return _without_view(text)


def _without_view(name: str) -> str:
    for suffix in _VIEW_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def image_files(paths: Sequence[Path | str]) -> list[Path]:
    """Files as they are given, the images of a folder by name.

    Raises:
        UserError: where nothing is given, or a folder holds no image.
    """
    if not paths:
        raise UserError("no image given; name one or more, or a folder")
    files: list[Path] = []
    for path in map(Path, paths):
        files += _images_in(path) if path.is_dir() else [path]
    return files


def named_images(path: Path | str, view: str) -> list[NamedImage]:
    """The images of a file, a folder (not of folders inside) or a list.

    Args:
        path: an image; a folder of images named by their place's id; or a CSV
            list of pairs: as CVUSA's (aerial image, panorama, ...; no
            header), or with a header that names the columns aerial, ground
            where panoramas are asked for, and perhaps id, latitude,
            longitude and side_metres. Its rows count from 1.
        view: of a list's pairs, "aerial" or "ground".

    Raises:
        UserError: for a path that is none of these, or a wrong row.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv" and path.is_file():
        return list(_listed(path, view))
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return [NamedImage(f, place_id(f)) for f in image_files([path])]


def _images_in(folder: Path) -> list[Path]:
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    if not files:
        raise UserError(f"{folder}: holds no {', '.join(SUFFIXES)} file")
    return files


def _listed(path: Path, view: str) -> Iterator[NamedImage]:
    for number, values in _rows(path, view):
        alone = values["id"] and values["aerial"] and not values["ground"]
        if view == "ground" and alone:
            continue  # of own pairs, an aerial image of no panorama
        row = f"{path}: row {number}"
        image = _beside(path, values[view])
        if image is None:
            raise UserError(
                f"{row} names the {_VIEWS[view]} {values[view][:80]!r}, no file"
                " beside the list or in the folder above"
            )
        try:
            degrees = degrees_of(values)
            side = metres_of(values, SIDE)
        except ValueError as error:
            raise UserError(f"{row}: {error}") from None
        place = place_id(values["aerial"])
        yield NamedImage(image, place, values["id"], degrees, side)


def _rows(path: Path, view: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Numbers and values; what a row lacks is empty."""
    names = header_of(path)
    if len(names) == 1:  # read_rows names the wrong separator
        names = names[0].replace(";", "\t").split("\t")
    if "aerial" in names:
        for number, values in read_rows(path, sorted({"aerial", view})):
            yield number, defaultdict(str, values)
    else:
        for number, cells in headless_rows(path):
            yield number, defaultdict(str, zip(_VIEWS, cells, strict=False))


def _beside(path: Path, name: str) -> Path | None:
    # CVUSA's lists lie in splits/ and name files from the folder above.
    for folder in (path.parent, path.parent.parent):
        # os.path's: a name that no file can have is none, not an error.
        if name and os.path.isfile(folder / name):
            return folder / name
    return None
