"""Tables 1 to 4 as the paper prints them, every cell, from paper.csv.

Percentages, G multiply-adds or floating-point operations (the paper says
"FLOPs"), M parameters, as printed. Recalls stand in the order of `RECALLS`,
"-" where the paper has none. Nothing in that file was computed by us.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RECALLS = ("r@1", "r@5", "r@10", "r@1%")
DATASETS = {"cvusa": "CVUSA", "cvact": "CVACT_val"}
"""The paper's data sets, by our names."""


@dataclass(frozen=True)
class PaperRow:
    """One row (in Table 4: one column) of a table of the paper.

    Attributes:
        table: 1 to 4.
        title: as the paper prints it.
        row: key of our row of the same name; empty where we have none.
        recalls: data set to recall in percent, by the names of `RECALLS`.
        parameters: as printed, "79.27M"; empty where not printed.
        flops: as printed, "4.43G"; empty where not printed.
    """

    table: int
    title: str
    row: str
    recalls: Mapping[str, Mapping[str, float]]
    parameters: str
    flops: str


def paper_rows(table: int) -> tuple[PaperRow, ...]:
    """The rows of a table, in the paper's order.

    Raises:
        KeyError: for a table that the paper does not have.
    """
    found = tuple(row for row in _all_rows() if row.table == table)
    if not found:
        raise KeyError(table)
    return found


@functools.cache
def _all_rows() -> tuple[PaperRow, ...]:
    text = Path(__file__).with_name("paper.csv").read_text(encoding="utf-8")
    return tuple(
        PaperRow(
            int(line["table"]),
            line["title"],
            line["row"],
            {name: _recalls(line[name]) for name in DATASETS if line[name]},
            line["parameters"],
            line["flops"],
        )
        for line in csv.DictReader(text.splitlines())
    )


def _recalls(text: str) -> dict[str, float]:
    pairs = zip(RECALLS, text.split(), strict=True)
    return {name: float(cell) for name, cell in pairs if cell != "-"}
