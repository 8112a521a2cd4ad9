"""How the learning rate moves over a run."""

from __future__ import annotations

import math


def learning_rate(
    step: int, total_steps: int, peak: float, schedule: str, warmup: float
) -> float:
    """The learning rate of a step.

    Args:
        step: from 0.
        total_steps: of the whole run.
        peak: the largest learning rate.
        schedule: "constant" (the paper, R17), or "cosine": half a cosine
            from `peak` down to zero at the end of the run.
        warmup: share of the run in which the rate rises from zero.

    Raises:
        ValueError: for an unknown schedule.
    """
    if schedule not in ("constant", "cosine"):
        raise ValueError(f"schedule={schedule!r}: must be constant or cosine")
    rising = warmup * total_steps
    if step < rising:
        return peak * (step + 1) / (rising + 1)
    if schedule == "constant":
        return peak
    share = (step - rising) / max(total_steps - rising, 1)
    return peak * 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))
