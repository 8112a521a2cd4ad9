"""Reader of an unmodified CVUSA download (19zl subset), and of made worlds.

On disk: splits/{train,val}-19zl.csv without header, each row
`bingmap/19/ID.jpg,streetview/panos/ID.jpg,streetview/annotations/ID.png`;
split_locations/all.csv (or all.csv), row ID - 1: aerial latitude and
longitude, ground latitude and longitude, and one unused column.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from mgtl_tf.data.geodesy import earth_centred
from mgtl_tf.data.records import Dataset
from mgtl_tf.data.records import Pair
from mgtl_tf.data.records import count_note
from mgtl_tf.errors import UserError

PUBLISHED = {"training": 35_532, "validation": 8_884}
_SPLITS = {"training": "train-19zl.csv", "validation": "val-19zl.csv"}
_TABLES = (Path("split_locations") / "all.csv", Path("all.csv"))


def read_cvusa(root: Path | str, published: bool = True) -> Dataset:
    """Both splits of a folder in CVUSA's layout.

    Args:
        root: the folder that holds splits/, bingmap/ and streetview/.
        published: whether to note splits of other than the published size.

    Raises:
        UserError: for a missing list, a row that is none, an id that
            repeats, or a listed file that does not exist.
    """
    root = find_root(Path(root), Path("splits") / _SPLITS["training"])
    table = _read_locations(root)
    splits = {
        name: _read_split(root, root / "splits" / file, table)
        for name, file in _SPLITS.items()
    }
    notes = [
        note
        for name, pairs in splits.items()
        for note in count_note(name, len(pairs), PUBLISHED[name])
        if published
    ]
    if table is None:
        notes.append("no all.csv: positions are not known")
    return Dataset(
        "cvusa", splits["training"], splits["validation"], tuple(notes)
    )


def find_root(root: Path, marker: Path) -> Path:
    """`root`, if it holds the marker file.

    Raises:
        UserError: otherwise, with the folder that was probably meant.
    """
    if (root / marker).is_file():
        return root
    if not root.is_dir():
        raise UserError(f"--data_dir={root}: no such folder")
    near = [root.parent, *(p for p in sorted(root.glob("*")) if p.is_dir())]
    meant = next((p for p in near if (p / marker).is_file()), None)
    hint = f"; did you mean --data_dir={meant}?" if meant else ""
    raise UserError(f"--data_dir={root}: holds no {marker}{hint}")


def _read_split(
    root: Path, path: Path, table: np.ndarray | None
) -> tuple[Pair, ...]:
    if not path.is_file():
        raise UserError(f"{path}: missing; the download is incomplete")
    pairs: dict[str, Pair] = {}
    # A wrong byte becomes a name that no file has, and is told so.
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        for number, row in enumerate(csv.reader(file), start=1):
            pair = _pair(root, row, f"{path}, row {number}", table)
            if pair.id in pairs:
                raise UserError(f"{path}, row {number}: {pair.id} repeats")
            pairs[pair.id] = pair
    return tuple(pairs.values())


def _pair(
    root: Path, row: list[str], where: str, table: np.ndarray | None
) -> Pair:
    if len(row) not in (2, 3) or not all(row[:2]):
        raise UserError(
            f"{where}: {','.join(row)!r} is not 'aerial,ground,annotation'"
        )
    aerial, ground = root / row[0], root / row[1]
    for path in (aerial, ground):
        if not path.is_file():
            raise UserError(f"{where}: {path} does not exist")
    name = aerial.stem
    if table is None:
        return Pair(name, ground, aerial)
    if not name.isdigit() or not 1 <= int(name) <= len(table):
        raise UserError(
            f"{where}: id {name!r} has no row among the {len(table)} of all.csv"
        )
    latitude, longitude, x, y, z = table[int(name) - 1].tolist()
    return Pair(name, ground, aerial, (x, y, z), (latitude, longitude))


def _read_locations(root: Path) -> np.ndarray | None:
    """Aerial latitude, longitude and metres of every id, [N, 5]."""
    path = next((root / t for t in _TABLES if (root / t).is_file()), None)
    if path is None:
        return None
    with path.open(newline="", encoding="utf-8", errors="replace") as file:
        table = np.array(
            [
                _latitude_longitude(row, f"{path}, row {number}")
                for number, row in enumerate(csv.reader(file), start=1)
            ],
            dtype=np.float64,
        ).reshape(-1, 2)
    metres = earth_centred(table[:, 0], table[:, 1])
    return np.concatenate([table, metres], axis=1)


def _latitude_longitude(row: list[str], where: str) -> tuple[float, float]:
    try:
        latitude, longitude = map(float, row[:2])
    except ValueError:
        latitude = longitude = np.nan
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise UserError(
            f"{where}: {','.join(row)!r} does not begin with a latitude and"
            " a longitude in degrees"
        )
    return latitude, longitude
