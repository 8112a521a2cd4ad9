"""What requests may take, and the queue that keeps to it."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from typing import TypeVar
from weakref import WeakValueDictionary

Result = TypeVar("Result")


@dataclass(frozen=True)
class Limits:
    """Bounds that keep the page answering and its memory small.

    Attributes:
        upload_bytes: of an image; a longer body is not kept.
        places: requests with an upload that are received, wait or are
            answered at a time; more are refused.
        share: of these places, how many one client (address) may hold.
        body_seconds: within which a complete upload must have come.
        stall_seconds: within which its next piece must come.
        bytes_per_second: mean rate of an upload from stall_seconds on.
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
        super().__init__(status, reason)
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


BUSY = "busy; try again in a moment"


class WorkQueue:
    """Places for requests, and work in threads beside the event loop.

    Args:
        places: how many may hold a place at a time.
        share: how many of them one client may hold.
        seconds: that a piece of work waits at most.
        workers: how many pieces of work are done at a time; one client's
            take one less, so that others need not wait for them.
    """

    def __init__(
        self, places: int, share: int, seconds: float, workers: int = 1
    ):
        self.places = places
        self.share = share
        self.seconds = seconds
        self._held: Counter[str] = Counter()
        self._share_of_workers = max(1, workers - 1)
        self._workers = asyncio.Semaphore(workers)
        self._by_client: WeakValueDictionary[str, asyncio.Semaphore] = (
            WeakValueDictionary()
        )

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
            # A client without places is forgotten.
            self._held += Counter()

    async def run(
        self,
        work: Callable[[], Result],
        client: str = "",
        until: float = math.inf,
    ) -> Result:
        """Does a piece of a client's work, first come, first served.

        Raises:
            Refused: 503, where it cannot begin in time, by `until` of
                time.monotonic() at the latest.
        """
        own = self._by_client.get(client)
        if own is None:
            own = asyncio.Semaphore(self._share_of_workers)
            self._by_client[client] = own
        seconds = min(self.seconds, until - time.monotonic())
        async with AsyncExitStack() as held:
            try:
                async with asyncio.timeout(seconds):
                    await held.enter_async_context(own)
                    await held.enter_async_context(self._workers)
            except TimeoutError:
                raise Refused(503, BUSY) from None
            return await asyncio.to_thread(work)
