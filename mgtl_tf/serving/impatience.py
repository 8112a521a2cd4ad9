"""Connections that take their time are ended, whatever they are at."""

from __future__ import annotations

import asyncio
from typing import Any


def impatient_protocol(head_seconds: float, whole_seconds: float) -> type:
    """uvicorn's HTTP/1.1, with an end to every connection.

    Uvicorn waits for ever for a request that comes byte by byte, and for a
    client that does not read its answer; a few dozen of those would keep
    everybody else out.

    Args:
        head_seconds: within which a request's head must have come.
        whole_seconds: that a connection may last.
    """
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Impatient(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            loop = asyncio.get_running_loop()
            self._ends = [
                loop.call_later(head_seconds, self._require_head),
                loop.call_later(whole_seconds, transport.abort),
            ]

        def connection_lost(self, exc: Exception | None) -> None:
            for end in self._ends:
                end.cancel()
            super().connection_lost(exc)

        def _require_head(self) -> None:
            # uvicorn makes it of the head.
            if self.scope is None:
                self.transport.abort()

    return Impatient
