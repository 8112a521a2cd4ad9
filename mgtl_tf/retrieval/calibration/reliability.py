"""Reliability of confidences: measured on held-out places, text and chart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mgtl_tf.retrieval.calibration.calibration_set import AWAY, CalibrationSet
from mgtl_tf.retrieval.calibration.fit import FOLDS, held_out, mixed_weights
from mgtl_tf.retrieval.calibration.stored import Calibration
from mgtl_tf.retrieval.report.charts import BASELINE, COLORS, chart
from mgtl_tf.utils.angles import DEGREES

BINS = 10
"""Of the expected calibration error; all hold equally many queries."""


@dataclass(frozen=True)
class Reliability:
    """Confidence and share of right answers, in bins of equally many queries.

    Attributes:
        confidence: mean of each bin, [B].
        right: share of each bin, [B].
        counts: queries of each bin, or their weight, [B].
    """

    confidence: np.ndarray
    right: np.ndarray
    counts: np.ndarray

    @property
    def error(self) -> float:
        """The expected calibration error: the mean gap between the two."""
        gaps = np.abs(self.confidence - self.right)
        return float(np.average(gaps, weights=self.counts))

    @property
    def mean_confidence(self) -> float:
        """Of all queries."""
        return float(np.average(self.confidence, weights=self.counts))


def reliability(
    confidence: np.ndarray,
    right: np.ndarray,
    bins: int = BINS,
    weights: np.ndarray | None = None,
) -> Reliability:
    """The reliability of some confidences.

    Args:
        confidence: of each query, float [Q].
        right: whether its first answer was right, bool [Q].
        bins: B; fewer where there are fewer queries.
        weights: how much each query counts, above 0, [Q]; default: 1.
    """
    if weights is None:
        weights = np.ones(len(confidence), np.int64)
    order = np.argsort(confidence, kind="stable")
    # A query belongs where the middle of its weight falls.
    middle = np.cumsum(weights[order]) - weights[order] / 2
    number = middle * min(bins, len(order)) / weights.sum()
    _, number = np.unique(number.astype(np.int64), return_inverse=True)

    def sums(values: np.ndarray) -> np.ndarray:
        return np.bincount(number, values[order])

    counts = sums(weights)
    return Reliability(
        sums(weights * confidence) / counts,
        sums(weights * right) / counts,
        counts,
    )


@dataclass(frozen=True)
class CrossValidation:
    """Calibration on held-out parts of the map.

    Attributes:
        inside: of queries whose place the gallery has.
        outside: of the same without their places; None where not tried.
        mixed: of both, weighted by `outside_share`.
    """

    inside: Reliability
    outside: Reliability | None
    mixed: Reliability


def cross_validate(
    queries: CalibrationSet,
    positions: np.ndarray,
    metres: float,
    outside_share: float,
) -> CrossValidation:
    """The reliability of fits on parts of the map that they had not seen.

    Args:
        queries, positions, metres, outside_share: as of `fit.held_out`.
    """
    right, wrong = queries.inside.right, queries.without_place.right
    inside, outside = held_out(queries, positions, metres, outside_share)
    if not outside_share:
        found = reliability(inside, right)
        return CrossValidation(found, None, found)
    mixed = reliability(
        np.concatenate([inside, outside]),
        np.concatenate([right, wrong]),
        weights=mixed_weights(len(inside), len(outside), outside_share),
    )
    return CrossValidation(
        reliability(inside, right),
        reliability(outside, wrong),
        mixed,
    )


def summary(calibration: Calibration, found: CrossValidation) -> str:
    """The table of reliability, and the errors of each kind of query."""
    measured, mixed = calibration.measured, found.mixed
    lines = [
        f"confidence that the first answer lies within"
        f" {calibration.metres:g} m; {measured.queries:,} queries, each"
        f" predicted by a fit to other parts of the map ({FOLDS} in all):"
    ]
    if found.outside is not None:
        lines.append(
            f"{100 * calibration.outside_share:g} % of them without their"
            f" places, as if the gallery had none within"
            f" {AWAY * calibration.metres:g} m"
        )
    lines.append("confidence    right  queries")
    lines += [
        f"{100 * confidence:>8.1f} % {100 * right:>6.1f} %  {round(count):>7,}"
        for confidence, right, count in zip(
            mixed.confidence, mixed.right, mixed.counts, strict=True
        )
    ]
    lines.append(
        f"expected calibration error: {mixed.error:.4f}"
        f" ({len(mixed.counts)} bins of equally many queries)"
    )
    if found.outside is not None:
        share = np.average(found.inside.right, weights=found.inside.counts)
        lines += [
            f"  queries inside alone: {found.inside.error:.4f} (mean confidence"
            f" {100 * found.inside.mean_confidence:.1f} %, right"
            f" {100 * share:.1f} %)",
            f"  queries outside alone: {found.outside.error:.4f} (mean"
            f" confidence {100 * found.outside.mean_confidence:.1f} %, none"
            " right)",
        ]
    if measured.heading is not None:
        lines.append(
            f"headings of right answers: {100 * measured.heading:.1f} % within"
            f" {DEGREES:g} degrees, once the"
            f" {calibration.heading_constant:+.1f} degrees that are common to"
            " them are taken off, as locate does"
        )
    errors = measured.drive_errors
    if errors:
        kinds = ", ".join(f"{kind} {e:.4f}" for kind, e in errors.items())
        lines.append(f"error on simulated drives (sequences): {kinds}")
    else:
        lines.append(
            "sequences will have no confidence: the queries lie too far apart"
            " to simulate drives, or outside_share is 0"
        )
    return "\n".join(lines)


def draw_reliability(found: CrossValidation, metres: float, path: Path) -> None:
    """Confidence against the share of right answers, as an SVG file.

    Args:
        found: on places that the fit had not seen.
        metres: R.
        path: of the file.
    """
    with chart(path, f"right within {metres:g} m, %", "confidence, %") as axis:
        axis.plot([0, 100], [0, 100], **BASELINE, label="ideal")
        if found.outside is None:
            _draw(axis, found.mixed, "held-out places", COLORS[0])
        else:
            _draw(axis, found.mixed, "held-out places, mixed", COLORS[0])
            _draw(axis, found.inside, "in the gallery", COLORS[2])
            _draw(axis, found.outside, "not in the gallery", COLORS[1])
        axis.set_xlim(0, 102)
        axis.set_ylim(-2, 102)


def _draw(axis: Any, found: Reliability, name: str, color: str) -> None:
    # Two standard errors of a share of so many queries.
    spread = 200 * np.sqrt(found.right * (1 - found.right) / found.counts)
    axis.errorbar(
        100 * found.confidence,
        100 * found.right,
        spread,
        color=color,
        marker="o",
        ms=4,
        label=f"{name}, error {100 * found.error:.1f} %",
    )
