"""A table of text, and its three forms: screen, Markdown, CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Grid:
    """A title, column heads, rows of cells, notes below.

    Attributes:
        title: what the table is of.
        heads: one a column.
        rows: as many cells each as there are heads.
        notes: lines below it.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def text(self) -> str:
        """For a screen: columns aligned by blanks."""
        lines = [self.heads, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in self._columns]
        shown = [
            "  ".join(_padded(line[i], widths[i], i) for i in self._columns)
            for line in lines
        ]
        rule = "-" * len(shown[0])
        body = [line.rstrip() for line in shown]
        notes = [f"  {note}" for note in self.notes]
        return "\n".join([self.title, "", body[0], rule, *body[1:], *notes])

    def markdown(self) -> str:
        """For a page; the first column to the left, others to the right."""
        rule = ["---", *["---:"] * (len(self.heads) - 1)]
        lines = [self.heads, rule, *self.rows]
        table = [f"| {' | '.join(line)} |" for line in lines]
        notes = [f"- {note}" for note in self.notes]
        blank = [""] if notes else []
        return "\n".join([f"**{self.title}**", "", *table, *blank, *notes])

    def csv(self) -> str:
        """For a program: heads and rows alone."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([self.heads, *self.rows])
        return out.getvalue()

    @property
    def _columns(self) -> range:
        return range(len(self.heads))


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)
