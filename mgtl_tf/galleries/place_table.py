"""A gallery's places as NumPy columns, mapped: a million open at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np

from mgtl_tf.galleries.places import Place
from mgtl_tf.utils.array_files import map_array
from mgtl_tf.utils.atomic_io import sync
from mgtl_tf.utils.plain_files import UnfitFileError

IDS = "ids.npy"
"""Bytes [N], as the system encodes file names."""

IMAGES = "images.npy"
"""Bytes [N]: paths, absolute or relative to the gallery's folder."""

COORDINATES = "coordinates.npy"
"""float64 [N, 2]: latitude and longitude in degrees, NaN where unknown."""

PLACE_FILES = (IDS, IMAGES, COORDINATES)

OTHER_IDS = "other_ids.npy"
"""Bytes [M]: further ids of places, where they have any."""

OTHER_ID_ROWS = "other_id_rows.npy"
"""int64 [M]: the row of each further id."""

SIDES = "side_metres.npy"
"""float64 [N]: ground that a side of each image covers, where any is known;
NaN where it is not."""

FURTHER_FILES = (OTHER_IDS, OTHER_ID_ROWS, SIDES)
"""Those that not every gallery has."""

_ROWS = 65_536


class PlaceTable(Sequence[Place]):
    """A gallery's places, made one by one when they are asked for.

    Args:
        folder: of the gallery.
        ids: of the N places, bytes [N].
        images: paths, bytes [N].
        coordinates: degrees, float64 [N, 2], NaN where unknown.
        sides: metres, float64 [N], NaN where unknown; None: all are.
    """

    def __init__(
        self,
        folder: Path,
        ids: np.ndarray,
        images: np.ndarray,
        coordinates: np.ndarray,
        sides: np.ndarray | None = None,
    ):
        self._folder = os.fsencode(folder)
        self.coordinates = coordinates
        self.sides = np.full(len(ids), np.nan) if sides is None else sides
        self._columns = ids, images, coordinates, self.sides

    def __len__(self) -> int:
        return len(self.coordinates)

    @cached_property
    def ids(self) -> list[str]:
        """The N ids."""
        return [os.fsdecode(name) for name in self._columns[0].tolist()]

    @overload
    def __getitem__(self, row: int) -> Place: ...

    @overload
    def __getitem__(self, row: slice) -> list[Place]: ...

    def __getitem__(self, row: int | slice) -> Place | list[Place]:
        if isinstance(row, slice):
            return list(self._places(row))
        row = range(len(self))[row]
        return next(self._places(slice(row, row + 1)))

    def __iter__(self) -> Iterator[Place]:
        for first in range(0, len(self), _ROWS):
            yield from self._places(slice(first, first + _ROWS))

    def _places(self, rows: slice) -> Iterator[Place]:
        columns = (column[rows].tolist() for column in self._columns)
        for name, image, where, side in zip(*columns, strict=True):
            path = os.path.normpath(os.path.join(self._folder, image))
            known = where[0] == where[0]  # NaN is not itself
            yield Place(
                os.fsdecode(name),
                Path(os.fsdecode(path)),
                tuple(where) if known else None,
                side_metres=side if side == side else None,
            )


def open_places(folder: Path, with_sides: bool = False) -> PlaceTable:
    """The places of a gallery folder, mapped.

    Args:
        folder: of the gallery.
        with_sides: whether it has SIDES.

    Raises:
        UnfitFileError: where a file is missing or not what it should be, or
            they do not fit each other.
    """
    # Plain views: taking one row of a memmap costs far more.
    ids = map_array(folder / IDS, "S", (None,)).view(np.ndarray)
    images = map_array(folder / IMAGES, "S", (None,)).view(np.ndarray)
    coordinates = map_array(folder / COORDINATES, "<f8", (None, 2))
    coordinates = coordinates.view(np.ndarray)
    if not len(ids) == len(images) == len(coordinates):
        raise UnfitFileError(
            f"{len(ids)} ids, {len(images)} images and {len(coordinates)}"
            " coordinates do not fit"
        )
    known = ~np.isnan(coordinates).all(axis=1)
    outside = ~(np.abs(coordinates) <= (90.0, 180.0)).all(axis=1) & known
    if outside.any():
        row = int(np.argmax(outside))
        raise UnfitFileError(
            f"{COORDINATES}: row {row} is no latitude and longitude,"
            f" {coordinates[row].tolist()}"
        )
    sides = None
    if with_sides:
        sides = map_array(folder / SIDES, "<f8", (len(ids),)).view(np.ndarray)
    return PlaceTable(folder, ids, images, coordinates, sides)


def read_other_ids(folder: Path, count: int) -> dict[str, int]:
    """The row of each further id of a gallery of `count` places.

    Raises:
        UnfitFileError: as `open_places`.
    """
    names = map_array(folder / OTHER_IDS, "S", (None,))
    rows = map_array(folder / OTHER_ID_ROWS, "<i8", (len(names),))
    if len(rows) and not (0 <= rows.min() and rows.max() < count):
        raise UnfitFileError(f"{OTHER_ID_ROWS} names rows that are not there")
    decoded = map(os.fsdecode, names.tolist())
    return dict(zip(decoded, rows.tolist(), strict=True))


def write_places(
    folder: Path, places: Iterable[Place], final: Path
) -> tuple[int, tuple[str, ...]]:
    """Writes the columns of a gallery's places.

    Args:
        folder: where they go.
        places: read once.
        final: the folder's later name; images' paths are relative to it.

    Returns:
        how many places there were, and the names of the files.

    Raises:
        OSError: where the disk does not take them.
    """
    image_name = _ImageNames(final)
    ids, images, others, other_rows = [], [], [], []
    coordinates: list[tuple[float, float]] = []
    sides: list[float] = []
    for row, place in enumerate(places):
        ids.append(os.fsencode(place.id))
        images.append(os.fsencode(image_name(place.image)))
        coordinates.append(place.coordinates or (np.nan, np.nan))
        sides.append(place.side_metres or np.nan)
        others += [os.fsencode(name) for name in place.other_ids]
        other_rows += [row] * len(place.other_ids)
    columns = {
        IDS: np.array(ids, "S"),
        IMAGES: np.array(images, "S"),
        COORDINATES: np.array(coordinates, np.float64).reshape(-1, 2),
    }
    if others:
        columns[OTHER_IDS] = np.array(others, "S")
        columns[OTHER_ID_ROWS] = np.array(other_rows, np.int64)
    if not np.isnan(sides).all():
        columns[SIDES] = np.array(sides, np.float64)
    for name, values in columns.items():
        np.save(folder / name, values)
        sync(folder / name)
    return len(ids), tuple(columns)


class _ImageNames:
    """Names of images, relative where both may be moved together.

    Where image and gallery share no folder but the root, moving one does not
    move the other, and the path is absolute. Each folder is resolved once.
    """

    def __init__(self, final: Path):
        self._final = final.resolve()
        self._folders: dict[Path, str] = {}

    def __call__(self, image: Path) -> str:
        if image.parent not in self._folders:
            self._folders[image.parent] = self._folder(image.parent.resolve())
        return os.path.join(self._folders[image.parent], image.name)

    def _folder(self, folder: Path) -> str:
        above = {folder, *folder.parents}
        if self._final in above or len(above & {*self._final.parents}) > 1:
            return os.path.relpath(folder, self._final)
        return str(folder)
