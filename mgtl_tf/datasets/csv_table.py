"""Rows of CSV files, as people and spreadsheets write them.

Accepted: a byte order mark, any line ends, quotes, columns in any order and
beside others, spaces around names and values, names in any case. Refused in
one line: semicolons or tabs between columns, and what is no text.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.plain_files import UnfitFileError, open_plain

DEGREES = ("latitude", "longitude")
SIDE = "side_metres"
"""Column of the ground that a side of an aerial image covers."""
# Most bytes of a list: five million rows.
_LARGEST = 2**29
# Most characters of a line that are looked at; csv takes 131,072 of a value.
_LONGEST_LINE = 10_000
_LIMITS = (90.0, 180.0)
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs"}
SURPLUS = "\0surplus"
"""No column's name: the values of a row that go beyond its header."""


def header_of(path: Path) -> list[str]:
    """The names in a file's first line, in lower case; none of no text."""
    try:
        with _opened(path) as f:
            return _names(next(csv.reader([f.readline(1 << 16)]), []))
    except csv.Error:
        return []


def read_rows(
    path: Path, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows below the header that are not empty, numbered from 1.

    Args:
        path: of the file.
        columns: names that the header must hold, in lower case.

    Yields:
        its number; its values by the columns' names, without spaces around
        them, "" where the row ends before, and those left over by SURPLUS.

    Raises:
        UserError: for a file that cannot be read, a header that lacks a
            column or names one twice, or broken quotes.
    """
    with _opened(path) as file:
        reader = csv.DictReader(file, restkey=SURPLUS, restval="")
        try:
            reader.fieldnames = _names(reader.fieldnames or [])
            _require_columns(path, reader.fieldnames, columns)
            for number, cells in enumerate(reader, start=1):
                surplus = ",".join(cells.pop(SURPLUS, ())).strip(" ,")
                values = {name: value.strip() for name, value in cells.items()}
                # Spreadsheets end with rows of commas alone.
                if surplus or any(values.values()):
                    yield number, values | {SURPLUS: surplus}
        except csv.Error as error:
            raise UserError(
                f"{path}, line {reader.line_num}: {error}"
            ) from None


def headless_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a list without a header, numbered from 1.

    Line by line: a stray quote damages one row, not all after it.

    Raises:
        UserError: for a file that cannot be read.
    """
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            yield number, next(csv.reader([line[:_LONGEST_LINE]]), [])


def degrees_of(values: dict[str, str]) -> tuple[float, float] | None:
    """Latitude and longitude of a row; None where both are empty.

    Raises:
        ValueError: where they are no numbers in range, with the likely
            reason, as a phrase.
    """
    texts = [values[name] for name in DEGREES]
    if not any(texts):
        return None
    try:
        latitude, longitude = map(float, texts)
    except ValueError:
        raise ValueError(_no_degrees(texts)) from None
    for value, limit in zip((latitude, longitude), _LIMITS, strict=True):
        # Written so that NaN, of which every comparison is false, is caught.
        if not abs(value) <= limit:
            raise ValueError(_no_degrees(texts, (latitude, longitude)))
    return latitude, longitude


def metres_of(values: dict[str, str], column: str) -> float | None:
    """A length of a row; None where it is empty.

    Raises:
        ValueError: where it is no number above 0, as a phrase.
    """
    text = values[column]
    try:
        metres = float(text or "nan")
    except ValueError:
        metres = -1.0
    if text and not 0 < metres < math.inf:
        raise ValueError(f"{column} {text[:40]!r} is no number of metres")
    return metres if text else None


def _opened(path: Path) -> TextIO:
    try:
        file = open_plain(path, _LARGEST)
    except UnfitFileError as error:
        raise UserError(f"{path}: {error}; give a CSV file") from error
    # A byte that is no UTF-8 becomes a name that no file has, and is reported
    # as such.
    return io.TextIOWrapper(
        file, encoding="utf-8-sig", errors="replace", newline=""
    )


def _names(values: Sequence[str]) -> list[str]:
    return [value.strip().lower() for value in values]


def _require_columns(
    path: Path, names: Sequence[str], columns: Sequence[str]
) -> None:
    wanted = ",".join(columns)
    missing = [name for name in columns if name not in names]
    if missing and len(names) == 1:
        for separator, words in _OTHER_SEPARATORS.items():
            if separator in names[0]:
                raise UserError(
                    f"{path}: its columns are separated by {words}; write"
                    f" commas between them and points in numbers: {wanted}"
                )
    if missing and any("\0" in n or "\ufffd" in n for n in names):
        raise UserError(f"{path}: no CSV text; write it as UTF-8")
    if missing:
        raise UserError(
            f"{path}: its first line lacks {', '.join(missing)}; it must be"
            f" {wanted}"
        )
    twice = next((name for name in columns if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"{path}: its first line names {twice} twice")


def _no_degrees(
    texts: Sequence[str], values: tuple[float, float] | None = None
) -> str:
    message = f"{','.join(text[:40] for text in texts)!r}"
    message += " is no latitude and longitude in degrees"
    if any("," in text for text in texts):
        return message + "; write a decimal point, not a comma"
    if not all(texts):
        return message + "; give both, or neither"
    if values and 90 < abs(values[0]) <= 180 and abs(values[1]) <= 90:
        return message + "; latitude comes first (swapped?)"
    return message
