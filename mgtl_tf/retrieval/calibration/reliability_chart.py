"""Confidence against the share of right answers, as an SVG file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.retrieval.calibration.cross_validation import CrossValidation
from mgtl_tf.retrieval.calibration.reliability import Reliability
from mgtl_tf.retrieval.report.charts import BASELINE, COLORS, chart


def draw_reliability(trial: CrossValidation, metres: float, path: Path) -> None:
    """Confidence against the share of right answers, with the ideal.

    Args:
        trial: on places that the fit had not seen.
        metres: within which an answer is right.
        path: of the SVG file.
    """
    with chart(path, f"right within {metres:g} m, %", "confidence, %") as axis:
        axis.plot([0, 100], [0, 100], **BASELINE, label="ideal")
        if trial.outside is None:
            _draw(axis, trial.mixed, "held-out places", COLORS[0])
        else:
            _draw(axis, trial.mixed, "held-out places, mixed", COLORS[0])
            _draw(axis, trial.inside, "in the gallery", COLORS[2])
            _draw(axis, trial.outside, "not in the gallery", COLORS[1])
        axis.set_xlim(0, 102)
        axis.set_ylim(-2, 102)


def _draw(axis: Any, found: Reliability, name: str, color: str) -> None:
    confidence, right = 100 * found.confidence, 100 * found.right
    # Two standard errors of a share of so many queries.
    spread = 200 * np.sqrt(found.right * (1 - found.right) / found.counts)
    label = f"{name}, error {100 * found.error:.1f} %"
    axis.errorbar(
        confidence, right, spread, color=color, marker="o", ms=4, label=label
    )
