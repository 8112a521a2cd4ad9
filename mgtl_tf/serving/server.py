"""The server process: a bound address, uvicorn on it, limits of connections."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mgtl_tf.serving.guard import HEADERS, client_of, is_loopback
from mgtl_tf.utils.errors import UserError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

# What arrives is looked at in such pieces, so that none takes long.
_PIECE = 2**13
# Seconds of the processor that a connection may take to be understood, and
# for each byte: ten times what an upload takes, and a tenth of what chunks of
# one byte do.
_SPARE_SECONDS = 0.05
_SECONDS_A_BYTE = 1e-7

_BUSY = b"too many connections; try again in a moment\n"


@dataclass(frozen=True)
class ConnectionLimits:
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


def limited_protocol(limits: ConnectionLimits) -> type:
    """uvicorn's HTTP/1.1, with an end to every connection.

    Uvicorn waits for ever for a request that comes byte by byte, and for a
    client that does not read its answer; a few dozen of those would keep
    everybody else out. A body in chunks of one byte keeps it busy for minutes.
    Its own answers lack the headers of ours.

    Args:
        limits: of them.
    """
    import h11
    from uvicorn.protocols.http.h11_impl import H11Protocol

    held: Counter[str] = Counter()

    class LimitedProtocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            loop = asyncio.get_running_loop()
            self._ends = [
                loop.call_later(limits.head_seconds, self._require_head),
                loop.call_later(limits.whole_seconds, transport.abort),
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
            if own > 2 * limits.share:
                self.transport.abort()
            elif own > limits.share or all_of_them > limits.connections:
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

    return LimitedProtocol


async def _busy(scope: Scope, receive: Receive, send: Send) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8")
    headers = [kind, *HEADERS.items()]
    await send(
        {"type": "http.response.start", "status": 503, "headers": headers}
    )
    await send({"type": "http.response.body", "body": _BUSY})


_FAREWELL_SECONDS = 3


def require_libraries() -> None:
    """Refuses, before any model is loaded, where the extra is missing.

    Raises:
        UserError: telling how to install it.
    """
    try:
        import python_multipart  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise UserError(
            f"{error.name} is not installed; pip install -e '.[serve]'"
        ) from error


def bind(host: str, port: int) -> socket.socket:
    """A listening socket.

    Args:
        host: a name or address of this machine.
        port: 0 takes any that is free.

    Raises:
        UserError: where it is empty, taken, not allowed, or not of this
            machine.
    """
    if not host.strip():
        # To the system an empty name is all addresses.
        raise UserError(
            "--host=: is empty; give an address, as 127.0.0.1, or leave the"
            " flag out"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, TypeError, ValueError) as error:
        if not isinstance(error, OSError):
            error = OSError(errno.EADDRNOTAVAIL, str(error))
        if error.errno == errno.EADDRINUSE:
            reason = f"--port={port}: in use; give another, or 0 for any"
        elif error.errno == errno.EACCES:
            reason = f"--port={port}: not allowed; give one above 1023"
        else:
            reason = (
                f"--host={host}: not an address of this machine; give one, as"
                " 127.0.0.1, or 0.0.0.0 for all of them"
            )
        raise UserError(reason) from error


def serve(app: ASGIApp, host: str, listening: socket.socket) -> None:
    """Answers requests until Ctrl-C or SIGTERM.

    Args:
        app: the application.
        host: as it was given to `bind`; where others may reach it, a warning
            line says so on stderr.
        listening: of `bind`.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        http=limited_protocol(ConnectionLimits()),
        ws="none",
        lifespan="off",
        # Uvicorn's own set-up would close absl's handler.
        log_config=None,
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_FAREWELL_SECONDS,
    )
    if not is_loopback(host):
        print(
            f"warning: --host={host}: whoever reaches this machine can use the"
            " page; it has no password",
            file=sys.stderr,
        )
    # A broken form is its sender's matter.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    shown = f"[{host}]" if ":" in host else host
    port = listening.getsockname()[1]
    print(f"open http://{shown}:{port} (Ctrl-C ends it)", flush=True)
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)
