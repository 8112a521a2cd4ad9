"""Image files to pixels in processes that can be ended, within bounds."""

from __future__ import annotations

import math
import os
import queue
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import BinaryIO, cast

import numpy as np

from mgtl_tf.serving.decoder_process import ANSWER, READY, REQUEST
from mgtl_tf.serving.limits import Limits, Refused

_MODULE = "mgtl_tf.serving.decoder_process"
PROCESSES = 2
"""That decode at a time: one client's slow files leave one for others."""

# More that are ready: starting one takes half a second.
_SPARE = 2


@dataclass(frozen=True)
class Decoded:
    """An image file's pixels.

    Attributes:
        pixels: RGB uint8 [h, w, 3]; fewer than the file has where those
            would be too many, as a mean over areas.
        heading: as of `gpano.Panorama`.
    """

    pixels: np.ndarray
    heading: float | None = None


class Decoder:
    """One process that decodes.

    Raises:
        OSError: where it does not start.
    """

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "MGTL_TF_LAZY": "1"},
        )
        self._requests = cast(BinaryIO, self._process.stdin)
        self._answers = cast(BinaryIO, self._process.stdout)
        if self._answers.read(1) != READY:
            self._ended()
            raise OSError("the process that decodes images does not start")

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    def decode(
        self, content: bytes, most: int, limits: Limits, believe: bool = False
    ) -> Decoded:
        """The pixels of a file.

        Args:
            content, most, believe: as of `Decoders.decode`.
            limits: of time and memory.

        Raises:
            Refused: 422, telling why it has none.
            EOFError: likewise; and this process has ended.
        """
        bounds = limits.decode_bytes, limits.decode_seconds
        head = REQUEST.pack(len(content), most, believe, *bounds)
        try:
            self._requests.write(head)
            self._requests.write(content)
            self._requests.flush()
            return self._answer(most)
        except (BrokenPipeError, EOFError):
            if -self._ended() in (signal.SIGALRM, signal.SIGPROF):
                reason = (
                    f"takes more than {limits.decode_seconds:g} s to decode"
                )
            else:
                reason = "cannot be decoded"
            raise EOFError(f"the image {reason}") from None

    def _answer(self, most: int) -> Decoded:
        head = bytearray(ANSWER.size)
        self._fill(memoryview(head))
        status, height, width, heading = ANSWER.unpack(head)
        if status != 200:
            reason = bytearray(height)
            self._fill(memoryview(reason))
            raise Refused(status, reason.decode())
        if height * width > most:
            raise EOFError
        pixels = np.empty((height, width, 3), np.uint8)
        self._fill(pixels.data.cast("B"))
        believed = None if math.isnan(heading) else heading
        return Decoded(pixels, believed)

    def _fill(self, memory: memoryview) -> None:
        while memory:
            count = self._answers.readinto(memory)  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            memory = memory[count:]

    def _ended(self) -> int:
        """Ends the process if it has not; its exit status."""
        try:
            status = self._process.wait(0.2)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        self._answers.close()
        try:
            self._requests.close()
        except BrokenPipeError:
            pass  # With what was not sent to it any longer.
        return status


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
        self._idle: queue.SimpleQueue[Decoder | None] = queue.SimpleQueue()
        starting = [self._start_beside() for _ in range(processes)]
        for thread in starting:
            thread.join()

    def decode(
        self, content: bytes, most: int, believe: bool = False
    ) -> Decoded:
        """The pixels of an upload or a file.

        Args:
            content: the whole file.
            most: pixels that are given; of more, a smaller image.
            believe: whether a panorama is turned to north where its file
                says how.

        Raises:
            Refused: 422 for what is no whole image, or takes too long or too
                much memory; 503 where no process is to be had.
        """
        decoder = self._next()
        try:
            decoded = decoder.decode(content, most, self._limits, believe)
        except EOFError as error:
            self._start_beside()
            raise Refused(422, str(error)) from None
        except BaseException:
            self._idle.put(decoder)
            raise
        self._idle.put(decoder)
        return decoded

    def _next(self) -> Decoder:
        try:
            found = self._idle.get(timeout=self._patience)
            return found or Decoder()
        except queue.Empty:
            raise Refused(503, "busy; try again in a moment") from None
        except OSError as error:
            self._idle.put(None)
            raise Refused(503, f"no image can be decoded: {error}") from None

    def _start_beside(self) -> threading.Thread:
        """Starting takes half a second; nobody is to wait for it."""
        thread = threading.Thread(target=self._start, daemon=True)
        thread.start()
        return thread

    def _start(self) -> None:
        try:
            self._idle.put(Decoder())
        except OSError:
            self._idle.put(None)
