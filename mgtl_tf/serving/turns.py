"""One piece of work at a time; few wait, the others are told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from mgtl_tf.serving.limits import Refused

Result = TypeVar("Result")


class Turns:
    """A worker thread and the places of those who may use it.

    Used from one event loop; the work itself runs beside it, so that the
    loop keeps answering.

    Args:
        places: how many may hold a place at a time.
        seconds: that one waits for its turn at most.

    Attributes:
        taken: how many places are held now.
    """

    def __init__(self, places: int, seconds: float):
        self.places = places
        self.seconds = seconds
        self.taken = 0
        self._turn = asyncio.Lock()
        self._worker = ThreadPoolExecutor(1, "serving")

    @contextmanager
    def place(self) -> Iterator[None]:
        """Holds one of the places.

        Raises:
            Refused: 503, where all are taken.
        """
        if self.taken >= self.places:
            raise Refused(503, "too many images at once; try again in a moment")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, work: Callable[[], Result]) -> Result:
        """Does a piece of work when its turn comes, first come, first served.

        Raises:
            Refused: 503, where the turn doesn't come in time.
        """
        try:
            async with asyncio.timeout(self.seconds):
                await self._turn.acquire()
        except TimeoutError:
            raise Refused(503, "busy; try again in a moment") from None
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._worker, work)
        finally:
            self._turn.release()
