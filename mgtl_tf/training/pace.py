"""How long a run still takes, as far as its pace until now tells."""

from __future__ import annotations

import math

from mgtl_tf.config import TrainConfig


def seconds_left(
    config: TrainConfig,
    steps_per_epoch: int,
    steps_left: int,
    seconds_per_step: float,
    evaluation_seconds: float,
) -> float:
    """Seconds until the end of a run, its evaluations included.

    Args:
        config: how often is evaluated.
        steps_per_epoch: whole batches in an epoch.
        steps_left: from an evaluation just made to the end.
        seconds_per_step: of training until now.
        evaluation_seconds: what the last evaluation took.
    """
    # The end is evaluated whether or not it ends an epoch that is due.
    between = config.evaluate_every * steps_per_epoch or max(steps_left, 1)
    evaluations = math.ceil(steps_left / between)
    return steps_left * seconds_per_step + evaluations * evaluation_seconds


def duration_text(seconds: float) -> str:
    """Seconds in the unit that is read best: "50 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
