"""Seconds and memory of a work of `benchmarks.scaling`."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from mgtl_tf.utils.memory import resident_bytes


class Meter:
    """Seconds within its block, and the most memory from its making on.

    Memory is what this process holds of its own (RssAnon): not the pages of
    mapped files, which the system takes back.
    """

    def __init__(self):
        self.seconds = self.most = 0.0
        self._first = resident_bytes("RssAnon")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __enter__(self) -> Meter:
        self._began = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.seconds = time.perf_counter() - self._began

    def close(self) -> None:
        """Ends the watch."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            held = resident_bytes("RssAnon") - self._first
            self.most = max(self.most, float(held))


Work = Callable[[int, Path, Meter], None]
"""Given a size, an empty folder, and a meter for what is measured."""


def measured(work: Work, size: int) -> tuple[float, float]:
    """Seconds of a work, and the bytes that it took at most."""
    with tempfile.TemporaryDirectory() as folder:
        meter = Meter()
        try:
            work(size, Path(folder), meter)
        finally:
            meter.close()
    return meter.seconds, meter.most
