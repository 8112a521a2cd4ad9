"""What is wrong with a data set: its folders, and the rows of its lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mgtl_tf.datasets.records import Pair
from mgtl_tf.utils.atomic_io import atomic_write
from mgtl_tf.utils.errors import UserError
from polar.text import csv_text

ERROR, WARNING = "error", "warning"
_LONGEST = 120
# How many folders too many a download may come with.
_LEVELS = 3
_COLUMNS = ("severity", "split", "row", "id", "file", "reason")

Row = TypeVar("Row")


@dataclass(frozen=True)
class Problem:
    """One line of a report.

    Attributes:
        file: the list or the image that is at fault.
        split: "train" or "validation"; "gallery" for aerial images without
            a panorama; "" for a table of all.
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


def find_root(root: Path, marker: Path, beside: str = "") -> Path:
    """`root`, if it holds the marker file.

    Args:
        root: the folder that was given.
        marker: a file of every such data set, relative to its folder.
        beside: name of a folder that the marker belongs next to, not into.

    Raises:
        UserError: otherwise, with the folder that was probably meant, or
            what to move.
    """
    if (root / marker).is_file():
        return root
    if not root.is_dir():
        raise UserError(f"{root}: no such folder")
    near = [root.parent, *_folders(root)]
    meant = next((p for p in near if (p / marker).is_file()), None)
    if meant is None:
        require_in_place(root, root / marker)
        raise UserError(f"{root}: holds no {marker}")
    hint = f"did you mean {meant}?"
    if beside and meant.name == beside:
        hint = f"move {meant / marker} to {meant.parent / marker}"
    raise UserError(f"{root}: holds no {marker}; {hint}")


def require_in_place(root: Path, path: Path) -> None:
    """Refuses a folder that lies in another place.

    Args:
        root: the data set's folder.
        path: one of its files; where its folder is missing, it is looked for
            with folders too many or too few around it.

    Raises:
        UserError: where it is found elsewhere, with what to move.
    """
    # os.path's: a name too long for any file is then no folder, not an error.
    if os.path.isdir(path.parent):
        return
    file = path.relative_to(root) if path.is_relative_to(root) else path
    for folder in (root, *_folders(root)):
        for first in range(len(file.parts) - 1):
            found = folder.joinpath(*file.parts[first:])
            if os.path.isfile(found):
                what = str(folder / file.parts[first])
                where = root.joinpath(*file.parts[: first + 1])
                raise _misplaced(path, found, what, where)
    # A file's name alone is little evidence: only the last folder may lack.
    found = path.parent.parent / path.name
    if os.path.isfile(found):
        what = f"the files of {found.parent}"
        raise _misplaced(path, found, what, path.parent)


def _misplaced(path: Path, found: Path, what: str, where: Path) -> UserError:
    return UserError(
        f"{path} is not there, but {found} is; move {what} to {where}"
    )


def _folders(root: Path) -> Iterator[Path]:
    """Folders below a root, nearest first, a few levels deep."""
    level = [root]
    for _ in range(_LEVELS):
        level = [child for folder in level for child in _children(folder)]
        yield from level


def _children(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if e.is_dir())
    except OSError:
        return []
