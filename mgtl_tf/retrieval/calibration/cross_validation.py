"""Calibration measured on held-out places, and its summary as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mgtl_tf.retrieval.calibration.fit import FOLDS, held_out, mixed_weights
from mgtl_tf.retrieval.calibration.query_results import AWAY, CalibrationSet
from mgtl_tf.retrieval.calibration.reliability import Reliability, reliability
from mgtl_tf.retrieval.calibration.stored import Calibration


@dataclass(frozen=True)
class CrossValidation:
    """Calibration on held-out parts of the map.

    Attributes:
        inside: of queries whose place the gallery has.
        outside: of the same without their places; None where not tried.
        mixed: of both, in the shares that the fit expects.
        closed_set: of those inside, by a fit that assumes a closed set.
    """

    inside: Reliability
    outside: Reliability | None
    mixed: Reliability
    closed_set: Reliability


def cross_validate(
    trials: CalibrationSet,
    positions: np.ndarray,
    metres: float,
    outside_share: float,
) -> CrossValidation:
    """Tries fits on parts of the map that they had not seen.

    Args:
        trials, positions, metres, outside_share: as of `held_out`.
    """
    right = trials.inside.right
    closed_set = reliability(held_out(trials, positions, metres)[0], right)
    if not outside_share:
        return CrossValidation(closed_set, None, closed_set, closed_set)
    told_inside, told_outside = held_out(
        trials, positions, metres, outside_share
    )
    mixed = reliability(
        np.concatenate([told_inside, told_outside]),
        np.concatenate([right, trials.outside.right]),
        weights=mixed_weights(
            len(told_inside), len(told_outside), outside_share
        ),
    )
    return CrossValidation(
        reliability(told_inside, right),
        reliability(told_outside, trials.outside.right),
        mixed,
        closed_set,
    )


def summary(calibration: Calibration, trial: CrossValidation) -> list[str]:
    """The mixed queries' table, and the errors of each kind."""
    lines = [
        f"confidence that the first answer lies within"
        f" {calibration.metres:g} m; {calibration.queries:,} queries, each told"
        f" by a fit to other parts of the map ({FOLDS} in all):"
    ]
    if calibration.outside_share:
        lines.append(
            f"{100 * calibration.outside_share:g} % of them taken without their"
            f" places, as if the gallery had none within"
            f" {AWAY * calibration.metres:g} m"
        )
    lines.append("   told   right  queries")
    found = trial.mixed
    for told, right, count in zip(
        found.confidence, found.right, found.counts, strict=True
    ):
        lines.append(
            f"{100 * told:>5.1f} % {100 * right:>5.1f} %  {round(count):>7,}"
        )
    lines.append(
        f"expected calibration error: {found.error:.4f}"
        f" ({len(found.counts)} bins of equally many queries)"
    )
    return [*lines, *_by_kind(trial), _on_drives(calibration.drive_errors)]


def _on_drives(errors: Mapping[str, float]) -> str:
    if not errors:
        return (
            "--sequence will tell no confidence: the queries lie too far apart"
            " for drives, or all are taken to have their place"
        )
    kinds = ", ".join(f"{kind} {error:.4f}" for kind, error in errors.items())
    return f"error of --sequence, drives made of the queries: {kinds}"


def _by_kind(trial: CrossValidation) -> list[str]:
    if trial.outside is None:
        return []
    inside, before = trial.inside, trial.closed_set
    mean, share = _mean(inside), np.average(inside.right, weights=inside.counts)
    return [
        f"  of queries inside alone: {inside.error:.4f} (told"
        f" {100 * mean:.1f} %, right {100 * share:.1f} %); a fit with"
        f" --outside_share=0: {before.error:.4f}",
        f"  of queries outside alone: {trial.outside.error:.4f} (told"
        f" {100 * _mean(trial.outside):.1f} %, none right)",
    ]


def _mean(found: Reliability) -> float:
    return float(np.average(found.confidence, weights=found.counts))
