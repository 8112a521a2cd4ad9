"""A few pieces of work at a time; some wait, the others are to come again."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar
from weakref import WeakValueDictionary

from mgtl_tf.serving.limits import Refused

Result = TypeVar("Result")


class Turns:
    """Worker threads and the places of those who may use them.

    Used from one event loop; the work itself runs beside it, so that the
    loop keeps answering.

    Args:
        places: how many may hold a place at a time.
        share: how many of them one client may hold.
        seconds: that one waits for its turn at most.
        workers: how many pieces of work are done at a time; one client's
            take one less, so that others need not wait for them.

    Attributes:
        taken: how many places are held now.
    """

    def __init__(
        self, places: int, share: int, seconds: float, workers: int = 1
    ):
        self.places = places
        self.share = share
        self.seconds = seconds
        self._held: Counter[str] = Counter()
        self._of_one = max(1, workers - 1)
        self._turns = asyncio.Semaphore(workers)
        self._own: WeakValueDictionary[str, asyncio.Semaphore] = (
            WeakValueDictionary()
        )
        self._worker = ThreadPoolExecutor(workers, "serving")

    @property
    def taken(self) -> int:
        """How many places are held now."""
        return self._held.total()

    @contextmanager
    def place(self, client: str = "") -> Iterator[None]:
        """Holds one of the places.

        Raises:
            Refused: 503, where all are taken or the client has its share.
        """
        if self.taken >= self.places:
            raise Refused(503, "too many images at once; try again in a moment")
        if self._held[client] >= self.share:
            raise Refused(
                503,
                f"{self.share} images of yours are at work; try again in a"
                " moment",
            )
        self._held[client] += 1
        try:
            yield
        finally:
            self._held[client] -= 1
            # Whoever has come once is not kept for ever.
            self._held += Counter()

    async def run(
        self,
        work: Callable[[], Result],
        client: str = "",
        until: float = math.inf,
    ) -> Result:
        """Does a piece of work when its turn comes, first come, first served.

        Args:
            work: the piece.
            client: whose it is.
            until: time.monotonic() at which its turn must have come.

        Raises:
            Refused: 503, where the turn doesn't come in time.
        """
        own = self._own.get(client)
        if own is None:
            own = self._own[client] = asyncio.Semaphore(self._of_one)
        seconds = min(self.seconds, until - time.monotonic())
        async with _Acquired((own, self._turns), seconds):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._worker, work)


class _Acquired:
    """Semaphores that are held together, within so many seconds."""

    def __init__(
        self, semaphores: tuple[asyncio.Semaphore, ...], seconds: float
    ):
        self._semaphores = semaphores
        self._seconds = seconds
        self._held: list[asyncio.Semaphore] = []

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                for semaphore in self._semaphores:
                    await semaphore.acquire()
                    self._held.append(semaphore)
        except TimeoutError:
            self._release()
            raise Refused(503, "busy; try again in a moment") from None
        except BaseException:
            self._release()
            raise

    async def __aexit__(self, *error: object) -> None:
        self._release()

    def _release(self) -> None:
        while self._held:
            self._held.pop().release()
