"""A gallery's places in columns, mapped from files: a million load at once.

Text lies in one file, each value ended by a newline so that people can read
it; where values end lies in a second one, and only that decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, overload

import numpy as np

from mgtl_tf.retrieval.galleries.places import Place
from mgtl_tf.utils.array_files import map_array
from mgtl_tf.utils.plain_files import UnfitFileError

COORDINATES = "coordinates.npy"
"""float64 [N, 2]: latitude and longitude in degrees, NaN where unknown."""

_ROWS = 65_536


def text_files(name: str) -> tuple[str, str]:
    """The two files of a text column: its values, and where each ends."""
    return f"{name}.txt", f"{name}.ends.npy"


COLUMN_FILES = (COORDINATES, *text_files("ids"), *text_files("images"))
"""All files of a gallery's places."""


class TextColumn(Sequence[str]):
    """N texts, read from the files when they are asked for.

    Args:
        blob: uint8 [bytes], all values, each followed by a newline.
        ends: int64 [N], where in the blob each newline stands.
    """

    def __init__(self, blob: np.ndarray, ends: np.ndarray):
        self._blob = blob
        self._ends = ends

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, row: int) -> str: ...

    @overload
    def __getitem__(self, row: slice) -> list[str]: ...

    def __getitem__(self, row: int | slice) -> str | list[str]:
        if isinstance(row, slice):
            return [self[n] for n in range(*row.indices(len(self)))]
        row = range(len(self))[row]
        start = int(self._ends[row - 1]) + 1 if row else 0
        return os.fsdecode(self._blob[start : self._ends[row]].tobytes())

    def __iter__(self) -> Iterator[str]:
        # Many at a time: one by one, each costs a reading of both arrays.
        start = 0
        for first in range(0, len(self), _ROWS):
            ends = np.asarray(self._ends[first : first + _ROWS])
            text = self._blob[start : ends[-1] + 1].tobytes()
            here = 0
            for end in (ends - start).tolist():
                yield os.fsdecode(text[here:end])
                here = end + 1
            start = int(ends[-1]) + 1


class PlaceColumns(Sequence[Place]):
    """A gallery's places, made one by one when they are asked for.

    Args:
        ids: of the N places.
        images: paths relative to the folder, or absolute ones.
        coordinates: degrees, float64 [N, 2], NaN where unknown.
        folder: of the gallery.
    """

    def __init__(
        self,
        ids: TextColumn,
        images: TextColumn,
        coordinates: np.ndarray,
        folder: Path,
    ):
        self.ids = ids
        self.images = images
        self.coordinates = coordinates
        self.folder = folder

    def __len__(self) -> int:
        return len(self.ids)

    @overload
    def __getitem__(self, row: int) -> Place: ...

    @overload
    def __getitem__(self, row: slice) -> list[Place]: ...

    def __getitem__(self, row: int | slice) -> Place | list[Place]:
        if isinstance(row, slice):
            return [self[n] for n in range(*row.indices(len(self)))]
        where = self.coordinates[row].tolist()
        return self._place(self.ids[row], self.images[row], where)

    def __iter__(self) -> Iterator[Place]:
        where = (
            pair
            for first in range(0, len(self), _ROWS)
            for pair in self.coordinates[first : first + _ROWS].tolist()
        )
        for place in zip(self.ids, self.images, where, strict=True):
            yield self._place(*place)

    def _place(self, name: str, image: str, where: list[float]) -> Place:
        latitude, longitude = where
        known = latitude == latitude  # NaN is not itself
        path = os.path.normpath(os.path.join(self.folder, image))
        return Place(name, Path(path), (latitude, longitude) if known else None)


def open_columns(folder: Path) -> PlaceColumns:
    """The places of a gallery folder, mapped.

    Raises:
        UnfitFileError: where a file is not what it should be, or they do
            not fit each other.
        OSError: where one is missing.
    """
    ids, images = open_text(folder, "ids"), open_text(folder, "images")
    # Plain views: taking one row of a memmap costs far more.
    coordinates = map_array(folder / COORDINATES, "<f8", (None, 2))
    coordinates = coordinates.view(np.ndarray)
    if len(coordinates) != len(ids) or len(images) != len(ids):
        raise UnfitFileError(
            f"{len(ids)} ids, {len(images)} images and coordinates"
            f" {coordinates.shape} do not fit"
        )
    known = ~np.isnan(coordinates).all(axis=1)
    outside = ~(np.abs(coordinates) <= (90.0, 180.0)).all(axis=1) & known
    if outside.any():
        row = int(np.argmax(outside))
        raise UnfitFileError(
            f"{COORDINATES}: row {row} is no latitude and longitude,"
            f" {coordinates[row].tolist()}"
        )
    return PlaceColumns(ids, images, coordinates, folder)


def open_text(folder: Path, name: str) -> TextColumn:
    """A text column, mapped.

    Raises:
        UnfitFileError, OSError: as `open_columns`.
    """
    text, ends = (folder / file for file in text_files(name))
    size = text.stat().st_size
    # An empty file cannot be mapped.
    blob = np.memmap(text, np.uint8, "r") if size else np.empty(0, np.uint8)
    column = map_array(ends, "<i8", (None,)).view(np.ndarray)
    if not _ends_fit(column, blob):
        raise UnfitFileError(f"{text.name} and {ends.name} do not fit")
    return TextColumn(blob.view(np.ndarray), column)


def _ends_fit(ends: np.ndarray, blob: np.ndarray) -> bool:
    """Whether the values follow each other, each ended by a newline."""
    if not len(ends):
        return not len(blob)
    inside = ends[0] >= 0 and ends[-1] == len(blob) - 1
    return bool(inside and (ends[1:] > ends[:-1]).all()) and bool(
        (blob[ends] == ord("\n")).all()
    )


def write_columns(
    folder: Path, rows: Iterable[tuple[str, str, tuple[float, float] | None]]
) -> int:
    """Writes the files of COLUMN_FILES.

    Args:
        folder: where they go.
        rows: id, image's name and coordinates of each place, read once.

    Returns:
        N, how many there were.
    """
    coordinates: list[tuple[float, float]] = []
    ends: dict[str, list[int]] = {"ids": [], "images": []}
    unknown = (float("nan"), float("nan"))
    with (
        (folder / text_files("ids")[0]).open("wb") as ids,
        (folder / text_files("images")[0]).open("wb") as images,
    ):
        for name, image, where in rows:
            _write_text(ids, name, ends["ids"])
            _write_text(images, image, ends["images"])
            coordinates.append(where or unknown)
    for column, values in ends.items():
        np.save(folder / text_files(column)[1], np.array(values, np.int64))
    table = np.array(coordinates, np.float64).reshape(-1, 2)
    np.save(folder / COORDINATES, table)
    return len(coordinates)


def write_text(folder: Path, name: str, values: Iterable[str]) -> None:
    """Writes the two files of a text column.

    Raises:
        OSError: where the disk does not take them.
    """
    text, ends = (folder / file for file in text_files(name))
    places: list[int] = []
    with text.open("wb") as file:
        for value in values:
            _write_text(file, value, places)
    np.save(ends, np.array(places, np.int64))


def _write_text(file: BinaryIO, value: str, ends: list[int]) -> None:
    # As the system spells file names, which need not be UTF-8.
    content = os.fsencode(value)
    file.write(content + b"\n")
    ends.append((ends[-1] + 1 if ends else 0) + len(content))
