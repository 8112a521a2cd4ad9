"""SIGINT and SIGTERM stop a run after the step; SIGUSR1 asks for a checkpoint.

Outside the main thread signals cannot be caught; nothing changes there.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from absl import logging


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """A context in which SIGINT and SIGTERM only ask for a stop.

    The second signal acts as usual, so a user need not wait for the step.

    Yields:
        whether a signal has come.
    """
    received: list[int] = []
    with ExitStack() as handlers:

        def receive(number: int, _: Any) -> None:
            handlers.close()
            received.append(number)
            logging.warning(
                "%s: finishing the step, then saving; the same command resumes",
                signal.Signals(number).name,
            )

        handlers.enter_context(_handled(receive, signal.SIGINT, signal.SIGTERM))
        yield lambda: bool(received)


@contextmanager
def save_signal() -> Iterator[Callable[[], bool]]:
    """A context in which SIGUSR1 asks for a checkpoint.

    It is around the whole run: outside of it the signal ends the process.

    Yields:
        whether a signal has come since the last call.
    """
    received: list[int] = []

    def receive(number: int, _: Any) -> None:
        received.append(number)
        logging.warning("SIGUSR1: writing a checkpoint after this step")

    def requested() -> bool:
        found = bool(received)
        received.clear()
        return found

    with _handled(receive, signal.SIGUSR1):
        yield requested


@contextmanager
def _handled(receive: Callable[[int, Any], None], *numbers: int):
    before = {}
    try:
        for number in numbers:
            before[number] = signal.signal(number, receive)
    except ValueError:  # not the main thread
        pass
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
