"""File names and other text of any origin, escaped for output.

Python reads bytes of a name that are not UTF-8 as lone surrogates (PEP 383),
which no UTF-8 file takes; other names hold line breaks, control characters,
or look like a spreadsheet's formula.

    spelled   for JSON, CSV, HTML: a byte that is no UTF-8 becomes \\xNN,
              another lone surrogate \\uNNNN
    shown     for people: also no line break, no control character
    csv_text  for spreadsheets: also no formula
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet may take a cell that begins so for a formula."""

_SURROGATE = re.compile("[\ud800-\udfff]")
# Persian and Indic words hold them; they move nothing.
_JOINERS = "\u200c\u200d"
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def spelled(text: object) -> str:
    """The text as UTF-8 can hold it.

    Args:
        text: a string, a path, or what `str` makes one of.

    Returns:
        It, but lone surrogates as \\xNN (of a byte) or \\uNNNN.
    """
    return _SURROGATE.sub(lambda found: _escape(found.group()), str(text))


def shown(text: object) -> str:
    """The text as one line that does nothing to a terminal.

    Line breaks, control characters and those that turn the direction of
    writing are shown as escapes, as `spelled` ones are.

    Args:
        text: as of `spelled`.
    """
    return "".join(
        char if _is_harmless(char) else _escape(char) for char in str(text)
    )


def defused(text: str) -> str:
    """The text as a spreadsheet's text: a formula gets an apostrophe first."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def csv_text(rows: Iterable[Iterable[Any]], raw: bool = False) -> str:
    """Rows as CSV, each line ended by a newline.

    Args:
        rows: of cells; None is an empty one. Strings are spelled and
            defused; numbers stay numbers.
        raw: whether strings that look like formulas stay as they are.
    """
    return "".join(
        _line([_cell(cell, raw) for cell in row]) + "\n" for row in rows
    )


def _line(cells: list[Any]) -> str:
    text = io.StringIO()
    # Only what is in the line's own end is quoted within a cell.
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().removesuffix("\r\n")


def _cell(value: Any, raw: bool) -> Any:
    if not isinstance(value, str):
        return value
    return spelled(value) if raw else defused(spelled(value))


def _is_harmless(char: str) -> bool:
    if char.isprintable() or char in _JOINERS:
        return True
    return unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte, as PEP 383 carries it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return _SHORT.get(char, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
