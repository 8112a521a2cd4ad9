"""What is wrong with a data set: at which row of which list, in which file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from polar.text import csv_text

ERROR, WARNING = "error", "warning"
_LONGEST = 120
_COLUMNS = ("severity", "split", "row", "id", "file", "reason")


@dataclass(frozen=True)
class Problem:
    """One line of a report.

    Attributes:
        file: the list or the image that is at fault.
        split: "train" or "validation"; "" for a table of both.
        row: of the split's list, from 1 on; 0: of no single row.
        reason: what is wrong, as a phrase.
        id: of the pair, where it is known.
        severity: "error": the pair is left out, or lacks its position;
            "warning": it is used, but its file is not what it should be.
    """

    file: str
    split: str
    row: int
    reason: str
    id: str = ""
    severity: str = ERROR

    def __str__(self) -> str:
        where = f"{self.file}, row {self.row}" if self.row else self.file
        return f"{where}: {self.reason}"


class RefusedRow(UserError):
    """The first problem of a data set of which none is taken."""


class RaiseFirstProblem(list[Problem]):
    """Takes no problem: the first one is raised as a `RefusedRow`."""

    def append(self, problem: Problem) -> None:
        """Raises it.

        Raises:
            RefusedRow: always.
        """
        raise RefusedRow(str(problem))


def quoted(row: Iterable[str]) -> str:
    """A list's row as it can stand in a reason."""
    text = ",".join(row)
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def write_report(path: Path, problems: Iterable[Problem]) -> None:
    """Writes problems as CSV with a header line.

    Raises:
        UserError: where it cannot be written.
    """
    rows = ([getattr(problem, n) for n in _COLUMNS] for problem in problems)
    atomic_write(path, csv_text([_COLUMNS, *rows]))
