"""Uploaded bytes to pixels, and pixels to what a browser is given.

What goes out is always a JPEG that was encoded here: no byte of an upload
is ever sent back.
"""

from __future__ import annotations

import base64
import os
import resource
import signal
from contextlib import suppress
from multiprocessing.connection import Connection

import cv2
import numpy as np

from mgtl_tf.serving.limits import Refused
from mgtl_tf.utils.memory import resident_bytes
from polar.gpano import Panorama
from polar.image_files import decode, decode_panorama, read_header

MOST_PIXELS = 2**26
"""Of an upload: 16384 x 4096. Half of what a file on disk may have."""

MOST_SIDE = 2**14
"""Pixels. The model weighs each row and column: a long strip takes more
memory than its pixels."""

_QUALITY = 85


def answer_requests(pipe: Connection) -> None:
    """In a process of its own: `decode_within`, until the other end closes.

    Args:
        pipe: sends None when the first request may come. A request is the
            length of the file and what else `decode_within` takes, then the
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
            receive_into(pipe, memoryview(content))
            try:
                found = decode_within(bytes(content), *request)
            except Refused as error:
                pipe.send(error)
                continue
            pixels = np.ascontiguousarray(found.pixels)
            pipe.send((pixels.shape, found.heading))
            send_buffer(pipe, pixels.data)


# Connection itself copies a message of 50 MB for half a second.
def send_buffer(pipe: Connection, buffer: bytes | memoryview) -> None:
    """Sends bytes whose number the other end knows."""
    with open(pipe.fileno(), "wb", closefd=False) as file:
        file.write(buffer)


def receive_into(pipe: Connection, buffer: memoryview) -> None:
    """Fills a buffer with what `send_buffer` sends.

    Raises:
        EOFError: where the other end closes before that.
    """
    with open(pipe.fileno(), "rb", closefd=False) as file:
        if file.readinto(buffer) < buffer.nbytes:
            raise EOFError


def decode_within(
    content: bytes, most: int, believe: bool, memory: int, seconds: float
) -> Panorama:
    """`uploaded_panorama`, shrunk; ends its process where it takes too long.

    Args:
        content, believe: as of `uploaded_panorama`.
        most: pixels of the result.
        memory: bytes that it may take beside those in use.
        seconds: of a processor that it may take; twice as many in all.

    Raises:
        Refused: 422, as `uploaded_panorama`, or for too little memory.
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


def uploaded_panorama(content: bytes, believe: bool) -> Panorama:
    """The pixels of an upload.

    Args:
        content: the file.
        believe: whether it is turned to north by the heading in the file.

    Raises:
        Refused: 422, for what is no complete image or is too large.
    """
    try:
        if content:
            _require_size(content)
        return (
            decode_panorama(content) if believe else Panorama(decode(content))
        )
    except ValueError as error:
        raise Refused(422, f"the image {error}") from error


def _require_size(content: bytes) -> None:
    header = read_header(content)
    height, width = header.height, header.width
    if height * width > MOST_PIXELS or max(height, width) > MOST_SIDE:
        raise ValueError(
            f"has {width} x {height} pixels; at most {MOST_SIDE:,} a side and"
            f" {MOST_PIXELS:,} in all are taken here"
        )


def shrunk(image: np.ndarray, most: int) -> np.ndarray:
    """RGB uint8 [h, w, 3] as it is, or a smaller one of `most` pixels."""
    scale = (most / (image.shape[0] * image.shape[1])) ** 0.5
    if scale >= 1:
        return image
    height, width = (max(1, int(scale * n)) for n in image.shape[:2])
    # Of a long strip, where one row is the least.
    width, height = min(width, most), min(height, most)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def jpeg(image: np.ndarray, height: int, width: int) -> bytes:
    """A JPEG file of RGB uint8 [h, w, 3], resized to height x width."""
    if image.shape[:2] != (height, width):
        smaller = height * width < image.shape[0] * image.shape[1]
        rule = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        image = cv2.resize(image, (width, height), interpolation=rule)
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, options)[1].tobytes()


def in_page(file: bytes) -> str:
    """A JPEG file as an address that holds it, for an img element."""
    return "data:image/jpeg;base64," + base64.b64encode(file).decode()
