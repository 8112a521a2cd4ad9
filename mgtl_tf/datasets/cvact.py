"""Readers of an unmodified CVACT download.

On disk: ACT_data.mat (panoIds; utm; one-based trainSet.trainInd,
valSet.valInd and, for CVACT_test, valSetAll.valInd), and of each place
FOLDER/streetview/ID_grdView.jpg and
FOLDER/satview_polish/ID_satView_polish.jpg. FOLDER is ANU_data_small, for
CVACT_test ANU_data_test.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.datasets.cvusa import require_files
from mgtl_tf.datasets.layout import find_root, require_in_place
from mgtl_tf.datasets.mat_file import read_mat
from mgtl_tf.datasets.problems import Problem, RaiseFirstProblem
from mgtl_tf.datasets.records import Dataset, Pair, count_note
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import from_utm

KNOWN_MISSING = "1LqOHPdTiBbRucz-jFOSbQ"
"""The one training pair that the published tables list without files."""

_MARKER = Path("ACT_data.mat")


@dataclass(frozen=True)
class _Split:
    """Where a split stands in the table, and where its images are."""

    name: str
    field: str
    index: str
    images: str
    published: int


_TRAIN = _Split("train", "trainSet", "trainInd", "ANU_data_small", 35_532)
_VALIDATION = _Split("validation", "valSet", "valInd", "ANU_data_small", 8_884)
_TEST = _Split("validation", "valSetAll", "valInd", "ANU_data_test", 92_802)


def read_cvact(
    root: Path | str, problems: list[Problem] | None = None
) -> Dataset:
    """Training and validation pairs of a folder in CVACT's layout.

    Positions are UTM in float64 (float32 would round Canberra's northings
    to half a metre), coordinates their latitude and longitude.

    Args:
        root: the folder that holds ACT_data.mat and ANU_data_small/.
        problems: gets what is wrong, and such rows are left out; image
            files are then not looked for. By default the first is raised.

    Raises:
        UserError: for a missing or unreadable table, folders in the wrong
            place, or without `problems` an index outside the table or a
            listed file that does not exist (but KNOWN_MISSING).
    """
    return _read("cvact", root, (_TRAIN, _VALIDATION), problems)


def read_cvact_test(
    root: Path | str, problems: list[Problem] | None = None
) -> Dataset:
    """CVACT_test, 92,802 pairs, as a validation split; nothing to train on.

    CVACT's validation pairs are among them: the two are not independent.
    Arguments and errors are those of `read_cvact`.
    """
    return _read("cvact_test", root, (_TEST,), problems)


def _read(
    name: str,
    root: Path | str,
    splits: tuple[_Split, ...],
    problems: list[Problem] | None,
) -> Dataset:
    root = find_root(Path(root), _MARKER, beside=splits[0].images)
    table = _Table(root / _MARKER, [split.field for split in splits])
    found = RaiseFirstProblem() if problems is None else problems
    pairs: dict[str, tuple[Pair, ...]] = {"train": (), "validation": ()}
    notes: list[str] = []
    for split in splits:
        pairs[split.name] = _pairs(root, table, split, found, notes)
    return Dataset(name, pairs["train"], pairs["validation"], tuple(notes))


class _Table:
    """ACT_data.mat: ids, UTM metres, degrees, and the splits' indices."""

    def __init__(self, path: Path, fields: list[str]):
        self.path = path
        self.fields = _load(path, fields)
        names = np.atleast_1d(self.fields["panoIds"])
        self.ids = [str(name).strip() for name in names]
        self.utm = np.atleast_2d(_numbers(path, "utm", self.fields["utm"]))
        if self.utm.shape != (len(self.ids), 2):
            raise UserError(
                f"{path}: utm {list(self.utm.shape)} is not two numbers for"
                f" each of {len(self.ids)} panoIds"
            )
        if not np.isfinite(self.utm).all():
            row = 1 + int(np.argmin(np.isfinite(self.utm).all(axis=1)))
            raise UserError(f"{path}: utm row {row} is not finite")
        self.coordinates = from_utm(self.utm)


def _pairs(
    root: Path,
    table: _Table,
    split: _Split,
    problems: list[Problem],
    notes: list[str],
) -> tuple[Pair, ...]:
    pairs: dict[str, Pair] = {}
    rows = _rows(table, split)
    for number, row in enumerate(rows, start=1):
        try:
            pair = _pair(root, table, split, row, number)
            if pair.id in pairs:
                raise ValueError(f"{pair.id} repeats")
            if _is_known_missing(pair):
                notes.append(f"{pair.id} is left out: known to lack files")
                continue
            if not pairs:
                for path in (pair.ground, pair.aerial):
                    require_in_place(root, path.relative_to(root))
            if isinstance(problems, RaiseFirstProblem):
                require_files(pair.ground, pair.aerial)
        except ValueError as error:
            where = str(table.path)
            problems.append(Problem(where, split.name, number, str(error)))
        else:
            pairs[pair.id] = pair
    spoken = "training" if split is _TRAIN else split.name
    notes += count_note(spoken, len(rows), split.published)
    return tuple(pairs.values())


def _load(path: Path, fields: list[str]) -> dict[str, Any]:
    wanted = ("panoIds", "utm", *fields)
    table = read_mat(path, wanted)
    for field in wanted:
        if field not in table:
            raise UserError(f"{path}: holds no field {field}")
    return table


def _rows(table: _Table, split: _Split) -> list[float]:
    """One-based rows of a split in the table, as they stand there."""
    indices = table.fields[split.field]
    if not isinstance(indices, dict) or split.index not in indices:
        raise UserError(f"{table.path}: {split.field} holds no {split.index}")
    name = f"{split.field}.{split.index}"
    return _numbers(table.path, name, indices[split.index]).ravel().tolist()


def _numbers(path: Path, name: str, values: Any) -> np.ndarray:
    """A field of the table as float64, in which all its rows are exact."""
    try:
        return np.asarray(values, np.float64)
    except (TypeError, ValueError):
        raise UserError(f"{path}: {name} does not hold numbers") from None


def _pair(
    root: Path, table: _Table, split: _Split, index: float, number: int
) -> Pair:
    # Written so that NaN, of which every comparison is false, is caught.
    inside = 1 <= index <= len(table.ids)
    if not inside or index % 1:
        wrong = "no whole number" if inside else f"outside 1..{len(table.ids)}"
        raise ValueError(
            f"{split.field}.{split.index} row {number} is {index:.15g}, {wrong}"
        )
    row = int(index)
    name, folder = table.ids[row - 1], root / split.images
    east, north = table.utm[row - 1].tolist()
    latitude, longitude = table.coordinates[row - 1].tolist()
    return Pair(
        name,
        folder / "streetview" / f"{name}_grdView.jpg",
        folder / "satview_polish" / f"{name}_satView_polish.jpg",
        (east, north),
        (latitude, longitude),
        number,
    )


def _is_known_missing(pair: Pair) -> bool:
    return pair.id == KNOWN_MISSING and not (
        pair.ground.is_file() or pair.aerial.is_file()
    )
