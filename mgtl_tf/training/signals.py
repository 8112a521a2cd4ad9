"""SIGINT and SIGTERM stop a run after the step; SIGUSR1 saves and trains on."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

from absl import logging


class StopSignals:
    """A context in which SIGINT and SIGTERM only ask for a stop.

    A second signal of the same kind acts as it always did, so that a user
    who cannot wait for the step is not held up. Outside the main thread
    signals cannot be caught and the context does nothing.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, object] = {}

    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.received is not None

    def __enter__(self) -> StopSignals:
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._before[number] = signal.signal(number, self._receive)
            except ValueError:
                break
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _receive(self, number: int, _: FrameType | None) -> None:
        self.received = number
        self._restore()
        logging.warning(
            "%s: finishing the step, then saving; the same command goes on",
            signal.Signals(number).name,
        )


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
