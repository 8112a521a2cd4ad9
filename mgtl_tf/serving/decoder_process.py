"""A process that decodes images for the server, one after the other.

`decoding.Decoder` starts it as `python -m mgtl_tf.serving.decoder_process`
and asks it over stdin and stdout. A file that takes too long, or crashes the
decoder, ends this process and no other.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import struct
from typing import BinaryIO

import cv2
import numpy as np

from mgtl_tf.serving.images import shrunk, uploaded_panorama
from mgtl_tf.serving.limits import Refused
from mgtl_tf.utils.processes import resident_bytes

REQUEST = struct.Struct("<QQ?Qd")
"""Length of the file that follows; most pixels of the answer; whether its
heading is believed; memory in bytes and seconds of a processor that decoding
may take."""

ANSWER = struct.Struct("<HIId")
"""HTTP status; then height and width of the pixels that follow and the heading
that was believed, or NaN; or length of the reason that follows, and zeros."""

READY = b"."
"""What is written when the first request may come."""


def answer_requests(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answers requests until there are no more.

    Args:
        requests: where they come from.
        answers: where they go.
    """
    while head := requests.read(REQUEST.size):
        length, most, believe, memory, seconds = REQUEST.unpack(head)
        content = requests.read(length)
        _limit_memory(memory)
        _limit_time(seconds)
        answer, data = _answer(content, most, believe)
        _limit_time(0)
        answers.write(answer)
        answers.write(data)
        answers.flush()


def _answer(
    content: bytes, most: int, believe: bool
) -> tuple[bytes, bytes | memoryview]:
    try:
        found = uploaded_panorama(content, believe)
        pixels = np.ascontiguousarray(shrunk(found.pixels, most))
    except Refused as error:
        return _reason(error.status, error.reason)
    except MemoryError:
        return _reason(422, "the image takes too much memory to decode")
    heading = math.nan if found.heading is None else found.heading
    return ANSWER.pack(200, *pixels.shape[:2], heading), pixels.data.cast("B")


def _reason(status: int, reason: str) -> tuple[bytes, bytes]:
    text = reason.encode(errors="replace")
    return ANSWER.pack(status, len(text), 0, 0), text


def _limit_time(seconds: float) -> None:
    """Seconds of a processor; twice as many where it is shared."""
    # Nobody handles the signals: they end the process, wherever it is.
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, 2 * seconds)


def _limit_memory(more: int) -> None:
    """Addresses of memory: those in use now and so many bytes more."""
    try:
        used = resident_bytes("VmSize")
    except OSError:
        return  # Not Linux.
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    least = used + more if most < 0 else min(used + more, most)
    resource.setrlimit(resource.RLIMIT_AS, (least, most))


def _main() -> None:
    # Ctrl-C is for the server; without it there are no more requests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    with os.fdopen(0, "rb") as requests, os.fdopen(1, "wb") as answers:
        answers.write(READY)
        answers.flush()
        # Decoders' complaints about uploads are for their senders, not for
        # this machine's screen.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        answer_requests(requests, answers)


if __name__ == "__main__":
    _main()
