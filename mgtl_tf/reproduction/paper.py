"""Tables 1 to 4 as the paper prints them, every cell, as data.

Percentages, G multiply-adds or floating-point operations (the paper says
"FLOPs"), M parameters, as printed. A cell that the paper leaves out is
missing here. Nothing in this file was computed by us.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

RECALLS = ("r@1", "r@5", "r@10", "r@1%")
DATASETS = ("cvusa", "cvact")
"""Table 1's CVACT is the validation split."""


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
    row: str = ""
    recalls: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    parameters: str = ""
    flops: str = ""


def _row(
    table: int,
    title: str,
    row: str,
    cvusa: str = "",
    cvact: str = "",
    parameters: str = "",
    flops: str = "",
) -> PaperRow:
    printed = {"cvusa": cvusa, "cvact": cvact}
    recalls = {name: _cells(text) for name, text in printed.items() if text}
    return PaperRow(table, title, row, recalls, parameters, flops)


def _cells(text: str) -> dict[str, float]:
    """Four cells, "-" where the paper has none."""
    pairs = zip(RECALLS, text.split(), strict=True)
    return {name: float(cell) for name, cell in pairs if cell != "-"}


PAPER: tuple[PaperRow, ...] = (
    _row(1, "Workman et al. 2015", "", "- - - 34.30"),
    _row(1, "Vo and Hays 2016", "", "- - - 63.70"),
    _row(1, "Zhai et al. 2017", "", "- - - 43.20"),
    _row(
        1,
        "CVM-Net 2018",
        "",
        "22.47 49.98 63.18 93.62",
        "20.15 45.00 56.87 87.57",
    ),
    _row(
        1,
        "Liu and Li 2019",
        "",
        "40.79 66.82 76.36 96.12",
        "46.96 68.28 75.48 92.04",
    ),
    _row(1, "Regmi and Shah 2019", "", "48.75 - 81.27 95.98"),
    _row(
        1,
        "SAFA 2019",
        "safa",
        "89.84 96.93 98.14 99.64",
        "81.03 92.80 94.84 98.17",
    ),
    _row(
        1, "CVFT 2020", "", "61.43 84.69 90.49 99.02", "61.05 81.33 86.52 95.93"
    ),
    _row(
        1, "DSM 2020", "", "91.96 97.50 98.54 99.67", "82.49 92.44 93.99 97.32"
    ),
    _row(
        1,
        "Toker et al. 2021",
        "",
        "92.56 97.55 98.33 99.57",
        "83.28 93.57 95.42 98.22",
    ),
    _row(
        1,
        "L2LTR 2021",
        "l2ltr",
        "94.05 98.27 98.99 99.67",
        "84.89 94.59 95.96 98.37",
    ),
    _row(
        1,
        "MGTL",
        "with_cmi",
        "94.11 98.30 99.03 99.74",
        "85.35 94.45 96.06 98.48",
    ),
    _row(
        2,
        "VGG16",
        "vgg",
        "79.94 93.66 96.25 99.31",
        "70.67 87.73 91.13 95.78",
        "29.42M",
        "4.01G",
    ),
    _row(
        2,
        "VGG16, w/o CMI",
        "without_cmi",
        "91.42 97.42 98.46 99.63",
        "81.25 92.94 94.81 98.11",
        "50.92M",
        "4.16G",
    ),
    _row(
        2,
        "VGG16, w/ CMI",
        "with_cmi",
        "94.11 98.30 99.03 99.74",
        "85.35 94.45 96.06 98.48",
        "79.27M",
        "4.43G",
    ),
    _row(3, "L2LTR (ResNet50)", "l2ltr", parameters="195.9M"),
    _row(3, "MGTL (VGG16)", "with_cmi", parameters="72.29M"),
    _row(
        4,
        "CMI (L=1)",
        "steps1",
        "86.44 96.20 97.74 98.64",
        "73.06 88.32 91.13 95.85",
    ),
    _row(
        4,
        "CMI (L=3)",
        "steps3",
        "89.08 96.89 98.17 99.30",
        "80.51 92.13 94.16 98.01",
    ),
    _row(
        4,
        "CMI (L=6)",
        "with_cmi",
        "94.11 98.30 99.03 99.74",
        "85.35 94.45 96.06 98.48",
    ),
    _row(
        4,
        "CMI (L=9)",
        "steps9",
        "93.81 98.28 99.02 99.71",
        "84.37 93.98 95.59 98.35",
    ),
    _row(4, "Naïve (L=6)", "naive"),
)


def paper_rows(table: int) -> tuple[PaperRow, ...]:
    """The rows of a table, in the paper's order.

    Raises:
        KeyError: for a table that the paper does not have.
    """
    found = tuple(row for row in PAPER if row.table == table)
    if not found:
        raise KeyError(table)
    return found
