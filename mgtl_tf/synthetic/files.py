"""The folder a world is written to: CVUSA's layout and a manifest.

`splits/*.csv` are written last: a folder without them is unfinished.
"""

from __future__ import annotations

import dataclasses
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.synthetic.settings import WORLD_VERSION, WorldSettings
from mgtl_tf.utils.atomic_io import naming_write_errors
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import from_tangent_plane
from mgtl_tf.utils.json_files import read_json

MANIFEST = "world.json"
AERIAL = "bingmap/19"
GROUND = "streetview/panos"
TRAIN_LIST = "splits/train-19zl.csv"
VAL_LIST = "splits/val-19zl.csv"
POSITIONS = "split_locations/all.csv"
LOCATIONS = "locations.csv"

# Made up: farmland in Kansas, where no town of ours stands.
ORIGIN_LATITUDE = 38.5
ORIGIN_LONGITUDE = -98.5
DEGREES_BETWEEN_MAPS = 0.25


@dataclasses.dataclass(frozen=True)
class MapShare:
    """The pairs that one map provides.

    Attributes:
        index: 0 is the val map.
        first_id: ID of its first place; IDs run on from there.
        count: how many places.
    """

    index: int
    first_id: int
    count: int


def plan_maps(settings: WorldSettings) -> list[MapShare]:
    """Train maps 1, 2, ... with the IDs from 1 on, then val's map 0."""
    maps = -(-settings.train_pairs // settings.pairs_per_map)
    bounds = np.linspace(0, settings.train_pairs, maps + 1).astype(int)
    shares = [
        MapShare(index + 1, int(first) + 1, int(last - first))
        for index, (first, last) in enumerate(
            zip(bounds[:-1], bounds[1:], strict=True)
        )
    ]
    if settings.val_pairs:
        first_id = settings.train_pairs + 1
        shares.append(MapShare(0, first_id, settings.val_pairs))
    return shares


def map_origin(map_index: int) -> tuple[float, float]:
    """Latitude and longitude, degrees, of a map's south-west corner.

    Map 0 is val's. The others lie on a square grid at least 21 km away.
    """
    row, column = divmod(map_index, 16)
    return (
        ORIGIN_LATITUDE + DEGREES_BETWEEN_MAPS * row,
        ORIGIN_LONGITUDE + DEGREES_BETWEEN_MAPS * column,
    )


def to_degrees(metres: np.ndarray, map_index: int) -> np.ndarray:
    """Latitude and longitude of points of a map, float64 [N, 2].

    A map is a plane that touches the ellipsoid at its own origin, so a
    distance on the map is the distance on the ground.

    Args:
        metres: float64 [N, 2], east and north of the map's origin.
        map_index: which map.
    """
    return from_tangent_plane(metres, *map_origin(map_index))


def name_of(number: int) -> str:
    """A pair's ID: seven digits."""
    return f"{number:07d}"


def picture_paths(root: Path, number: int) -> tuple[Path, Path]:
    """The aerial and the ground file of a pair."""
    name = f"{name_of(number)}.jpg"
    return root / AERIAL / name, root / GROUND / name


def write_beside(path: Path, data: bytes) -> None:
    """Writes a file so that it is there whole or not at all.

    Raises:
        UserError: where the disk does not take it, naming it.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with naming_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            partial.write_bytes(data)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def sweep(root: Path) -> None:
    """Removes what a killed run left half-written."""
    for folder in (root, root / AERIAL, root / GROUND, root / "splits"):
        for path in folder.glob(".*.partial"):
            path.unlink(missing_ok=True)


@dataclass(frozen=True)
class _WorldManifest:
    """What is compared of world.json."""

    version: int
    settings: dict[str, Any]


def open_folder(root: Path, settings: WorldSettings) -> None:
    """Begins a folder, or checks that an existing one is this very world.

    Raises:
        UserError: when the folder holds another world, or something else.
    """
    path = root / MANIFEST
    wanted = json.loads(_manifest(settings))
    if path.is_file():
        found = read_json(path, _WorldManifest, "give another --output_dir")
        _compare(path, found.version, "version", WORLD_VERSION)
        for name, value in wanted["settings"].items():
            _compare(path, found.settings.get(name), name, value)
        return
    if root.exists() and not root.is_dir():
        raise UserError(f"--output_dir={root}: is a file; name a folder")
    if root.is_dir() and any(root.iterdir()):
        raise UserError(
            f"--output_dir={root}: holds files but no {MANIFEST};"
            " name an empty or a new folder"
        )
    write_beside(path, _manifest(settings).encode())


def write_tables(
    root: Path, settings: WorldSettings, positions: dict[int, np.ndarray]
) -> None:
    """Writes the positions, then the split lists.

    Args:
        root: the world's folder.
        settings: of the world.
        positions: by map index, float64 [N, 4]: aerial east and north,
            ground east and north, metres on the map.
    """
    rows: list[str] = []
    table: list[str] = []
    for share in plan_maps(settings):
        metres = positions[share.index]
        aerial = to_degrees(metres[:, :2], share.index)
        ground = to_degrees(metres[:, 2:], share.index)
        for offset in range(share.count):
            values = [*aerial[offset], *ground[offset], 0.0]
            rows.append(",".join(f"{value:.9f}" for value in values))
            table.append(
                f"{name_of(share.first_id + offset)},"
                f"{aerial[offset, 0]:.9f},{aerial[offset, 1]:.9f}"
            )
    write_beside(root / POSITIONS, _lines(rows))
    write_beside(root / LOCATIONS, _lines(["id,latitude,longitude", *table]))
    last = settings.train_pairs
    write_beside(root / TRAIN_LIST, _split(range(1, last + 1)))
    total = last + settings.val_pairs
    write_beside(root / VAL_LIST, _split(range(last + 1, total + 1)))


def is_finished(root: Path) -> bool:
    """Whether the tables, which are written last, are all there."""
    tables = (POSITIONS, LOCATIONS, TRAIN_LIST, VAL_LIST)
    return all((root / table).is_file() for table in tables)


def _split(numbers: range) -> bytes:
    """A split list: aerial, ground and annotation file of each pair."""
    return _lines(
        [
            f"{AERIAL}/{name}.jpg,{GROUND}/{name}.jpg,"
            f"streetview/annotations/{name}.png"
            for name in map(name_of, numbers)
        ]
    )


def _lines(rows: list[str]) -> bytes:
    """Text lines as bytes."""
    return "".join(row + "\n" for row in rows).encode()


def _manifest(settings: WorldSettings) -> str:
    """world.json: version, settings, and which map gave which IDs."""
    maps = []
    for share in plan_maps(settings):
        latitude, longitude = map_origin(share.index)
        maps.append(
            {
                "map": share.index,
                "split": "train" if share.index else "val",
                "first_id": name_of(share.first_id),
                "pairs": share.count,
                "random_address": [settings.seed, share.index],
                "origin_latitude": latitude,
                "origin_longitude": longitude,
            }
        )
    content = {
        "version": WORLD_VERSION,
        "settings": dataclasses.asdict(settings),
        "maps": maps,
    }
    return json.dumps(content, indent=2) + "\n"


def _compare(path: Path, found: object, name: str, wanted: object) -> None:
    """Raises UserError where a manifest's value is not the wanted one."""
    if found != wanted:
        raise UserError(
            f"{path}: this folder was begun with {name}={found}, not"
            f" {wanted}; use that again or another --output_dir"
        )
