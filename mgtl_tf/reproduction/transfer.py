"""The figures of the shipped model that pages show, as files of docs/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mgtl_tf.evaluation.ranks import Ranks
from mgtl_tf.metrics import summary
from mgtl_tf.reproduction.further import interval_text
from mgtl_tf.reproduction.published_ranks import (
    FIGURES,
    ranks_beside,
    write_figures,
)
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json

_FOLDER = Path("results") / "synthetic-to-real"
_REMEDY = "publish the run again"
_REAL, _TOWN = "real-ranks.npz", "synthetic-ranks.npz"


@dataclass(frozen=True)
class TransferFigures:
    """Of one run that was measured on real pairs.

    Attributes:
        date: of the evaluation.
        machine: that trained it.
        sets: pairs of each real set, in the order of the ranks.
        real: digest of the gallery of all real pairs.
        synthetic: digest of the unseen town's pairs.
    """

    date: str
    machine: str
    sets: dict[str, int]
    real: str
    synthetic: str


def write_transfer(
    figures: TransferFigures, real: Ranks, synthetic: Ranks, docs: Path
) -> Path:
    """Writes figures and ranks to docs/results/; the figures' path.

    Raises:
        UserError: where they cannot be written.
    """
    ranks = {_REAL: real, _TOWN: synthetic}
    return write_figures(docs / _FOLDER, figures, ranks)


def transfer_rows(docs: Path) -> list[list[str]]:
    """Recall on real pairs and on the unseen town, as cells.

    Raises:
        UserError: for files that cannot be read, or ranks on another gallery
            or of another number of pairs.
    """
    path = docs / _FOLDER / FIGURES
    figures = read_json(path, TransferFigures, _REMEDY)
    real = ranks_beside(path, _REAL, figures.real, _REMEDY)
    town = ranks_beside(path, _TOWN, figures.synthetic, _REMEDY)
    place = real.forth.place
    if sum(figures.sets.values()) != len(place):
        raise UserError(
            f"{path}: tells of {sum(figures.sets.values())} pairs, the ranks"
            f" beside it of {len(place)}; {_REMEDY}"
        )
    names = " + ".join(figures.sets)
    head = f"{figures.date}, {figures.machine}"
    rows = [
        [head, "pairs", "gallery", "r@1", "95 %", "r@5", "median rank"],
        ["---"] * 7,
        _row(f"real: {names}", place, real.places),
    ]
    first = 0
    for name, count in figures.sets.items():
        rows.append(_row(name, place[first : first + count], real.places))
        first += count
    return [*rows, _row("unseen synthetic town", town.forth.place, town.places)]


def _row(title: str, place: np.ndarray, places: int) -> list[str]:
    found = summary(place, np.zeros_like(place), places, (1, 5))
    return [
        title,
        f"{len(place):,}",
        f"{places:,}",
        f"{100 * found['r@1']:.1f} %",
        interval_text(found["r@1"], len(place)),
        f"{100 * found['r@5']:.1f} %",
        f"{found['median_rank']:g}",
    ]
