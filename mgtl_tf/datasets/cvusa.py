"""Reader of unmodified CVUSA (19zl subset) and of synthetic worlds.

On disk: splits/{train,val}-19zl.csv without header, each row
`bingmap/19/ID.jpg,streetview/panos/ID.jpg,streetview/annotations/ID.png`;
split_locations/all.csv (or all.csv), row ID - 1: aerial latitude and
longitude, ground latitude and longitude, and one unused column.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.csv_table import headless_rows
from mgtl_tf.datasets.layout import find_root, require_in_place
from mgtl_tf.datasets.problems import Problem, RaiseFirstProblem, quoted
from mgtl_tf.datasets.records import Dataset, Pair, count_note
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred

PUBLISHED = {"train": 35_532, "validation": 8_884}
_SPLITS = {"train": "train-19zl.csv", "validation": "val-19zl.csv"}
_NAMES = {"train": "training", "validation": "validation"}
_TABLES = (Path("split_locations") / "all.csv", Path("all.csv"))


def read_cvusa(
    root: Path | str,
    published: bool = True,
    problems: list[Problem] | None = None,
) -> Dataset:
    """Both splits of a folder in CVUSA's layout.

    Args:
        root: the folder that holds splits/, bingmap/ and streetview/.
        published: whether to note splits of other than the published size.
        problems: gets what is wrong, and rows that are no pair are left
            out; image files are then not looked for. By default the first
            problem, a missing file among them, is raised.

    Raises:
        UserError: for a missing list, folders in the wrong place, or
            without `problems` a row that is no pair, an id that repeats, or
            a listed file that does not exist.
    """
    root = find_root(Path(root), Path("splits") / _SPLITS["train"])
    found = RaiseFirstProblem() if problems is None else problems
    table = _read_locations(root, found)
    splits = {name: _read_split(root, name, table, found) for name in _SPLITS}
    notes = [
        note
        for name, pairs in splits.items()
        for note in count_note(_NAMES[name], len(pairs), PUBLISHED[name])
        if published
    ]
    if table is None:
        notes.append("no all.csv: positions are not known")
    return Dataset("cvusa", splits["train"], splits["validation"], tuple(notes))


def _read_split(
    root: Path, split: str, table: np.ndarray | None, problems: list[Problem]
) -> tuple[Pair, ...]:
    path = root / "splits" / _SPLITS[split]
    if not path.is_file():
        raise UserError(f"{path}: missing; the download is incomplete")
    pairs: dict[str, Pair] = {}
    for number, row in headless_rows(path):
        try:
            _require_paths(row)
            if not pairs:
                require_in_place(root, Path(row[0]))
                require_in_place(root, Path(row[1]))
            if isinstance(problems, RaiseFirstProblem):
                require_files(root / row[0], root / row[1])
            pair = _pair(root, row, number, table)
            if pair.id in pairs:
                raise ValueError(f"{pair.id} repeats")
        except ValueError as error:
            problems.append(Problem(str(path), split, number, str(error)))
        else:
            pairs[pair.id] = pair
    return tuple(pairs.values())


def require_files(*paths: Path) -> None:
    """Raises a ValueError about the first file that does not exist."""
    for path in paths:
        if not os.path.isfile(path):
            raise ValueError(f"{path} does not exist")


def _require_paths(row: list[str]) -> None:
    if len(row) not in (2, 3) or not all(row[:2]) or "\0" in "".join(row):
        raise ValueError(f"{quoted(row)} is not 'aerial,ground,annotation'")
    if Path(row[0]).stem != Path(row[1]).stem:
        raise ValueError(f"{quoted(row)} names images of two places")


def _pair(
    root: Path, row: list[str], number: int, table: np.ndarray | None
) -> Pair:
    aerial, ground = root / row[0], root / row[1]
    name = aerial.stem
    if table is None:
        return Pair(name, ground, aerial, row=number)
    if not name.isdigit() or not 1 <= int(name) <= len(table):
        raise ValueError(
            f"id {name!r} has no row among the {len(table)} of all.csv"
        )
    latitude, longitude, x, y, z = table[int(name) - 1].tolist()
    if np.isnan(latitude):
        return Pair(name, ground, aerial, row=number)
    return Pair(name, ground, aerial, (x, y, z), (latitude, longitude), number)


def _read_locations(root: Path, problems: list[Problem]) -> np.ndarray | None:
    """Aerial latitude, longitude and metres of every id, [N, 5].

    NaN where a row holds none and `problems` takes that.
    """
    path = next((root / t for t in _TABLES if (root / t).is_file()), None)
    if path is None:
        return None
    values = []
    for number, row in headless_rows(path):
        try:
            values.append(latitude_longitude(row[:2]))
        except ValueError:
            values.append((np.nan, np.nan))
            reason = (
                f"{quoted(row)} does not begin with a latitude and a"
                " longitude in degrees"
            )
            problems.append(Problem(str(path), "", number, reason))
    table = np.array(values, dtype=np.float64).reshape(-1, 2)
    metres = earth_centred(table[:, 0], table[:, 1])
    return np.concatenate([table, metres], axis=1)


def latitude_longitude(texts: list[str]) -> tuple[float, float]:
    """Two numbers in degrees.

    Raises:
        ValueError: where they are none.
    """
    latitude, longitude = map(float, texts)
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise ValueError(f"{','.join(texts)!r} is no latitude and longitude")
    return latitude, longitude
