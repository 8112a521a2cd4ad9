"""What one request may take, and how a request is refused."""

from __future__ import annotations

from dataclasses import dataclass


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
