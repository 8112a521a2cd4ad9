"""Readers of an unmodified CVACT download.

On disk: ACT_data.mat (panoIds; utm; one-based trainSet.trainInd,
valSet.valInd and, for CVACT_test, valSetAll.valInd), and of each place
FOLDER/streetview/ID_grdView.jpg and
FOLDER/satview_polish/ID_satView_polish.jpg. FOLDER is ANU_data_small, for
CVACT_test ANU_data_test.
"""

from __future__ import annotations

import functools
import resource
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.io

from mgtl_tf.datasets.problems import Problem, collect_pairs, find_root
from mgtl_tf.datasets.records import Dataset, Pair, count_note
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.geodesy import from_utm
from mgtl_tf.utils.plain_files import UnfitFileError, first_line, open_plain
from polar.parallel import WorkerDiedError, worker_pool

KNOWN_MISSING = "1LqOHPdTiBbRucz-jFOSbQ"
"""The one training pair that the published tables list without files."""

_MARKER = Path("ACT_data.mat")
# Most bytes of the table; the published one has 10 million.
_LARGEST = 2**28
_MEMORY = 2**32


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


def read_cvact(root: Path | str, problems: list[Problem]) -> Dataset:
    """Training and validation pairs of a folder in CVACT's layout.

    Positions are UTM in float64 (float32 would round Canberra's northings
    to half a metre), coordinates their latitude and longitude; a place whose
    UTM is not finite has neither.

    Args:
        root: the folder that holds ACT_data.mat and ANU_data_small/.
        problems: gets what is wrong; not that KNOWN_MISSING lacks files.

    Raises:
        UserError: for a missing or unreadable table, or folders in the wrong
            place.
    """
    return _read("cvact", root, (_TRAIN, _VALIDATION), problems)


def read_cvact_test(root: Path | str, problems: list[Problem]) -> Dataset:
    """CVACT_test, 92,802 pairs, as a validation split; nothing to train on.

    CVACT's validation pairs are among them: the two are not independent.
    Arguments and errors are those of `read_cvact`.
    """
    return _read("cvact_test", root, (_TEST,), problems)


def _read(
    name: str,
    root: Path | str,
    splits: tuple[_Split, ...],
    problems: list[Problem],
) -> Dataset:
    table = _Table(find_root(Path(root), _MARKER, splits[0].images), splits)
    pairs: dict[str, tuple[Pair, ...]] = {"train": (), "validation": ()}
    for split in splits:
        rows = table.rows(split)
        pairs[split.name] = collect_pairs(
            enumerate(rows, start=1),
            functools.partial(table.pair, split),
            table.root,
            (table.path, split.name),
            problems,
        )
        table.notes += count_note(split.name, len(rows), split.published)
    notes = tuple(table.notes)
    return Dataset(name, pairs["train"], pairs["validation"], notes)


class _Table:
    """ACT_data.mat: ids, UTM metres, degrees, and the splits' indices."""

    def __init__(self, root: Path, splits: Sequence[_Split]):
        self.root, self.path = root, root / _MARKER
        self.notes: list[str] = []
        wanted = ("panoIds", "utm", *(split.field for split in splits))
        self.fields = read_mat(self.path, wanted)
        for field in wanted:
            if field not in self.fields:
                raise UserError(f"{self.path}: holds no field {field}")
        names = np.atleast_1d(self.fields["panoIds"])
        self.ids = [str(name).strip() for name in names]
        self.utm = np.atleast_2d(self._numbers("utm", self.fields["utm"]))
        if self.utm.shape != (len(self.ids), 2):
            raise UserError(
                f"{self.path}: utm {list(self.utm.shape)} is not two numbers"
                f" for each of {len(self.ids)} panoIds"
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

    def pair(self, split: _Split, number: int, index: float) -> Pair | None:
        """The pair that a split's list names at a row; None: KNOWN_MISSING.

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
        name, folder = self.ids[row], self.root / split.images
        files = (
            folder / "streetview" / f"{name}_grdView.jpg",
            folder / "satview_polish" / f"{name}_satView_polish.jpg",
        )
        if name == KNOWN_MISSING and not any(f.is_file() for f in files):
            self.notes.append(f"{name} is left out: known to lack files")
            return None
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


def read_mat(path: Path, fields: Sequence[str]) -> dict[str, Any]:
    """Fields of a MATLAB file, as arrays, dicts, text and numbers.

    Read in a process of its own: SciPy's reader is compiled code that some
    damaged files crash.

    Args:
        path: of the file.
        fields: names; those that it lacks are left out.

    Raises:
        UserError: where it cannot be read.
    """
    reason: object = "it is damaged"
    try:
        open_plain(path, _LARGEST).close()
        with worker_pool(1) as pool:
            return pool.submit(_load, path, tuple(fields)).result()
    except WorkerDiedError:
        pass
    except UnfitFileError as error:
        reason = error
    raise UserError(
        f"{path}: not a readable MATLAB file ({reason}); download it again"
    )


def _load(path: Path, fields: tuple[str, ...]) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    try:
        with open_plain(path) as file:
            found = scipy.io.loadmat(
                file, simplify_cells=True, variable_names=fields
            )
        return {name: found[name] for name in fields if name in found}
    except Exception as error:  # SciPy raises many kinds on broken files.
        raise UnfitFileError(first_line(error)) from None
