"""Reader of own data: pairs listed in CSV files.

Each has the header `id,ground,aerial,latitude,longitude` (in any order;
further columns are ignored); files are named relative to the CSV; latitude
and longitude, in degrees (WGS 84), may be empty. A folder holds train.csv,
validation.csv or both; a single CSV file is a training split. A row of
validation.csv without a panorama is an aerial image of the gallery alone.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mgtl_tf.datasets.csv_table import SURPLUS, degrees_of, read_rows
from mgtl_tf.datasets.problems import Problem, collect_pairs, quoted
from mgtl_tf.datasets.records import AerialImage, Dataset, Pair
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import earth_centred

COLUMNS = ("id", "ground", "aerial", "latitude", "longitude")
_SPLITS = ("train", "validation")


def read_csv(root: Path | str, problems: list[Problem]) -> Dataset:
    """The pairs of a CSV file, or of a folder of two.

    Args:
        root: the folder, or the file.
        problems: gets what is wrong.

    Raises:
        UserError: for no list, or one without the header.
    """
    lists = _lists(Path(root))
    splits: dict[str, tuple[Pair, ...]] = {name: () for name in _SPLITS}
    alone: dict[str, list[AerialImage]] = {name: [] for name in _SPLITS}
    for split, path in lists.items():
        rows = read_rows(path, COLUMNS)
        pair_of = functools.partial(_pair, path.parent, alone[split])
        splits[split] = collect_pairs(
            rows, pair_of, path.parent, (path, split), problems
        )
    notes = tuple(f"no {name}.csv" for name in _SPLITS if name not in lists)
    if unused := len(alone["train"]):
        notes += (f"{unused:,} rows of train.csv name no panorama: not used",)
    return Dataset(
        "csv",
        splits["train"],
        splits["validation"],
        notes,
        gallery=_gallery(splits["validation"], alone["validation"]),
    )


def _gallery(
    pairs: Sequence[Pair], alone: Sequence[AerialImage]
) -> tuple[AerialImage, ...]:
    """All aerial images of a list, in its order; none where pairs have all."""
    if not alone:
        return ()
    shown = [
        AerialImage(p.id, p.aerial, p.position, p.coordinates, p.row)
        for p in pairs
    ]
    first: dict[Path, AerialImage] = {}
    for image in sorted([*shown, *alone], key=lambda image: image.row):
        first.setdefault(image.aerial, image)
    return tuple(first.values())


def _lists(root: Path) -> dict[str, Path]:
    """The CSV files by split."""
    if root.is_file():
        return {"train": root}
    if not root.is_dir():
        raise UserError(f"{root}: no such folder or CSV file")
    lists = {s: root / f"{s}.csv" for s in _SPLITS}
    lists = {split: path for split, path in lists.items() if path.is_file()}
    others = sorted(root.glob("*.csv"))
    if not lists and len(others) == 1:
        return {"train": others[0]}
    if not lists:
        raise UserError(
            f"{root}: holds neither train.csv nor validation.csv with the"
            f" columns {','.join(COLUMNS)}"
        )
    return lists


def _pair(
    root: Path, alone: list[AerialImage], number: int, row: dict[str, str]
) -> Pair | None:
    values = [row[name] for name in COLUMNS]
    name, ground, aerial = values[:3]
    unusable = row[SURPLUS] or "\0" in "".join(values)
    if unusable or not (name and aerial):
        raise ValueError(f"{quoted(values)} is not {','.join(COLUMNS)!r}")
    files = root / ground, root / aerial
    place = degrees_of(row)
    metres = None
    if place is not None:
        at = earth_centred(*(np.array([degree]) for degree in place))[0]
        metres = tuple(at.tolist())
    if not ground:
        alone.append(AerialImage(name, files[1], metres, place, number))
        return None
    return Pair(name, *files, metres, place, number)
