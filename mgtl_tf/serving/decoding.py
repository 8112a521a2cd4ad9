"""Image files to pixels in processes that can be ended, within bounds."""

from __future__ import annotations

import os
import queue
import resource
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import cv2
import numpy as np

from mgtl_tf.serving.limits import BUSY, Limits, Refused
from mgtl_tf.serving.uploaded_images import shrunk, uploaded_panorama
from mgtl_tf.utils.memory import resident_bytes
from polar.gpano import Panorama
from polar.parallel import MainlessContext, call_by_name

PROCESSES = 2
"""That decode at a time: one client's slow files leave one for others."""

# More that are ready: starting one takes half a second.
_SPARE = 2
_WORK = "mgtl_tf.serving.decoding:answer_requests"


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
        _send(self._pipe, content)
        answer = self._pipe.recv()
        if isinstance(answer, Refused):
            raise answer
        shape, heading = answer
        pixels = np.empty(shape, np.uint8)
        _receive(self._pipe, pixels.data)
        return Panorama(pixels, heading)

    def close(self) -> None:
        self._pipe.close()
        self.process.kill()
        self.process.join()


# Connection itself copies a message of 50 MB for half a second.
def _send(pipe: Connection, buffer: bytes | memoryview) -> None:
    with open(pipe.fileno(), "wb", closefd=False) as file:
        file.write(buffer)


def _receive(pipe: Connection, buffer: memoryview) -> None:
    with open(pipe.fileno(), "rb", closefd=False) as file:
        if file.readinto(buffer) < buffer.nbytes:
            raise EOFError


def answer_requests(pipe: Connection) -> None:
    """In a process of its own: decodes until the other end closes.

    Args:
        pipe: sends None when the first request may come. A request is the
            length of the file and what else `_decode_within` takes, then the
            file; an answer the pixels' shape and the heading, then the
            pixels, or a Refused.
    """
    # Ctrl-C is for the server; without it there are no more requests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    # Decoders' complaints about uploads are not for this machine's screen.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    pipe.send(None)
    with suppress(EOFError):
        while True:
            length, *request = pipe.recv()
            content = bytearray(length)
            _receive(pipe, memoryview(content))
            try:
                found = _decode_within(bytes(content), *request)
            except Refused as error:
                pipe.send(error)
                continue
            pixels = np.ascontiguousarray(found.pixels)
            pipe.send((pixels.shape, found.heading))
            _send(pipe, pixels.data)


def _decode_within(
    content: bytes, most: int, believe: bool, memory: int, seconds: float
) -> Panorama:
    """`uploaded_panorama`, shrunk; ends its process where it takes too long.

    Args:
        content, believe: as of `uploaded_panorama`.
        most: pixels of the result.
        memory: bytes that it may take beside those in use.
        seconds: of a processor that it may take; twice as many in all.
    """
    _limit_memory(memory)
    _limit_time(seconds)
    try:
        found = uploaded_panorama(content, believe)
        return Panorama(shrunk(found.pixels, most), found.heading)
    except MemoryError:
        reason = "the image takes too much memory to decode"
        raise Refused(422, reason) from None
    finally:
        _limit_time(0)


def _limit_time(seconds: float) -> None:
    # Nobody handles the signals: they end the process, wherever it is.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 2 * seconds)


def _limit_memory(more: int) -> None:
    try:
        used = resident_bytes("VmSize")
    except OSError:
        return  # Not Linux.
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    least = used + more if most < 0 else min(used + more, most)
    resource.setrlimit(resource.RLIMIT_AS, (least, most))
