"""Means of a few steps' scalars, rates, and the time that is left."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np


class Meter:
    """Collects scalars between two log lines.

    Args:
        batch_size: pairs a step, for pairs per second.

    Attributes:
        steps: how many came since the last line.
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._all_steps = 0
        self._all_seconds = 0.0
        self._all_waited = 0.0
        self.skip()

    def skip(self) -> None:
        """Forgets what came since the last line."""
        self._scalars: list[dict[str, Any]] = []
        self._waited = 0.0
        self._began = time.monotonic()

    @property
    def steps(self) -> int:
        return len(self._scalars)

    @property
    def seconds_per_step(self) -> float:
        """Mean of all steps that were flushed."""
        return self._all_seconds / max(self._all_steps, 1)

    @property
    def input_wait(self) -> float:
        """Share of those steps' time that was spent waiting for batches."""
        return self._all_waited / max(self._all_seconds, 1e-9)

    def watch(self, batches: Iterable) -> Iterator:
        """The batches; the time spent waiting for each is added up."""
        iterator = iter(batches)
        while True:
            asked = time.monotonic()
            try:
                batch = next(iterator)
            except StopIteration:
                return
            self._waited += time.monotonic() - asked
            yield batch

    def add(self, scalars: dict[str, Any]) -> None:
        """One step's scalars; tensors are not waited for until `flush`."""
        self._scalars.append(scalars)

    def flush(self) -> tuple[dict[str, float], float]:
        """Means since the last flush, with rates; and the seconds it took."""
        means = {
            name: float(np.mean([float(s[name]) for s in self._scalars]))
            for name in self._scalars[0]
        }
        # Read the clock only now: on a GPU the steps end when they are read.
        seconds = max(time.monotonic() - self._began, 1e-9)
        means["pairs_per_second"] = self.steps * self._batch_size / seconds
        means["input_wait"] = self._waited / seconds
        self._all_steps += self.steps
        self._all_seconds += seconds
        self._all_waited += self._waited
        self.skip()
        return means, seconds


def seconds_left(
    steps_left: int,
    seconds_per_step: float,
    steps_between: int,
    evaluation_seconds: float,
) -> float:
    """Seconds until the end of a run, its evaluations included.

    Args:
        steps_left: from an evaluation just made to the end.
        seconds_per_step: of training until now.
        steps_between: two evaluations; 0: only the end is evaluated.
        evaluation_seconds: what the last evaluation took.
    """
    # The end is evaluated whether or not it ends an epoch that is due.
    evaluations = math.ceil(steps_left / (steps_between or max(steps_left, 1)))
    return steps_left * seconds_per_step + evaluations * evaluation_seconds


def duration_text(seconds: float) -> str:
    """Seconds in the most readable unit: "50 s", "12 min", "3.5 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
