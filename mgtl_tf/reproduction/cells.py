"""Cells of the paper's tables: the paper's figures beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgtl_tf.reproduction.comparison import Difference
from mgtl_tf.reproduction.further import further_cells
from mgtl_tf.reproduction.paper import (
    AREAS,
    DATASETS,
    RECALLS,
    paper_rows,
    today_rows,
)
from mgtl_tf.reproduction.results import (
    CONDITION,
    SEARCH,
    WARM,
    RowResult,
    Table,
)
from mgtl_tf.reproduction.rows import CHANGE_OF, TABLES, TODAY

SIGNIFICANT = "†"
"""Marks a difference that is significant."""
NOT_COMPARED = (CONDITION, SEARCH)
"""Numbers of the tables whose rows are not compared with one another."""

TILES = {
    "hit": "hit rate by VIGOR's code",
    "hit_any_of_4": "hit rate, any of four",
    "within_10m": "first centre within 10 m",
}
"""Figures of overlapping aerial images, as of `tile_ranks`, to columns."""

Cells = dict[str, str]


def compared_with(number: int, rows: Sequence[RowResult]) -> dict[str, str]:
    """Row key to the key of the row that its r@1 is compared with.

    Tables 1, 2 and 2w: our row before; today's: the row that it changes; Table
    4 and the controls: w/ CMI at L = 6.
    """
    run = [row.key for row in rows if row.runs]
    if number in (1, 2, WARM):
        return dict(zip(run[1:], run, strict=False))
    if number == TODAY:
        return {k: o for k, o in CHANGE_OF.items() if {k, o} <= set(run)}
    if number in (3, CONDITION, SEARCH) or "with_cmi" not in run:
        return {}
    return {key: "with_cmi" for key in run if key != "with_cmi"}


def cells_of(table: Table) -> list[Cells]:
    """The rows, each as column name to cell; all have the same columns."""
    ours = {row.key: row for row in table.rows}
    printed = _printed(table)
    pairs: list[tuple[Cells, RowResult | None]] = [
        (paper, ours.pop(paper["row"], None)) for paper in printed
    ]
    cells_of_row = _cost_cells if table.number == 3 else _recall_cells
    if table.number != 3:
        pairs += [({}, row) for row in ours.values()]
    return [cells_of_row(table, paper, row) for paper, row in pairs]


def _printed(table: Table) -> list[Cells]:
    """Published rows of a table; none of our own tables."""
    if table.number == TODAY:
        return today_rows(table.areas)
    return paper_rows(table.number) if table.number in TABLES else []


def _recall_cells(table: Table, paper: Cells, row: RowResult | None) -> Cells:
    cells = {"row": row.title if row else paper["title"]}
    cells |= {name: _recall(row, name) for name in RECALLS}
    if table.areas:
        cells |= {title: _of_tiles(row, name) for name, title in TILES.items()}
    if table.number not in NOT_COMPARED:
        cells["Δ r@1"] = _difference(row.difference if row else None)
    if table.further:
        cells |= further_cells(table.further, row.runs if row else ())
    if table.number == 2:
        cells |= _size_cells(row)
        sizes = paper and f"{paper['parameters']} / {paper['flops']}"
        cells["paper: param. / FLOPs"] = sizes or ""
    if table.number in (*TABLES, TODAY):
        today = table.number == TODAY
        who = "published" if today else "paper"
        data = AREAS if today and table.areas else DATASETS
        for key, name in data.items():
            recalls = paper.get(key, "").replace("-", "–").split()
            title = f"{who}, {name}: {' / '.join(RECALLS)}"
            cells[title] = " / ".join(recalls)
    if table.number == TODAY:
        cells["source of published figures"] = paper.get("source", "")
    if table.number in (1, TODAY) and any(r.complexity for r in table.rows):
        cells |= _size_cells(row) | _descriptor_cells(row)
    return cells


def _recall(row: RowResult | None, name: str) -> str:
    """A recall, or that the row was not run."""
    if row is None:
        return ""
    return _per_cent(row.recalls(name)) if row.runs else "not run"


def _of_tiles(row: RowResult | None, name: str) -> str:
    """A figure of overlapping aerial images."""
    runs = row.runs if row else ()
    return _per_cent(np.array([r.tiles.get(name, np.nan) for r in runs]))


def _per_cent(values: np.ndarray) -> str:
    """Mean and standard deviation over seeds; blank where one is unknown."""
    if not values.size or np.isnan(values).any():
        return ""
    mean = f"{100 * values.mean():.2f}"
    if len(values) == 1:
        return mean
    return f"{mean} ± {100 * values.std(ddof=1):.2f}"


def _difference(value: Difference | None) -> str:
    """Points, their 95 % interval, and a mark where it is significant."""
    if value is None:
        return ""
    mark = f" {SIGNIFICANT}" if value.is_significant else ""
    points = (100 * part for part in (value.mean, value.low, value.high))
    return "{:+.2f} [{:+.2f}, {:+.2f}]".format(*points) + mark


def _size_cells(row: RowResult | None) -> Cells:
    cost = row.complexity if row else None
    if not cost:
        return {"parameters": "", "multiply-adds": ""}
    count = cost["parameters"]
    return {
        # All digits, and millions cut after two decimals as in the paper.
        "parameters": f"{count:,} ({count // 10_000 / 100:.2f}M)",
        "multiply-adds": f"{cost['multiply_adds'] / 1e9:.2f} G",
    }


def _cost_cells(table: Table, paper: Cells, row: RowResult | None) -> Cells:
    size = _size_cells(row)
    cells = {
        "row": paper["title"],
        "parameters": size["parameters"],
        "param., paper": paper["parameters"],
        "multiply-adds": size["multiply-adds"],
        **_descriptor_cells(row),
        "of a batch of 16, ms": "",
        "peak memory, MB": "",
    }
    cost: dict[str, Any] = (row.complexity if row else None) or {}
    if cost:
        peak = cost["peak_bytes"]
        seconds = cost["batch_seconds"] / cost["batch"]
        cells |= {
            "of a batch of 16, ms": f"{1e3 * seconds:.1f}",
            "peak memory, MB": f"{peak / 1e6:,.0f}" if peak else "unknown",
        }
    return cells


def _descriptor_cells(row: RowResult | None) -> Cells:
    cost = row.complexity if row else None
    if not cost:
        return {"descriptor, bytes": "", "one panorama, ms": ""}
    return {
        "descriptor, bytes": f"{cost['descriptor_bytes']:,}",
        "one panorama, ms": f"{1e3 * cost['one_seconds']:.1f}",
    }
