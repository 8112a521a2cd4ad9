"""Text of any origin, such as file names, escaped for output.

A name's bytes that are not UTF-8 are lone surrogates in Python (PEP 383), and
no UTF-8 file takes them; other names hold line breaks or control characters,
or look like a spreadsheet's formula.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

_FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_SURROGATE = re.compile("[\ud800-\udfff]")
# Persian and Indic words hold them; they move nothing.
_JOINERS = "\u200c\u200d"
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def utf8_text(text: object) -> str:
    """Text for JSON, CSV and HTML.

    A byte that is no UTF-8 becomes \\xNN, another lone surrogate \\uNNNN.
    """
    return _SURROGATE.sub(lambda found: _escape(found.group()), str(text))


def printable(text: object) -> str:
    """Text for people: one line that does nothing to a terminal.

    Line breaks, control characters and those that turn the direction of
    writing become escapes, too.
    """
    return "".join(
        char if _is_harmless(char) else _escape(char) for char in str(text)
    )


def csv_text(rows: Iterable[Iterable[Any]], raw: bool = False) -> str:
    """Rows as CSV, each line ended by a newline.

    Args:
        rows: of cells; None is an empty one. Strings become `utf8_text`; what
            a spreadsheet may take for a formula begins with an apostrophe.
        raw: whether formulas stay as they are.
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
    text = utf8_text(value)
    formula = not raw and text.startswith(_FORMULA_STARTS)
    return f"'{text}" if formula else text


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
