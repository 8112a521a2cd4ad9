"""Batches: prepared ahead of their use, their rows gathered in one array."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetched(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    threads: int,
    ahead: int,
) -> Iterator[Result]:
    """`map(function, items)` with results computed before they are asked for.

    Args:
        function: called in any of the threads.
        items: iterated in the caller's thread.
        threads: how many calls run at the same time.
        ahead: how many results are computed in advance, at most.
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class GatheredRows:
    """Descriptors of all batches in one array from the start.

    Parts that are joined in the end would take the memory twice.

    Args:
        batches: how many will come, none fuller than the first.
    """

    def __init__(self, batches: int):
        self._batches = batches
        self._array = np.empty((0, 0), np.float32)
        self._filled = 0

    def add(self, part: np.ndarray) -> None:
        """Appends rows [n, D]."""
        if not self._filled:
            # Pages that are never filled cost nothing.
            shape = self._batches * len(part), part.shape[1]
            self._array = np.empty(shape, part.dtype)
        self._array[self._filled : self._filled + len(part)] = part
        self._filled += len(part)

    def all(self) -> np.ndarray:
        """The rows so far, [N, D]."""
        return self._array[: self._filled]
