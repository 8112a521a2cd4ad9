"""Means of a few steps' scalars, and where their time went."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np


class Meter:
    """Collects scalars between two log lines.

    Args:
        batch_size: pairs a step, for pairs per second.
    """

    def __init__(self, batch_size: int):
        self._batch_size = batch_size
        self._all_steps = 0
        self._all_seconds = 0.0
        self._all_waited = 0.0
        self.skip()

    def skip(self) -> None:
        """Starts afresh: what came since the last line is not counted."""
        self._steps: list[dict[str, Any]] = []
        self._waited = 0.0
        self._began = time.monotonic()

    @property
    def steps(self) -> int:
        """How many steps came since the last line."""
        return len(self._steps)

    @property
    def seconds_per_step(self) -> float:
        """Mean of all steps that were flushed."""
        return self._all_seconds / max(self._all_steps, 1)

    @property
    def input_wait(self) -> float:
        """Share of those steps' time that was spent waiting for batches."""
        return self._all_waited / max(self._all_seconds, 1e-9)

    def watch(self, batches: Iterable) -> Iterator:
        """The batches, while the time spent waiting for each is summed."""
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
        self._steps.append(scalars)

    def flush(self) -> tuple[dict[str, float], float]:
        """Means since the last flush, with rates; and the seconds it took."""
        names = self._steps[0]
        means = {
            n: float(np.mean([float(s[n]) for s in self._steps])) for n in names
        }
        # Read the clock only now: on a GPU the steps end when they are read.
        seconds = max(time.monotonic() - self._began, 1e-9)
        means["pairs_per_second"] = (
            len(self._steps) * self._batch_size / seconds
        )
        means["input_wait"] = self._waited / seconds
        self._all_steps += len(self._steps)
        self._all_seconds += seconds
        self._all_waited += self._waited
        self.skip()
        return means, seconds
