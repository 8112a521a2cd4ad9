"""What is wrong with a data set's lists, and the pairs of the sound rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mgtl_tf.datasets.layout import require_in_place
from mgtl_tf.datasets.records import Pair
from mgtl_tf.utils.atomic_io import atomic_write
from polar.text import csv_text

ERROR, WARNING = "error", "warning"
_LONGEST = 120
_COLUMNS = ("severity", "split", "row", "id", "file", "reason")

Row = TypeVar("Row")


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


def collect_pairs(
    rows: Iterable[tuple[int, Row]],
    pair_of: Callable[[int, Row], Pair | None],
    root: Path,
    source: tuple[Path, str],
    problems: list[Problem],
) -> tuple[Pair, ...]:
    """The pairs of a split's list, in its order.

    Args:
        rows: of the list, with their numbers from 1 on.
        pair_of: the pair of a row, None where it is left out silently;
            raises ValueError with the reason where it is no pair.
        root: the data set's folder.
        source: the list's file, and the split's name.
        problems: gets a problem for each other row.

    Raises:
        UserError: where the first pair's folder lies in another place.
    """
    path, split = source
    pairs: dict[str, Pair] = {}
    for number, row in rows:
        try:
            pair = pair_of(number, row)
            if pair is not None and pair.id in pairs:
                raise ValueError(f"{pair.id} repeats")
        except ValueError as error:
            problems.append(Problem(str(path), split, number, str(error)))
            continue
        if pair is not None:
            if not pairs:
                require_in_place(root, pair.ground)
                require_in_place(root, pair.aerial)
            pairs[pair.id] = pair
    return tuple(pairs.values())


def quoted(row: Iterable[str]) -> str:
    """A list's row, shortened, for an error message."""
    text = ",".join(row)
    return repr(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")


def write_report(path: Path, problems: Iterable[Problem]) -> None:
    """Writes problems as CSV with a header line.

    Raises:
        UserError: where it cannot be written.
    """
    rows = ([getattr(problem, n) for n in _COLUMNS] for problem in problems)
    atomic_write(path, csv_text([_COLUMNS, *rows]))
