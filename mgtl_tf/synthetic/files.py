"""The folder a world is written to: CVUSA's layout and a manifest.

`splits/*.csv` are written last: a folder without them is unfinished.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.synthetic.settings import WORLD_VERSION, WorldSettings
from mgtl_tf.utils.atomic_io import atomic_write, naming_write_errors
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import from_tangent_plane
from mgtl_tf.utils.json_files import read_json

MANIFEST = "world.json"
AERIAL = "bingmap/19"
GROUND = "streetview/panos"
LABELS = "streetview/annotations"
AERIAL_LABELS = "bingmap/annotations"
TRAIN_LIST = "splits/train-19zl.csv"
VAL_LIST = "splits/val-19zl.csv"
POSITIONS = "split_locations/all.csv"
LOCATIONS = "locations.csv"
_TABLES = (POSITIONS, LOCATIONS, TRAIN_LIST, VAL_LIST)

# Farmland in Kansas.
ORIGIN_LATITUDE = 38.5
ORIGIN_LONGITUDE = -98.5
DEGREES_BETWEEN_MAPS = 0.25


@dataclass(frozen=True)
class MapShare:
    """The pairs that one map provides."""

    index: int  # 0 is the val map
    first_id: int  # ID of its first place; the others follow
    count: int  # how many places


def plan_maps(settings: WorldSettings) -> list[MapShare]:
    """Train maps 1, 2, ... with the IDs from 1 on, then val's map 0."""
    maps = -(-settings.train_pairs // settings.pairs_per_map)
    bounds = np.linspace(0, settings.train_pairs, maps + 1).astype(int).tolist()
    shares = [
        MapShare(index, first + 1, last - first)
        for index, (first, last) in enumerate(
            zip(bounds[:-1], bounds[1:], strict=True), start=1
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

    A map is a plane that touches the ellipsoid at its own origin, from which
    `metres`, float64 [N, 2], go east and north.
    """
    return from_tangent_plane(metres, *map_origin(map_index))


def name_of(number: int) -> str:
    """A pair's ID."""
    return f"{number:07d}"


def picture_paths(root: Path, number: int) -> tuple[Path, Path]:
    """The aerial and the ground file of a pair."""
    name = f"{name_of(number)}.jpg"
    return root / AERIAL / name, root / GROUND / name


def label_paths(root: Path, number: int) -> tuple[Path, Path]:
    """The files of the classes of a pair's aerial image and panorama."""
    name = f"{name_of(number)}.png"
    return root / AERIAL_LABELS / name, root / LABELS / name


@dataclass(frozen=True)
class _WorldManifest:
    """What is compared of world.json."""

    version: int
    settings: dict[str, Any]


def open_folder(root: Path, settings: WorldSettings) -> None:
    """Begins a folder, or checks that an existing one is this very world.

    Raises:
        UserError: when the folder holds another world, or something else, or
            cannot be written.
    """
    path = root / MANIFEST
    if path.is_file():
        found = read_json(path, _WorldManifest, "name another folder")
        _compare(path, found.version, "version", WORLD_VERSION)
        # A world from before a setting was added has its default.
        recorded = dataclasses.asdict(WorldSettings()) | found.settings
        for name, value in dataclasses.asdict(settings).items():
            _compare(path, recorded[name], name, value)
    elif root.exists() and not root.is_dir():
        raise UserError(f"{root}: is a file; name a folder")
    elif root.is_dir() and any(root.iterdir()):
        raise UserError(
            f"{root}: holds files but no {MANIFEST}; name an empty or a new"
            " folder"
        )
    with naming_write_errors(root):
        root.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            atomic_write(path, _manifest(settings))
        if settings.layout != "cvusa":
            return
        folders = [AERIAL, GROUND]
        if settings.labels:
            folders += [AERIAL_LABELS, LABELS]
        for file in (*_TABLES, *(f"{folder}/x" for folder in folders)):
            (root / file).parent.mkdir(parents=True, exist_ok=True)


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
    rows, table = [], ["id,latitude,longitude"]
    for share in plan_maps(settings):
        metres = positions[share.index]
        aerial = to_degrees(metres[:, :2], share.index)
        ground = to_degrees(metres[:, 2:], share.index)
        for offset, values in enumerate(np.hstack([aerial, ground])):
            texts = [f"{value:.9f}" for value in (*values, 0.0)]
            rows.append(",".join(texts))
            name = name_of(share.first_id + offset)
            table.append(",".join([name, *texts[:2]]))
    _write_lines(root / POSITIONS, rows)
    _write_lines(root / LOCATIONS, table)
    last, total = settings.train_pairs, settings.val_pairs
    total += last
    _write_lines(root / TRAIN_LIST, _split(range(1, last + 1)))
    _write_lines(root / VAL_LIST, _split(range(last + 1, total + 1)))


def is_finished(root: Path) -> bool:
    """Whether the tables, which are written last, are all there."""
    return all((root / table).is_file() for table in _TABLES)


def _split(numbers: range) -> list[str]:
    """A split list: aerial, ground and annotation file of each pair."""
    return [
        f"{AERIAL}/{name}.jpg,{GROUND}/{name}.jpg,{LABELS}/{name}.png"
        for name in map(name_of, numbers)
    ]


def _write_lines(path: Path, rows: list[str]) -> None:
    atomic_write(path, "".join(row + "\n" for row in rows))


def _manifest(settings: WorldSettings) -> str:
    """world.json: version, settings, and which map gave which IDs."""
    maps = []
    # Of VIGOR's layout the label files say which city gave what.
    for share in plan_maps(settings) if settings.layout == "cvusa" else ():
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
        "identity": settings.identity,
        "settings": dataclasses.asdict(settings),
        "maps": maps,
    }
    return json.dumps(content, indent=2) + "\n"


def _compare(path: Path, found: object, name: str, wanted: object) -> None:
    if found != wanted:
        raise UserError(
            f"{path}: this folder was begun with {name}={found}, not"
            f" {wanted}; use that again or another folder"
        )
