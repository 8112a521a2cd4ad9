"""Growing files brought to the disk while work on them goes on."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from mgtl_tf.utils.atomic_io import sync

_BYTES = 2**27


class EarlySync:
    """Has files synchronized in the background, every so many bytes.

    The system would keep what is written in memory for half a minute or
    gigabytes, all of which then has to be waited for at the end.

    Args:
        paths: the files.
        every: how many bytes they grow by in between.
    """

    def __init__(self, paths: Sequence[Path], every: int = _BYTES):
        self._paths = tuple(paths)
        self._every = every
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1)
        self._running: Future[None] | None = None

    def grew(self, count: int) -> None:
        """Notes that so many bytes were written.

        Raises:
            OSError: where the disk did not take earlier ones.
        """
        self._waiting += count
        if self._waiting < self._every:
            return
        if self._running is not None:
            if not self._running.done():
                return
            self._running.result()
        self._waiting = 0
        self._running = self._thread.submit(self._sync)

    def finish(self) -> None:
        """Waits until all that was written is on the disk.

        Raises:
            OSError: where the disk does not take it.
        """
        # The system tells a failure to one who asks, and to no later one.
        if self._running is not None:
            self._running.result()
        self._sync()

    def close(self) -> None:
        """Waits for what goes on in the background, whatever came of it."""
        self._thread.shutdown()

    def _sync(self) -> None:
        for path in self._paths:
            sync(path)
