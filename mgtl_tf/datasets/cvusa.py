"""Reader of unmodified CVUSA (19zl subset) and of synthetic worlds.

On disk: splits/{train,val}-19zl.csv without header, each row
`bingmap/19/ID.jpg,streetview/panos/ID.jpg,streetview/annotations/ID.png`;
split_locations/all.csv (or all.csv), row ID - 1: aerial latitude and
longitude, ground latitude and longitude, and one unused column. Synthetic
worlds have bingmap/annotations/ID.png as well, the classes of aerial images.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.csv_table import DEGREES, degrees_of, headless_rows
from mgtl_tf.datasets.problems import Problem, collect_pairs, find_root, quoted
from mgtl_tf.datasets.records import Dataset, Pair, count_note
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred
from mgtl_tf.utils.json_files import read_json

PUBLISHED = {"train": 35_532, "validation": 8_884}
_LISTS = {"train": "train-19zl.csv", "validation": "val-19zl.csv"}
_AERIAL_LABELS = "bingmap/annotations"
_TABLES = (Path("split_locations") / "all.csv", Path("all.csv"))
_MANIFEST = "world.json"


@dataclasses.dataclass(frozen=True)
class _Manifest:
    """What is read of a synthetic world's manifest."""

    identity: str = ""


def read_cvusa(
    root: Path | str, problems: list[Problem], published: bool = True
) -> Dataset:
    """Both splits of a folder in CVUSA's layout.

    Args:
        root: the folder that holds splits/, bingmap/ and streetview/.
        problems: gets what is wrong.
        published: whether to note splits of other than the published size.

    Raises:
        UserError: for a missing list, folders in the wrong place, or a
            world.json that cannot be read.
    """
    root = find_root(Path(root), Path("splits") / _LISTS["train"])
    pair_of = functools.partial(_pair, root, _read_locations(root, problems))
    splits: dict[str, tuple[Pair, ...]] = {}
    notes: list[str] = []
    for split, name in _LISTS.items():
        path = root / "splits" / name
        if not path.is_file():
            raise UserError(f"{path}: missing; the download is incomplete")
        rows = headless_rows(path)
        pairs = collect_pairs(rows, pair_of, root, (path, split), problems)
        splits[split] = pairs
        if published:
            notes += count_note(split, len(pairs), PUBLISHED[split])
    if not any((root / table).is_file() for table in _TABLES):
        notes.append("no all.csv: positions are not known")
    if world := _world(root):
        for split, pairs in splits.items():
            splits[split] = tuple(
                dataclasses.replace(pair, world=world) for pair in pairs
            )
    return Dataset("cvusa", splits["train"], splits["validation"], tuple(notes))


def _world(root: Path) -> str:
    """The identity of a synthetic world; worlds from before it have none."""
    path = root / _MANIFEST
    if not path.is_file():
        return ""
    return read_json(path, _Manifest, "make the world again").identity


def _pair(
    root: Path, table: np.ndarray | None, number: int, row: list[str]
) -> Pair:
    if len(row) not in (2, 3) or not all(row[:2]) or "\0" in "".join(row):
        raise ValueError(f"{quoted(row)} is not 'aerial,ground,annotation'")
    aerial, ground = root / row[0], root / row[1]
    name = aerial.stem
    if name != ground.stem:
        raise ValueError(f"{quoted(row)} names images of two places")
    labels = root / row[2] if len(row) == 3 and row[2] else None
    bare = Pair(
        name,
        ground,
        aerial,
        row=number,
        labels=labels,
        aerial_labels=root / _AERIAL_LABELS / f"{name}.png",
    )
    if table is None:
        return bare
    if not name.isdigit() or not 1 <= int(name) <= len(table):
        raise ValueError(
            f"id {name!r} has no row among the {len(table)} of all.csv"
        )
    latitude, longitude, *metres = table[int(name) - 1].tolist()
    if np.isnan(latitude):
        return bare
    place = latitude, longitude
    return dataclasses.replace(bare, position=tuple(metres), coordinates=place)


def _read_locations(root: Path, problems: list[Problem]) -> np.ndarray | None:
    """Aerial latitude, longitude and metres of every id, float64 [N, 5].

    NaN in the rows that became problems.
    """
    path = next((root / t for t in _TABLES if (root / t).is_file()), None)
    if path is None:
        return None
    places = []
    for number, row in headless_rows(path):
        try:
            place = degrees_of(dict(zip(DEGREES, row[:2], strict=True)))
        except ValueError:
            place = None
        if place is None:
            reason = (
                f"{quoted(row)} does not begin with a latitude and a"
                " longitude in degrees"
            )
            problems.append(Problem(str(path), "", number, reason))
        places.append(place or (np.nan, np.nan))
    table = np.array(places, np.float64).reshape(-1, 2)
    return np.hstack([table, earth_centred(table[:, 0], table[:, 1])])
