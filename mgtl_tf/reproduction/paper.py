"""Tables 1 to 4 as the paper prints them, every cell, from paper.csv.

Nothing in that file was computed by us. Recalls stand in the order of
`RECALLS`, per cent, "-" where the paper has none. The figures that today's
systems are published with, by their authors or a leaderboard, are in
today.csv, each row with its source; those on VIGOR in vigor.csv.
"""

from __future__ import annotations

import csv
from pathlib import Path

RECALLS = ("r@1", "r@5", "r@10", "r@1%")
DATASETS = {"cvusa": "CVUSA", "cvact": "CVACT_val"}
"""The paper's data sets, by our names."""
AREAS = {"same": "VIGOR, same-area", "cross": "VIGOR, cross-area"}
"""VIGOR's protocols, by our names."""


def paper_rows(table: int) -> list[dict[str, str]]:
    """The rows (in Table 4: the columns) of a table, in the paper's order.

    Returns:
        for each row "title"; "row", the key of our row of the same name;
        "cvusa" and "cvact", four recalls each; "parameters" ("79.27M") and
        "flops" ("4.43G"). Empty where the paper or we have none.
    """
    return [r for r in _rows("paper.csv") if r["table"] == str(table)]


def today_rows(areas: bool = False) -> list[dict[str, str]]:
    """Today's systems as published, worst first, by the first recall of all.

    Args:
        areas: whether on VIGOR, in place of CVUSA and CVACT.

    Returns:
        for each system "title", "row", "cvusa" and "cvact" (or, of VIGOR,
        "same" and "cross"), as of `paper_rows`, and "source".
    """
    return _rows("vigor.csv" if areas else "today.csv")


def _rows(name: str) -> list[dict[str, str]]:
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
