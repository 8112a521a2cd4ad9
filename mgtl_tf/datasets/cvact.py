"""Readers of an unmodified CVACT download.

On disk: ACT_data.mat (panoIds; utm; one-based trainSet.trainInd,
valSet.valInd and, for CVACT_test, valSetAll.valInd), and of each place
FOLDER/streetview/ID_grdView.jpg and
FOLDER/satview_polish/ID_satView_polish.jpg. FOLDER is ANU_data_small, for
CVACT_test ANU_data_test.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mgtl_tf.datasets.layout import find_root
from mgtl_tf.datasets.mat_file import read_mat
from mgtl_tf.datasets.problems import (
    Problem,
    RaiseFirstProblem,
    collect_pairs,
)
from mgtl_tf.datasets.records import Dataset, Pair, count_note
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import from_utm

KNOWN_MISSING = "1LqOHPdTiBbRucz-jFOSbQ"
"""The one training pair that the published tables list without files."""

_MARKER = Path("ACT_data.mat")


class _Split(NamedTuple):
    """Where a split stands in the table, and where its images are."""

    name: str
    field: str
    indices: str
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
    to half a metre), coordinates their latitude and longitude; a place whose
    UTM is not finite has neither.

    Args:
        root: the folder that holds ACT_data.mat and ANU_data_small/.
        problems: as of `readers.read_dataset`.

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
        rows = table.rows(split)
        pairs[split.name] = collect_pairs(
            enumerate(rows, start=1),
            functools.partial(_pair_or_note, table, root, split, notes),
            root,
            (table.path, split.name),
            found,
        )
        notes += count_note(split.name, len(rows), split.published)
    return Dataset(name, pairs["train"], pairs["validation"], tuple(notes))


def _pair_or_note(
    table: _Table,
    root: Path,
    split: _Split,
    notes: list[str],
    number: int,
    index: float,
) -> Pair | None:
    pair = table.pair(root, split, number, index)
    if pair.id == KNOWN_MISSING:
        if not (pair.ground.is_file() or pair.aerial.is_file()):
            notes.append(f"{pair.id} is left out: known to lack files")
            return None
    return pair


class _Table:
    """ACT_data.mat: ids, UTM metres, degrees, and the splits' indices."""

    def __init__(self, path: Path, fields: list[str]):
        self.path = path
        wanted = ("panoIds", "utm", *fields)
        self.fields = read_mat(path, wanted)
        for field in wanted:
            if field not in self.fields:
                raise UserError(f"{path}: holds no field {field}")
        names = np.atleast_1d(self.fields["panoIds"])
        self.ids = [str(name).strip() for name in names]
        self.utm = np.atleast_2d(self._numbers("utm", self.fields["utm"]))
        if self.utm.shape != (len(self.ids), 2):
            raise UserError(
                f"{path}: utm {list(self.utm.shape)} is not two numbers for"
                f" each of {len(self.ids)} panoIds"
            )
        self.degrees = from_utm(self.utm)

    def rows(self, split: _Split) -> list[float]:
        """One-based rows of a split in the table, unchecked."""
        indices = self.fields[split.field]
        if not isinstance(indices, dict) or split.indices not in indices:
            raise UserError(
                f"{self.path}: {split.field} holds no {split.indices}"
            )
        name = f"{split.field}.{split.indices}"
        return self._numbers(name, indices[split.indices]).ravel().tolist()

    def pair(
        self, root: Path, split: _Split, number: int, index: float
    ) -> Pair:
        """The pair that a split's list names at a row.

        Raises:
            ValueError: for an index outside the table.
        """
        # Written so that NaN, of which every comparison is false, is caught.
        inside = 1 <= index <= len(self.ids)
        if not inside or index % 1:
            limits = f"outside 1..{len(self.ids)}"
            raise ValueError(
                f"{split.field}.{split.indices} row {number} is {index:.15g},"
                f" {'no whole number' if inside else limits}"
            )
        row = int(index) - 1
        name, folder = self.ids[row], root / split.images
        files = (
            folder / "streetview" / f"{name}_grdView.jpg",
            folder / "satview_polish" / f"{name}_satView_polish.jpg",
        )
        if not np.isfinite(self.utm[row]).all():
            return Pair(name, *files, row=number)
        metres, degrees = self.utm[row].tolist(), self.degrees[row].tolist()
        return Pair(name, *files, tuple(metres), tuple(degrees), number)

    def _numbers(self, name: str, values: Any) -> np.ndarray:
        """A field as float64, in which all its rows are exact."""
        try:
            return np.asarray(values, np.float64)
        except (TypeError, ValueError):
            raise UserError(
                f"{self.path}: {name} does not hold numbers"
            ) from None
