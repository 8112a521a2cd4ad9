"""SIGUSR1: write a checkpoint after this step, and train on."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from absl import logging


class SaveSignal:
    """A context in which SIGUSR1 asks for a checkpoint.

    It spans all of a run and not only its steps: outside, the signal would
    end the process. Outside the main thread signals cannot be caught and
    the context does nothing.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: Any = None

    def taken(self) -> bool:
        """Whether a signal has come since this was last asked."""
        if not self._asked:
            return False
        self._asked = False
        return True

    def __enter__(self) -> SaveSignal:
        try:
            self._before = signal.signal(signal.SIGUSR1, self._receive)
        except ValueError:
            self._before = None
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGUSR1, self._before)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self._asked = True
        logging.warning(
            "%s: writing a checkpoint after this step",
            signal.Signals(number).name,
        )
