"""A table's figures again from the ranks of its runs, and what disagrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from mgtl_tf.reproduction.cells import cells_of, compared_with
from mgtl_tf.reproduction.comparison import paired_difference
from mgtl_tf.reproduction.results import (
    FurtherResult,
    RowResult,
    RunResult,
    Table,
    recalls_of,
)
from mgtl_tf.utils.errors import UserError

StudyRanks = Mapping[str, np.ndarray]
"""`ranks_key` to ranks of the panoramas, int [Q], from 1."""


def ranks_key(row: str, seed: int, gallery: str) -> str:
    """Names the ranks of a row's run on a gallery of this digest."""
    return f"{row}-seed{seed}-{gallery}"


def row_of(key: str) -> str:
    """The row of a key that `ranks_key` made."""
    return key.partition("-seed")[0]


def recomputed(table: Table, ranks: StudyRanks) -> Table:
    """The table with recalls and differences of the ranks.

    Runs of which only the recalls are left, and the differences of such
    rows, stay as they are.

    Raises:
        UserError: for a run whose ranks on the table's gallery are missing,
            or are not one for each query.
    """
    rows = {row.key: _row(row, ranks) for row in table.rows}
    for key, other in compared_with(table.number, table.rows).items():
        if all(run.gallery for k in (key, other) for run in rows[k].runs):
            pair = (_places(rows[k], ranks) for k in (key, other))
            rows[key] = replace(rows[key], difference=paired_difference(*pair))
    return replace(table, rows=tuple(rows.values()))


def require_agreement(table: Table, ranks: StudyRanks, origin: str) -> None:
    """Refuses a table with a cell that is not of its runs' ranks.

    Args:
        table: as it was stored.
        ranks: of its study.
        origin: names the table in errors.

    Raises:
        UserError: naming the first such cell, or a run without ranks.
    """
    again = recomputed(table, ranks)
    for stored, right in zip(cells_of(table), cells_of(again), strict=True):
        for name, cell in stored.items():
            if cell != right[name]:
                raise UserError(
                    f"{origin}: {table.heading}, {stored['row']}, {name}: says"
                    f" {cell!r}, and the ranks say {right[name]!r}; publish the"
                    " study again"
                )


def _row(row: RowResult, ranks: StudyRanks) -> RowResult:
    return replace(row, runs=tuple(_run(row.key, r, ranks) for r in row.runs))


def _run(key: str, run: RunResult, ranks: StudyRanks) -> RunResult:
    if run.gallery:
        place = _of(ranks, key, run.seed, run.gallery)
        run = replace(run, recalls=recalls_of(place, run.places))
    if run.further:
        place = _of(ranks, key, run.seed, run.further.gallery)
        run = replace(run, further=_further(run.further, place))
    return run


def _further(found: FurtherResult, place: np.ndarray) -> FurtherResult:
    return replace(
        found,
        pairs=len(place),
        recalls=recalls_of(place, found.places),
        median_rank=float(np.median(place)),
    )


def _places(row: RowResult, ranks: StudyRanks) -> list[np.ndarray]:
    return [_of(ranks, row.key, run.seed, run.gallery) for run in row.runs]


def _of(ranks: StudyRanks, row: str, seed: int, gallery: str) -> np.ndarray:
    key = ranks_key(row, seed, gallery)
    if key not in ranks:
        raise UserError(
            f"{key}: there are no ranks of this run on this gallery; publish"
            " its study again"
        )
    return ranks[key]
