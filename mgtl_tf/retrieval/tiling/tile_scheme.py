"""How a folder's tiles are numbered, by the file that came with them.

`tilemapresource.xml` (TMS, as gdal2tiles writes it) or `metadata.json`
(as MBTiles are unpacked), in the folder of the zoom levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgtl_tf.retrieval.tiling.xml_files import read_xml
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json

TILE_ROWS = ("xyz", "tms")
"""Rows from the north, as most web maps have them, or from the south."""

_RESOURCE = "tilemapresource.xml"
_METADATA = "metadata.json"
_MERCATOR = {"3857", "900913", "41001", "3785", "102100", "102113"}
_MOST_BYTES = 2**20
_REMEDY = "remove it and give --tile_rows"


@dataclass(frozen=True)
class TileScheme:
    """Of one folder.

    Attributes:
        rows: one of `TILE_ROWS`.
        suffix: of the tiles' files, such as "jpg"; "": not said.
    """

    rows: str = "xyz"
    suffix: str = ""


def tile_scheme(folder: Path, tile_rows: str | None = None) -> TileScheme:
    """What the folder says, or is said of it.

    Args:
        folder: of the zoom levels.
        tile_rows: one of `TILE_ROWS`; None: as the folder's own file says,
            else "xyz".

    Raises:
        UserError: for another word, a file that can't be read, or tiles that
            are not of Web Mercator.
    """
    if tile_rows not in (None, *TILE_ROWS):
        raise UserError(
            f"--tile_rows={tile_rows}: must be one of {', '.join(TILE_ROWS)}"
        )
    said = TileScheme()
    if (folder / _METADATA).is_file():
        said = _of_metadata(folder / _METADATA)
    if (folder / _RESOURCE).is_file():
        said = _of_resource(folder / _RESOURCE)
    return TileScheme(tile_rows or said.rows, said.suffix)


def _of_resource(path: Path) -> TileScheme:
    root = read_xml(path, _REMEDY, _MOST_BYTES)
    system = (root.findtext("SRS") or "").strip()
    sets = root.find("TileSets")
    profile = "" if sets is None else sets.get("profile", "")
    known = profile.removeprefix("global-")
    # Older files tell no profile, newer ones a name of their own or a whole
    # WKT as the system.
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
    said = read_json(path, dict[str, Any], _REMEDY, largest=_MOST_BYTES)
    rows = str(said.get("scheme") or "xyz").lower()
    if rows not in TILE_ROWS:
        raise UserError(
            f"{path}: scheme {rows[:40]!r} is none of {', '.join(TILE_ROWS)};"
            " correct it or give --tile_rows"
        )
    suffix = str(said.get("format") or "").lower()
    return TileScheme(rows, suffix.rpartition("/")[2].lstrip("."))
