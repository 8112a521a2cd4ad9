"""Results computed by threads before they are asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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
