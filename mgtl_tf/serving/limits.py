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
        body_seconds: within which a whole upload must have come.
        stall_seconds: within which its next piece must come.
        queue_seconds: that an upload waits for its turn at most.
        drain_seconds: that the rest of a too long body is read and thrown
            away, so that its sender gets to read why.
    """

    upload_bytes: int = 20 * 2**20
    places: int = 8
    body_seconds: float = 60.0
    stall_seconds: float = 10.0
    queue_seconds: float = 60.0
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
