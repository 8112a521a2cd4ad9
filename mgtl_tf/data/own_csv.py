"""Reader of own data: pairs listed in CSV files.

Each has the header `id,ground,aerial,latitude,longitude` (further columns
are passed over); files are named relative to the CSV; latitude and
longitude, in degrees (WGS 84), may be empty. A folder holds train.csv,
validation.csv or both; a single CSV file is a training split.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from mgtl_tf.data.cvusa import latitude_longitude
from mgtl_tf.data.cvusa import require_files
from mgtl_tf.data.geodesy import earth_centred
from mgtl_tf.data.layout import require_in_place
from mgtl_tf.data.problems import Problem
from mgtl_tf.data.problems import Strict
from mgtl_tf.data.problems import quoted
from mgtl_tf.data.records import Dataset
from mgtl_tf.data.records import Pair
from mgtl_tf.errors import UserError

COLUMNS = ("id", "ground", "aerial", "latitude", "longitude")
_SPLITS = ("train", "validation")


def read_csv(
    root: Path | str, problems: list[Problem] | None = None
) -> Dataset:
    """The pairs of a CSV file, or of a folder of two.

    Args:
        root: the folder, or the file.
        problems: gets what is wrong, and such rows are left out; image
            files are then not looked for. By default the first is raised.

    Raises:
        UserError: for no list, one without the header, or without
            `problems` a row that is no pair, an id that repeats, or a file
            that does not exist.
    """
    found = Strict() if problems is None else problems
    lists = _lists(Path(root))
    splits = {
        split: tuple(_pairs(lists[split], split, found).values())
        if split in lists
        else ()
        for split in _SPLITS
    }
    notes = [f"no {name}.csv" for name in _SPLITS if name not in lists]
    return Dataset("csv", splits["train"], splits["validation"], tuple(notes))


def _lists(root: Path) -> dict[str, Path]:
    if root.is_file():
        return {"train": root}
    if not root.is_dir():
        raise UserError(f"--data_dir={root}: no such folder or CSV file")
    lists = {s: root / f"{s}.csv" for s in _SPLITS}
    lists = {split: path for split, path in lists.items() if path.is_file()}
    others = sorted(root.glob("*.csv"))
    if not lists and len(others) == 1:
        return {"train": others[0]}
    if not lists:
        raise UserError(
            f"--data_dir={root}: holds neither train.csv nor validation.csv"
            f" with the columns {','.join(COLUMNS)}"
        )
    return lists


def _pairs(path: Path, split: str, problems: list[Problem]) -> dict[str, Pair]:
    pairs: dict[str, Pair] = {}
    for number, row in _rows(path):
        try:
            pair = _pair(path.parent, row, number)
            if pair.id in pairs:
                raise ValueError(f"{pair.id} repeats")
            if not pairs:
                require_in_place(path.parent, Path(row["ground"]))
                require_in_place(path.parent, Path(row["aerial"]))
            if isinstance(problems, Strict):
                require_files(pair.ground, pair.aerial)
        except ValueError as error:
            problems.append(Problem(str(path), split, number, str(error)))
        else:
            pairs[pair.id] = pair
    return pairs


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Rows with their numbers, the first below the header being 1."""
    # Spreadsheets begin a file with a byte order mark.
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        table = csv.DictReader(file, restval="")
        missing = [c for c in COLUMNS if c not in (table.fieldnames or ())]
        if missing:
            raise UserError(
                f"{path}: its first line lacks {', '.join(missing)}; it must be"
                f" {','.join(COLUMNS)}"
            )
        try:
            yield from enumerate(table, start=1)
        except csv.Error as error:
            raise UserError(f"{path}, line {table.line_num}: {error}") from None


def _pair(root: Path, row: dict[str, str], number: int) -> Pair:
    values = [row[name].strip() for name in COLUMNS]
    name, ground, aerial, *degrees = values
    unusable = None in row or "\0" in "".join(values)
    if unusable or not (name and ground and aerial):
        raise ValueError(f"{quoted(values)} is not {','.join(COLUMNS)!r}")
    if not any(degrees):
        return Pair(name, root / ground, root / aerial, row=number)
    try:
        place = latitude_longitude(degrees)
    except ValueError:
        raise ValueError(
            f"{quoted(degrees)} is no latitude and longitude in degrees"
        ) from None
    metres = earth_centred(*(np.array([degree]) for degree in place))[0]
    return Pair(
        name,
        root / ground,
        root / aerial,
        tuple(metres.tolist()),
        place,
        number,
    )
