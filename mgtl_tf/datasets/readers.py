"""Name to reader: the one place where a new data set is registered."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mgtl_tf.datasets.csv_list import read_csv
from mgtl_tf.datasets.cvact import read_cvact, read_cvact_test
from mgtl_tf.datasets.cvusa import read_cvusa
from mgtl_tf.datasets.problems import ERROR, Problem
from mgtl_tf.datasets.records import Dataset, shared_note, unknown_note
from mgtl_tf.datasets.vigor.reader import read_vigor
from mgtl_tf.utils.errors import UserError

READERS: dict[str, Callable[..., Dataset]] = {
    # A synthetic world has CVUSA's layout, in sizes of its own.
    "procedural": functools.partial(read_cvusa, published=False),
    "cvusa": read_cvusa,
    "cvact": read_cvact,
    "cvact_test": read_cvact_test,
    "csv": read_csv,
    "vigor": read_vigor,
}


class RefusedRow(UserError):
    """The first problem of a data set that must have none."""


def read_dataset(
    name: str,
    root: Path | str,
    problems: list[Problem] | None = None,
    options: Mapping[str, str] | None = None,
) -> Dataset:
    """The pairs of a data set on disk.

    Args:
        name: one of READERS.
        root: its folder.
        problems: gets what is wrong, and such rows are left out; whether
            image files exist is then not checked. By default the first
            error, a missing file among them, is raised.
        options: of the reader, by name; see `DataConfig.reader_options`.

    Raises:
        UserError: for an unknown name, no folder, or a folder that does not
            hold what the data set must.
        RefusedRow: the first error.
    """
    if name not in READERS:
        raise UserError(
            f"dataset={name}: unknown; choose one of {', '.join(READERS)}"
        )
    if not str(root):
        raise UserError(f"data_dir is needed: the folder that holds {name}")
    found: list[Problem] = []
    dataset = READERS[name](root, found, **(options or {}))
    if problems is None:
        for problem in itertools.chain(found, _missing_files(dataset)):
            if problem.severity == ERROR:
                raise RefusedRow(str(problem))
    else:
        problems += found
    notes = (
        *dataset.notes,
        *unknown_note("training", dataset.train),
        *unknown_note("validation", dataset.validation),
        *shared_note(dataset.train, dataset.validation),
    )
    return dataclasses.replace(dataset, notes=notes)


def _missing_files(dataset: Dataset) -> Iterator[Problem]:
    splits = {
        "train": dataset.train,
        "validation": dataset.validation,
        "gallery": dataset.distractors,
    }
    for split, pairs in splits.items():
        for pair in pairs:
            for file in (pair.ground, pair.aerial):
                if not os.path.isfile(file):
                    yield Problem(str(file), split, pair.row, "does not exist")
