"""What the training loop calls: logs, evaluation, interrupts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from mgtl_tf.training.logs import MetricsLog
from mgtl_tf.training.profile import StepProfile

Result = dict[str, Any]


@dataclass(frozen=True)
class Callbacks:
    """What the loop calls besides its step.

    Attributes:
        log: gets all records.
        evaluate: the validation result, a dictionary ready for JSON with
            `["ground_to_satellite"]["r@1"]`; None without validation data.
        averaged: a context in which the model holds averaged weights, and
            that yields whether it does; evaluations and best checkpoints are
            made inside it, and without validation data the averages are kept
            as best.
        stop_requested, save_requested: called after every step.
        profile: records steps.
        progress_bar: whether one is shown.
    """

    log: MetricsLog
    evaluate: Callable[[], Result] | None = None
    averaged: Callable[[], AbstractContextManager[bool | None]] = (
        contextlib.nullcontext
    )
    stop_requested: Callable[[], bool] = lambda: False
    save_requested: Callable[[], bool] = lambda: False
    profile: StepProfile = field(default_factory=lambda: StepProfile("", 0))
    progress_bar: bool = True
