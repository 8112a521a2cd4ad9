"""A table of the paper as a grid: our columns, then the paper's own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mgtl_tf.reproduction.bootstrap import Difference
from mgtl_tf.reproduction.cost_layout import NO_FLOPS, cost_cells, cost_grid
from mgtl_tf.reproduction.grid import Grid
from mgtl_tf.reproduction.measured import CONTROLS, HARDER, MeasuredTable
from mgtl_tf.reproduction.paper import RECALLS, PaperRow, paper_rows
from mgtl_tf.reproduction.results import RowResult
from mgtl_tf.reproduction.rows import TABLES

_PAPER_DATA = {"cvusa": "CVUSA", "cvact": "CVACT_val"}
_BEYOND = "†"


def table_grid(table: MeasuredTable) -> Grid:
    """A table with our figures and, where it is theirs, the paper's beside."""
    if table.number not in TABLES:
        return _own_grid(table)
    if table.number == 3:
        return cost_grid(table.rows, table.notes)
    ours = {row.key: row for row in table.rows}
    lines = []
    for paper in paper_rows(table.number):
        row = ours.pop(paper.row, None)
        lines.append(_line(table, paper, row))
    for row in ours.values():
        lines.append(_line(table, None, row))
    heads, groups = _heads(table.number)
    return Grid(_title(table), heads, lines, _notes(table), groups)


def _title(table: MeasuredTable) -> str:
    title = f"{table.heading}. {table.measured_on}"
    if table.gallery is None:
        return title
    return f"{title}, gallery of {table.gallery.size:,} places"


def _heads(number: int) -> tuple[list[str], list[str]]:
    """Heads of the columns, and the groups that they belong to."""
    columns = [("row", ""), *((name, "") for name in RECALLS), ("Δ r@1", "")]
    if number == 2:
        columns += [("parameters", ""), ("multiply-adds", "")]
        columns += [("param.", "paper"), ("FLOPs", "paper")]
    for data in _PAPER_DATA.values():
        columns += [(name, f"paper, {data}") for name in RECALLS]
    return [head for head, _ in columns], [group for _, group in columns]


def _line(
    table: MeasuredTable, paper: PaperRow | None, row: RowResult | None
) -> list[str]:
    line = [row.title if row else paper.title if paper else ""]
    line += _own_cells(table, row)
    if table.number == 2:
        line += cost_cells(row)
        line += [paper.parameters, paper.flops] if paper else ["", ""]
    for data in _PAPER_DATA:
        cells = paper.recalls.get(data, {}) if paper else {}
        line += [f"{cells[n]:.2f}" if n in cells else "" for n in RECALLS]
    return line


def _own_cells(table: MeasuredTable, row: RowResult | None) -> list[str]:
    """Recalls, and the difference to another row."""
    if row is None:
        return [""] * (len(RECALLS) + 1)
    recalls = [_recall(row, name) for name in RECALLS]
    return [*recalls, difference_text(table.differences.get(row.key))]


def _recall(row: RowResult, name: str) -> str:
    """Per cent: mean and standard deviation over seeds."""
    if not row.seeds:
        return "not run"
    mean, spread = 100 * row.mean(name), 100 * row.spread(name)
    if math.isnan(mean):  # The note below the table says why.
        return ""
    return f"{mean:.2f}" if math.isnan(spread) else f"{mean:.2f} ± {spread:.2f}"


def difference_text(value: Difference | None) -> str:
    """Points, their 95 % interval, and a mark where that is beyond noise."""
    if value is None:
        return ""
    mark = f" {_BEYOND}" if value.beyond_noise else ""
    return (
        f"{100 * value.mean:+.2f}"
        f" [{100 * value.low:+.2f}, {100 * value.high:+.2f}]{mark}"
    )


def _notes(table: MeasuredTable) -> list[str]:
    seeds = ", ".join(map(str, table.seeds))
    notes = [
        "Per cent, ground to satellite; mean ± standard deviation over seeds"
        f" {seeds};{_gallery(table)} ties count against the model (R20).",
        *_difference_notes(table),
        *_pairs_seen(table.rows),
    ]
    if table.made_world:
        notes.append(
            "Ours are on a synthetic world, from random weights, with small"
            " networks: they are not CVUSA or CVACT results, and only their"
            " order can be held against the paper's."
        )
    notes += [NO_FLOPS] if table.number == 2 else []
    return [*notes, *table.notes]


def _gallery(table: MeasuredTable) -> str:
    found = table.gallery
    return f" gallery {found.name}, {found.size:,} places;" if found else ""


def _difference_notes(table: MeasuredTable) -> list[str]:
    if table.number == HARDER:
        return []
    to_cmi = table.number in (CONTROLS, 4)
    other = "w/ CMI, L = 6" if to_cmi else "our row above"
    return [
        f"Δ r@1: points more than {other}, and the interval that holds 95 % of"
        f" 10,000 paired resamples of the queries. {_BEYOND}: beyond noise,"
        " that is, the interval leaves out zero and the difference is more"
        " than twice the standard error over seeds."
    ]


def _pairs_seen(rows: Sequence[RowResult]) -> list[str]:
    """How many pairs every row was trained on, counted as often as seen."""
    seen = {row.title: row.seeds[0].pairs for row in rows if row.seeds}
    if len(set(seen.values())) == 1:
        return [f"Every row has seen {next(iter(seen.values())):,} pairs."]
    listed = "; ".join(f"{title} {count:,}" for title, count in seen.items())
    return [f"Pairs seen in training: {listed}."] if seen else []


def _own_grid(table: MeasuredTable) -> Grid:
    """Rows of a table that the paper does not have."""
    heads = ["row", *RECALLS]
    heads += [] if table.number == HARDER else ["Δ r@1"]
    lines = [
        [row.title, *_own_cells(table, row)][: len(heads)] for row in table.rows
    ]
    return Grid(_title(table), heads, lines, _notes(table))
