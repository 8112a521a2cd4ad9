"""The files of a folder of z/x/y tiles, and how they are numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mgtl_tf.galleries.tiling.vrt import read_xml
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json

TILE_ROWS = ("xyz", "tms")
"""Rows from the north, as most web maps have them, or from the south."""

Tile = tuple[int, int]
"""x from west, y from north."""

_RESOURCE = "tilemapresource.xml"
_METADATA = "metadata.json"
_MERCATOR = {"3857", "900913", "41001", "3785", "102100", "102113"}
_MOST_BYTES = 2**20
_REMEDY = "remove it and give tile_rows"
_JPEG = (".jpg", ".jpeg")
_SUFFIXES = (*_JPEG, ".webp", ".tif", ".tiff", ".png")
_DEEPEST = 30
# Tiles for fine screens have twice the pixels, by their name.
_NAME = re.compile(r"(\d+)(@[234]x)?", re.ASCII)


class TileScheme(NamedTuple):
    """How a folder's tiles are numbered.

    Attributes:
        rows: one of `TILE_ROWS`.
        suffix: of the tiles' files, such as "jpg"; "": unknown.
    """

    rows: str = "xyz"
    suffix: str = ""


class Level(NamedTuple):
    """The tiles of one zoom level.

    Attributes:
        zoom: 0 shows the world in one tile.
        files: of the tiles.
        note: what was ignored, a line; or "".
    """

    zoom: int
    files: dict[Tile, Path]
    note: str


def tile_scheme(folder: Path, tile_rows: str | None = None) -> TileScheme:
    """The scheme by the folder's tilemapresource.xml or metadata.json.

    Args:
        folder: of the zoom levels.
        tile_rows: one of `TILE_ROWS`, used instead of the file's; None: the
            file's, else "xyz".

    Raises:
        UserError: for another word, a file that can't be read, or tiles that
            are not of Web Mercator.
    """
    found = TileScheme()
    if (folder / _RESOURCE).is_file():
        found = _of_resource(folder / _RESOURCE)
    elif (folder / _METADATA).is_file():
        found = _of_metadata(folder / _METADATA)
    rows = tile_rows or found.rows
    if rows not in TILE_ROWS:
        where = "tile_rows" if tile_rows else f"{folder / _METADATA}: scheme"
        raise UserError(
            f"{where}={rows[:40]}: must be one of {', '.join(TILE_ROWS)}"
        )
    return TileScheme(rows, found.suffix)


def _of_resource(path: Path) -> TileScheme:
    root = read_xml(path, _REMEDY, _MOST_BYTES)
    system = (root.findtext("SRS") or "").strip()
    sets = root.find("TileSets")
    profile = "" if sets is None else sets.get("profile", "")
    known = profile.removeprefix("global-")
    # Older files have no profile, newer ones a name of their own or a WKT as
    # the system.
    code = system.rpartition(":")[2]
    if not (known == "mercator" or (not known and code in _MERCATOR)):
        raise UserError(
            f"{path}: tiles of the profile {profile!r} in {system[:40]!r}; only"
            " those of Web Mercator (global-mercator) are read; give the map"
            " that they were made of"
        )
    kind = root.find("TileFormat")
    suffix = "" if kind is None else kind.get("extension", "")
    return TileScheme("tms", suffix.lower().lstrip("."))


def _of_metadata(path: Path) -> TileScheme:
    content = read_json(path, dict[str, Any], _REMEDY, largest=_MOST_BYTES)
    suffix = str(content.get("format") or "").lower()
    return TileScheme(
        str(content.get("scheme") or "xyz").lower(),
        suffix.rpartition("/")[2].lstrip("."),
    )


def zoom_folders(folder: Path) -> list[Path]:
    """The Z of Z/X/Y.jpg (.png, .webp, .tif): a folder, or those in it."""
    for folders in ([folder], _numbered(folder)):
        if found := [p for p in folders if next(_tiles(p), None)]:
            return found
    return []


def read_levels(folder: Path, scheme: TileScheme) -> list[Level]:
    """The zoom levels of a tile folder, coarse ones first.

    Raises:
        UserError: where two files are one tile, and which to take isn't
            known.
    """
    levels = [_level(path, scheme) for path in zoom_folders(folder)]
    return sorted(levels, key=lambda level: level.zoom)


def _level(folder: Path, scheme: TileScheme) -> Level:
    zoom = _zoom(folder)
    files: dict[Tile, Path] = {}
    ignored: set[str] = set()
    for (x, y), path in _tiles(folder):
        tile = (x, 2**zoom - 1 - y if scheme.rows == "tms" else y)
        other = files.setdefault(tile, path)
        if other != path:
            worse, files[tile] = _ranked(other, path, scheme)
            ignored.add(worse.suffix)
    note = (
        f"{folder}: {', '.join(sorted(ignored))} files beside better ones of"
        " the same tiles are ignored"
    )
    return Level(zoom, files, note if ignored else "")


def _ranked(one: Path, two: Path, scheme: TileScheme) -> list[Path]:
    """Two files of a tile: the photograph last."""

    def rank(path: Path) -> tuple[bool, bool, bool]:
        suffix = path.suffix.lower()
        stated = "." + scheme.suffix
        same = suffix == stated or {suffix, stated} <= set(_JPEG)
        return same, suffix in _JPEG, "@" in path.stem

    if rank(one) == rank(two):
        raise UserError(
            f"{one} and {two.name} are the same tile; remove one kind"
        )
    return sorted((one, two), key=rank)


def _zoom(folder: Path) -> int:
    """The number that a folder's name is, or -1."""
    name = folder.absolute().name
    known = name.isascii() and name.isdecimal() and len(name) < 12
    return int(name) if known else -1


def _numbered(folder: Path) -> list[Path]:
    return [p for p in folder.iterdir() if _zoom(p) >= 0 and p.is_dir()]


def _tiles(level: Path) -> Iterator[tuple[Tile, Path]]:
    """x and y, as the folder counts them, and file of a level's tiles."""
    zoom = _zoom(level)
    if not 0 <= zoom <= _DEEPEST:
        return
    for column in _numbered(level):
        for path in column.iterdir():
            found = _NAME.fullmatch(path.stem)
            if not found or path.suffix.lower() not in _SUFFIXES:
                continue
            tile = int(column.name), int(found[1])
            if max(tile) < 2**zoom:
                yield tile, path
