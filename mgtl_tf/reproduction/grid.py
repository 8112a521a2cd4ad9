"""A table of text, and its three forms: screen, Markdown, CSV."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from polar.text import csv_text, defused, is_number

_NOTHING = "–"


@dataclass(frozen=True)
class Grid:
    """A title, column heads, rows of cells, notes below.

    Attributes:
        title: what the table is of.
        heads: one a column.
        rows: as many cells each as there are heads.
        notes: lines below it.
        groups: one a column: what neighbouring columns have in common, such
            as "CVUSA, paper"; empty for a column of its own. Markdown, which
            has little room, shows a group as one column.
    """

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    groups: Sequence[str] = ()

    def text(self) -> str:
        """For a screen: columns aligned by blanks, groups above them."""
        lines = [self.heads, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in self._columns]
        shown = [
            "  ".join(_padded(line[i], widths[i], i) for i in self._columns)
            for line in lines
        ]
        rule = "-" * len(shown[0])
        body = [line.rstrip() for line in shown]
        above = self._group_line(widths)
        notes = [f"  {note}" for note in self.notes]
        return "\n".join(
            [self.title, "", *above, body[0], rule, *body[1:], *notes]
        )

    def _group_line(self, widths: Sequence[int]) -> list[str]:
        if not any(self.groups):
            return []
        parts = []
        for name, columns in self._spans():
            room = sum(widths[i] for i in columns) + 2 * (len(columns) - 1)
            parts.append(name[:room].center(room))
        return ["  ".join(parts).rstrip()]

    def markdown(self) -> str:
        """For a page; the first column to the left, others to the right."""
        spans = list(self._spans())
        heads = [self._joined(name, columns) for name, columns in spans]
        rule = ["---", *["---:"] * (len(spans) - 1)]
        rows = [
            [_cell(row, columns) for _, columns in spans] for row in self.rows
        ]
        escaped = [[c.replace("|", "\\|") for c in r] for r in (heads, *rows)]
        lines = [escaped[0], rule, *escaped[1:]]
        table = [f"| {' | '.join(line)} |" for line in lines]
        notes = [f"- {note}" for note in self.notes]
        blank = [""] if notes else []
        return "\n".join([f"**{self.title}**", "", *table, *blank, *notes])

    def csv(self) -> str:
        """For a program: heads and rows alone, groups before their heads.

        What a spreadsheet would take for a formula is defused, numbers are
        not touched.
        """
        groups = self.groups or [""] * len(self.heads)
        pairs = zip(groups, self.heads, strict=True)
        heads = [f"{group}: {head}" if group else head for group, head in pairs]
        rows = [
            [c if is_number(c) else defused(c) for c in row]
            for row in [heads, *self.rows]
        ]
        return csv_text(rows, raw=True)

    @property
    def _columns(self) -> range:
        return range(len(self.heads))

    def _spans(self) -> Iterator[tuple[str, list[int]]]:
        """(group, its columns); a column without a group is alone."""
        groups = self.groups or [""] * len(self.heads)
        keys = ((groups[i], -1 if groups[i] else i) for i in self._columns)
        for (name, _), found in itertools.groupby(
            zip(keys, self._columns, strict=True), key=lambda pair: pair[0]
        ):
            yield name, [column for _, column in found]

    def _joined(self, name: str, columns: Sequence[int]) -> str:
        heads = " / ".join(self.heads[i] for i in columns)
        return f"{name}: {heads}" if name else heads


def _cell(row: Sequence[str], columns: Sequence[int]) -> str:
    cells = [row[i] for i in columns]
    if len(cells) == 1 or not any(cells):
        return cells[0]
    return " / ".join(cell or _NOTHING for cell in cells)


def _padded(cell: str, width: int, column: int) -> str:
    return cell.rjust(width) if column else cell.ljust(width)
