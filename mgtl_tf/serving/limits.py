"""What requests may take, and the queue that keeps to it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakValueDictionary


@dataclass(frozen=True)
class Limits:
    """Bounds that keep the page answering and its memory small.

    Attributes:
        upload_bytes: of an image; a longer body is not kept.
        places: requests with an upload that are received, wait or are
            answered at a time; more are told to come again.
        share: of these places, how many one client (address) may hold.
        body_seconds: within which a whole upload must have come.
        stall_seconds: within which its next piece must come.
        bytes_per_second: that an upload must come at, on average, from
            stall_seconds on.
        queue_seconds: that an upload waits at most until it is decoded;
            longer than decoding the one before may take.
        model_seconds: after an upload has come, within which the model must
            take it.
        decode_seconds: of a processor, that decoding one image may take;
            its process is ended then, or after twice as many in all.
        decode_bytes: of memory, likewise.
        drain_seconds: that the rest of a too long body is read and thrown
            away, so that its sender gets to read why.
    """

    upload_bytes: int = 20 * 2**20
    places: int = 8
    share: int = 4
    body_seconds: float = 60.0
    stall_seconds: float = 4.0
    bytes_per_second: float = 2.0**15
    queue_seconds: float = 2.25
    model_seconds: float = 2.5
    decode_seconds: float = 2.0
    decode_bytes: int = 5 * 2**28
    drain_seconds: float = 5.0


class Refused(Exception):
    """A request that gets no answer but a reason.

    Args:
        status: of HTTP, 400 to 503.
        reason: a sentence without its full stop.
    """

    def __init__(self, status: int, reason: str):
        super().__init__(reason)
        self.status = status
        self.reason = reason


Result = TypeVar("Result")


class WorkQueue:
    """Worker threads, and places for the requests that use or wait for them.

    Used from one event loop; the work itself runs beside it, so that the
    loop keeps answering.

    Args:
        places: how many may hold a place at a time.
        share: how many of them one client may hold.
        seconds: that a piece of work waits at most.
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
        self._slots = asyncio.Semaphore(workers)
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
        """Does a piece of work, first come, first served.

        Args:
            work: the piece.
            client: whose it is.
            until: time.monotonic() at which it must have begun.

        Raises:
            Refused: 503, where it cannot begin in time.
        """
        own = self._own.get(client)
        if own is None:
            own = self._own[client] = asyncio.Semaphore(self._of_one)
        seconds = min(self.seconds, until - time.monotonic())
        async with _AcquiredTogether((own, self._slots), seconds):
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._worker, work)


class _AcquiredTogether:
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
