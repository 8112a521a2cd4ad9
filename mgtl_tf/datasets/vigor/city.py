"""A city of VIGOR: its tiles, and the pairs of its lists."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mgtl_tf.datasets.problems import WARNING, Problem, collect_pairs
from mgtl_tf.datasets.records import AerialImage, Pair, Tiles
from mgtl_tf.datasets.vigor.checks import check_labels
from mgtl_tf.datasets.vigor.labels import (
    LABELS,
    METRES_PER_PIXEL,
    NOMINAL_METRES_PER_PIXEL,
    TILE_LIST,
    TILE_PIXELS,
    list_path,
    panorama_place,
    parse_label,
    tile_place,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred
from mgtl_tf.utils.plain_files import UnfitFileError, read_bytes

_SUFFIXES = (".png", ".jpg")
_LARGEST = 2**28


class Tree(NamedTuple):
    """Where the images of a city lie, `{city}` standing for its name."""

    name: str
    panoramas: str
    tiles: str


class City:
    """A city's tiles by name, in their order; its pairs by list.

    Args:
        root: of the data set.
        name: the city's.
        tree: where its images lie.
        labels: one of LABELS.
        problems: gets what is wrong, and as warnings what is unusual.

    Attributes:
        tiles: all of its list.

    Raises:
        UserError: for a list that cannot be read.
    """

    def __init__(
        self,
        root: Path,
        name: str,
        tree: Tree,
        labels: str,
        problems: list[Problem],
    ):
        self.root, self.name, self.labels = root, name, labels
        self.problems = problems
        self.panoramas = root / tree.panoramas.format(city=name)
        self.resolution = NOMINAL_METRES_PER_PIXEL
        if labels == "corrected":
            self.resolution = METRES_PER_PIXEL[name]
        self.tiles = self._tiles(root / tree.tiles.format(city=name))

    def pairs(self, split: str, name: str) -> tuple[Pair, ...]:
        """The pairs of one of the city's lists.

        Raises:
            UserError: where it cannot be read.
        """
        path = list_path(self.root, self.name, self.labels, name)
        found = collect_pairs(
            _rows(path, split, self.problems),
            functools.partial(self._pair, path),
            self.root,
            (path, split),
            self.problems,
        )
        check_labels(path, split, found, self.problems)
        return found

    def _tiles(self, folder: Path) -> dict[str, AerialImage]:
        path = self.root / LABELS[self.labels][0] / self.name / TILE_LIST
        if not path.is_file():
            path = self.root / "splits" / self.name / TILE_LIST
        there = _names_in(folder)
        listed: dict[str, tuple[int, tuple[float, float]]] = {}
        for row, name in _rows(path, "gallery", self.problems):
            try:
                if name in listed:
                    raise ValueError(f"{name} repeats")
                listed[name] = row, tile_place(name)
            except ValueError as error:
                problem = Problem(str(path), "gallery", row, str(error))
                self.problems.append(problem)
        files = {name: _on_disk(name, there) for name in listed}
        self._note_suffixes(path, files)
        degrees = np.array([place for _, place in listed.values()])
        metres = earth_centred(*degrees.reshape(-1, 2).T).tolist()
        return {
            name: AerialImage(
                f"{self.name}/{name.rpartition('.')[0]}",
                folder / files[name],
                (x, y, z),
                place,
                row,
                TILE_PIXELS * self.resolution,
            )
            for (name, (row, place)), (x, y, z) in zip(
                listed.items(), metres, strict=True
            )
        }

    def _pair(self, path: Path, row: int, line: str) -> Pair:
        label = parse_label(line)
        unknown = next((t for t in label.tiles if t not in self.tiles), None)
        if unknown is not None:
            raise ValueError(
                f"names {unknown}, which {TILE_LIST} does not list"
            )
        name, *place = panorama_place(label.panorama)
        tiles = Tiles(
            tuple(self.tiles[t] for t in label.tiles),
            label.offsets,
            self.resolution,
        )
        x, y, z = earth_centred(*(np.array([d]) for d in place))[0].tolist()
        return Pair(
            f"{self.name}/{name}",
            self.panoramas / label.panorama,
            tiles.images[0].aerial,
            (x, y, z),
            (place[0], place[1]),
            row,
            tiles=tiles,
            side_metres=TILE_PIXELS * self.resolution,
        )

    def _note_suffixes(self, path: Path, files: dict[str, str]) -> None:
        other = [(name, file) for name, file in files.items() if name != file]
        if other:
            reason = (
                f"{len(other):,} of {len(files):,} tiles have another ending on"
                f" disk, and are read all the same: {other[0][0]} is"
                f" {other[0][1]} (DATASET.md says .jpg, the lists .png)"
            )
            self.problems.append(
                Problem(str(path), "gallery", 0, reason, severity=WARNING)
            )


def _rows(
    path: Path, split: str, problems: list[Problem]
) -> list[tuple[int, str]]:
    """Numbers and text of a list's lines that are not empty.

    Raises:
        UserError: where it cannot be read.
    """
    try:
        data = read_bytes(path, _LARGEST)
    except UnfitFileError as error:
        raise UserError(
            f"{path}: {error}; the download is incomplete"
        ) from None
    unusual = []
    if b"\r\n" in data:
        unusual.append("its lines end with CRLF; read as lines")
    if data and not data.endswith(b"\n"):
        unusual.append(
            "has no newline after its last line, which is read (wc -l does not"
            " count it)"
        )
    problems += [
        Problem(str(path), split, 0, reason, severity=WARNING)
        for reason in unusual
    ]
    lines = data.decode(errors="replace").replace("\r\n", "\n").split("\n")
    return [(n, s) for n, s in enumerate(lines, start=1) if s.strip()]


def _names_in(folder: Path) -> set[str]:
    try:
        return set(os.listdir(folder))
    except OSError:
        return set()


def _on_disk(name: str, there: set[str]) -> str:
    """A tile's name, with the ending that its file has."""
    if name in there:
        return name
    stem = name.rpartition(".")[0]
    return next((stem + s for s in _SUFFIXES if stem + s in there), name)
