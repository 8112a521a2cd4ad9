"""Connections that take their time, or are too many, are ended."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mgtl_tf.serving.guard import HEADERS
from mgtl_tf.serving.hosts import client_of

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

# What arrives is looked at in such pieces, so that none takes long.
_PIECE = 2**13
# Seconds of the processor that a connection may take to be understood, and
# for each byte: ten times what an upload takes, and a tenth of what chunks of
# one byte do.
_SPARE_SECONDS = 0.05
_SECONDS_A_BYTE = 1e-7

_BUSY = b"too many connections; try again in a moment\n"


@dataclass(frozen=True)
class Patience:
    """What a server bears of connections.

    Attributes:
        head_seconds: within which a request's head must have come.
        whole_seconds: that a connection may last.
        connections: at a time; requests on more are told to come again.
        share: of these, how many one client may have.
    """

    head_seconds: float = 10
    # Longer than an upload, its wait and its answer take at most.
    whole_seconds: float = 120
    connections: int = 128
    share: int = 32


def impatient_protocol(patience: Patience) -> type:
    """uvicorn's HTTP/1.1, with an end to every connection.

    Uvicorn waits for ever for a request that comes byte by byte, and for a
    client that does not read its answer; a few dozen of those would keep
    everybody else out. A body in chunks of one byte keeps it busy for minutes.
    Its own answers lack the headers of ours.

    Args:
        patience: bounds.
    """
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    held: Counter[str] = Counter()

    class Impatient(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            loop = asyncio.get_running_loop()
            self._ends = [
                loop.call_later(patience.head_seconds, self._require_head),
                loop.call_later(patience.whole_seconds, transport.abort),
            ]
            self._who = client_of((self.client or ("", 0))[0])
            held[self._who] += 1
            self._budget = _SPARE_SECONDS
            self._require_room()

        def connection_lost(self, exc: Exception | None) -> None:
            for end in self._ends:
                end.cancel()
            held[self._who] -= 1
            if not held[self._who]:
                del held[self._who]
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            for start in range(0, len(data), _PIECE):
                if self.transport.is_closing():
                    return
                piece, begin = data[start : start + _PIECE], time.thread_time()
                super().data_received(piece)
                self._budget += len(piece) * _SECONDS_A_BYTE
                self._budget -= time.thread_time() - begin
                if self._budget < 0:
                    self.transport.abort()

        def _require_room(self) -> None:
            own, all_of_them = held[self._who], held.total()
            if own > 2 * patience.share:
                self.transport.abort()
            elif own > patience.share or all_of_them > patience.connections:
                self.app = _busy  # type: ignore[assignment]

        def _require_head(self) -> None:
            # uvicorn makes it of the head.
            if self.scope is None:
                self.transport.abort()

        def send_400_response(self, msg: str) -> None:
            kind = (b"content-type", b"text/plain; charset=utf-8")
            events = (
                h11.Response(
                    status_code=400,
                    headers=[kind, *HEADERS.items()],
                    reason=b"Bad Request",
                ),
                h11.Data(data=msg.encode("ascii", "replace")),
                h11.EndOfMessage(),
            )
            for event in events:
                self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

    return Impatient


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    headers = [kind, *HEADERS.items()]
    await send(
        {"type": "http.response.start", "status": 503, "headers": headers}
    )
    await send({"type": "http.response.body", "body": _BUSY})
