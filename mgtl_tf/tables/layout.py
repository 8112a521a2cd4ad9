"""A table of the paper as a grid: our columns, then the paper's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass

from mgtl_tf.tables.bootstrap import Difference
from mgtl_tf.tables.bootstrap import paired_difference
from mgtl_tf.tables.cost_layout import NO_FLOPS
from mgtl_tf.tables.cost_layout import cost_cells
from mgtl_tf.tables.cost_layout import cost_grid
from mgtl_tf.tables.grid import Grid
from mgtl_tf.tables.paper import RECALLS
from mgtl_tf.tables.paper import PaperRow
from mgtl_tf.tables.paper import paper_rows
from mgtl_tf.tables.results import RowResult

_PAPER_DATA = {"cvusa": "CVUSA", "cvact": "CVACT_val"}
_BEYOND = "†"

Differences = Mapping[str, Difference]


@dataclass(frozen=True)
class Context:
    """What a table's caption must say.

    Attributes:
        study: name of the benchmark or data set.
        measured_on: what recall is of, in words.
        seeds: of every row.
        gallery_size: N.
        notes: further lines, such as "w/o CMI was not run".
    """

    study: str
    measured_on: str
    seeds: Sequence[int]
    gallery_size: int
    notes: Sequence[str] = ()


def table_grid(
    number: int, rows: Sequence[RowResult], context: Context
) -> Grid:
    """Table `number` with our figures and the paper's side by side.

    Args:
        number: 1 to 4.
        rows: ours, in the order of the table; rows of the paper that are
            not among them are shown with the paper's figures alone.
        context: for the caption.
    """
    if number == 3:
        return cost_grid(rows, context.notes)
    ours = {row.key: row for row in rows}
    differences = differences_of(number, rows)
    lines = []
    for paper in paper_rows(number):
        row = ours.pop(paper.row, None)
        lines.append(_line(number, paper, row, differences))
    for row in ours.values():
        lines.append(_line(number, None, row, differences))
    heads, groups = _heads(number)
    return Grid(
        f"Table {number}. {context.measured_on}",
        heads,
        lines,
        [*_notes(number, rows, context), *context.notes],
        groups,
    )


def differences_of(
    number: int, rows: Sequence[RowResult]
) -> dict[str, Difference]:
    """Row key to its r@1 less that of the row it is compared with.

    Tables 1 and 2 compare with the row of ours before; Table 4, and the
    controls (0), with w/ CMI at L = 6.
    """
    run = [row for row in rows if row.seeds]
    found = {}
    for index, row in enumerate(run):
        other = run[index - 1] if index else None
        if number in (0, 4):
            other = next((r for r in run if r.key == "with_cmi"), None)
        if other is not None and other.key != row.key:
            found[row.key] = paired_difference(row.ranks, other.ranks)
    return found


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
    number: int,
    paper: PaperRow | None,
    row: RowResult | None,
    differences: Differences,
) -> list[str]:
    line = [row.title if row else paper.title if paper else ""]
    line += [_recall(row, name) if row else "" for name in RECALLS]
    line += [difference_text(differences.get(row.key)) if row else ""]
    if number == 2:
        line += cost_cells(row)
        line += [paper.parameters, paper.flops] if paper else ["", ""]
    for data in _PAPER_DATA:
        cells = paper.recalls.get(data, {}) if paper else {}
        line += [f"{cells[n]:.2f}" if n in cells else "" for n in RECALLS]
    return line


def _recall(row: RowResult, name: str) -> str:
    """Per cent: mean and standard deviation over seeds."""
    mean, spread = 100 * row.mean(name), 100 * row.spread(name)
    if math.isnan(mean):
        return "not run"
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


def _notes(
    number: int, rows: Sequence[RowResult], context: Context
) -> list[str]:
    seeds = ", ".join(map(str, context.seeds))
    other = "w/ CMI, L = 6" if number in (0, 4) else "our row above"
    notes = [
        "Per cent, ground to satellite; mean ± standard deviation over seeds"
        f" {seeds}; gallery of {context.gallery_size:,} places; ties count"
        " against the model (R20).",
        f"Δ r@1: points more than {other}, and the interval that holds 95 % of"
        f" 10,000 paired resamples of the queries. {_BEYOND}: beyond noise,"
        " that is, the interval leaves out zero and the difference is more"
        " than twice the standard error over seeds.",
        *_pairs_seen(rows),
    ]
    if context.study.startswith("procedural"):
        notes.append(
            "Ours are on a made world, from random weights, with small"
            " networks: they are not CVUSA or CVACT results, and only their"
            " order can be held against the paper's."
        )
    return [*notes, NO_FLOPS] if number == 2 else notes


def _pairs_seen(rows: Sequence[RowResult]) -> list[str]:
    """How many pairs every row was trained on, counted as often as seen."""
    seen = {
        row.title: row.seeds[0].steps * row.config.train.batch_size
        for row in rows
        if row.seeds and row.config
    }
    if len(set(seen.values())) == 1:
        return [f"Every row has seen {next(iter(seen.values())):,} pairs."]
    listed = "; ".join(f"{title} {count:,}" for title, count in seen.items())
    return [f"Pairs seen in training: {listed}."] if seen else []


def controls_grid(rows: Sequence[RowResult], context: Context) -> Grid:
    """Rows that are in no table of the paper, each against w/ CMI."""
    differences = differences_of(0, rows)
    lines = [
        [
            row.title,
            *(_recall(row, name) for name in RECALLS),
            difference_text(differences.get(row.key)),
        ]
        for row in rows
    ]
    heads = ["row", *RECALLS, "Δ r@1"]
    notes = [*_notes(0, rows, context), *context.notes]
    return Grid(f"Controls. {context.measured_on}", heads, lines, notes)
