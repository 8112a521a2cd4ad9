"""The figures of `make demo` that pages show, as a small file of docs/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mgtl_tf.evaluation.ranks import Ranks
from mgtl_tf.reproduction.published_ranks import (
    FIGURES,
    ranks_beside,
    write_figures,
)
from mgtl_tf.retrieval.calibration.stored import MeasuredCalibration
from mgtl_tf.utils.errors import UserError
from mgtl_tf.utils.json_files import read_json

_FOLDER = Path("results") / "demo"
_REMEDY = "publish a demo again"
_RANKS = "ranks.npz"


@dataclass(frozen=True)
class DemoFigures:
    """Of one demo.

    Attributes:
        date: of the evaluation.
        machine: that trained it.
        precision: its dtype policy.
        seed: of the run.
        train_minutes: of its steps.
        gallery: digest of the unseen town's pairs.
        evaluation: of `Ranks.result`, of the best checkpoint.
        calibration: what experiments.calibrate measured.
        metres: R of the calibration.
    """

    date: str
    machine: str
    precision: str
    seed: int
    train_minutes: float
    gallery: str
    evaluation: dict[str, Any]
    calibration: MeasuredCalibration
    metres: float


def write_demo(figures: DemoFigures, ranks: Ranks, docs: Path) -> Path:
    """Writes figures and ranks to docs/results/demo/; the figures' path.

    Raises:
        UserError: where they cannot be written.
    """
    return write_figures(docs / _FOLDER, figures, {_RANKS: ranks})


def read_demo(docs: Path) -> DemoFigures:
    """What `write_demo` wrote.

    Raises:
        UserError: for files that cannot be read, or whose recalls are not
            those of the ranks.
    """
    path = docs / _FOLDER / FIGURES
    figures = read_json(path, DemoFigures, _REMEDY)
    ranks = ranks_beside(path, _RANKS, figures.gallery, _REMEDY)
    right = ranks.result(figures.evaluation.get("protocol", ""))
    for name, value in right.items():
        if figures.evaluation.get(name) != value:
            raise UserError(
                f"{path}: {name} is {figures.evaluation.get(name)}, and by the"
                f" ranks {value}; {_REMEDY}"
            )
    return figures
