"""Image files to pixels in processes that can be ended, within bounds."""

from __future__ import annotations

import queue
import threading
from typing import Any

import numpy as np

from mgtl_tf.serving.images import receive_into, send_buffer
from mgtl_tf.serving.limits import BUSY, Limits, Refused
from polar.gpano import Panorama
from polar.parallel import MainlessContext, call_by_name

PROCESSES = 2
"""That decode at a time: one client's slow files leave one for others."""

# More that are ready: starting one takes half a second.
_SPARE = 2


_WORK = "mgtl_tf.serving.images:answer_requests"


class _Worker:
    """One process, started."""

    def __init__(self) -> None:
        context = MainlessContext()
        self._pipe, other_end = context.Pipe()
        self.process = context.Process(
            target=call_by_name, args=(_WORK, other_end), daemon=True
        )
        self.process.start()
        other_end.close()
        try:
            self._pipe.recv()
        except EOFError:
            raise OSError("its process does not start") from None

    def decode(self, content: bytes, *request: Any) -> Panorama:
        self._pipe.send((len(content), *request))
        send_buffer(self._pipe, content)
        answer = self._pipe.recv()
        if isinstance(answer, Refused):
            raise answer
        shape, heading = answer
        pixels = np.empty(shape, np.uint8)
        receive_into(self._pipe, pixels.data)
        return Panorama(pixels, heading)

    def close(self) -> None:
        self._pipe.close()
        self.process.kill()
        self.process.join()


class Decoders:
    """Processes that decode for a server; one that ends is replaced.

    They have started when it is made; each ends by itself when the server
    does.

    Args:
        limits: of time and memory.
        processes: how many there are.
        patience: seconds that one is waited for.
    """

    def __init__(
        self,
        limits: Limits,
        processes: int = PROCESSES + _SPARE,
        patience: float = 0.5,
    ):
        self._limits = limits
        self._patience = patience
        # None stands for one that must be started first.
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        starting = [self._start_beside() for _ in range(processes)]
        for thread in starting:
            thread.join()

    def decode(
        self, content: bytes, most: int, believe: bool = False
    ) -> Panorama:
        """The pixels of an upload or a file.

        Args:
            content: the complete file.
            most: pixels that are given; of more, a smaller image.
            believe: whether a panorama is turned to north by the heading in
                its file.

        Raises:
            Refused: 422 for what is no complete image, or takes too long or
                too much memory; 503 where no process is free.
        """
        limits, worker = self._limits, self._next()
        bounds = limits.decode_bytes, limits.decode_seconds
        try:
            found = worker.decode(content, most, believe, *bounds)
        except (EOFError, OSError):
            worker.close()
            self._start_beside()
            reason = f"cannot be decoded within {limits.decode_seconds:g} s"
            raise Refused(422, f"the image {reason}") from None
        except BaseException:
            self._idle.put(worker)
            raise
        self._idle.put(worker)
        return found

    def _next(self) -> _Worker:
        try:
            return self._idle.get(timeout=self._patience) or _Worker()
        except queue.Empty:
            raise Refused(503, BUSY) from None
        except OSError as error:
            self._idle.put(None)
            raise Refused(503, f"no image can be decoded: {error}") from None

    def _start_beside(self) -> threading.Thread:
        thread = threading.Thread(target=self._start, daemon=True)
        thread.start()
        return thread

    def _start(self) -> None:
        try:
            self._idle.put(_Worker())
        except OSError:
            self._idle.put(None)
