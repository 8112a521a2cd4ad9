"""The server: a bound address, uvicorn on it, limits of connections."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from mgtl_tf.retrieval.localizer import Localizer
from mgtl_tf.serving.app import create_app
from mgtl_tf.serving.guard import Hosts, client_of, is_loopback
from mgtl_tf.serving.limits import Limits
from mgtl_tf.utils.errors import UserError

HEADERS = {
    "content-security-policy": "default-src 'none'; img-src 'self' data:;"
    " style-src 'self'; script-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    # One request a connection: the sender of a refused request can't go on
    # sending.
    "connection": "close",
}
"""Of every answer."""

_TEXT = {"content-type": "text/plain; charset=utf-8", **HEADERS}
_BAD_REQUEST = "\r\n".join(
    ["HTTP/1.1 400 Bad Request", *map(": ".join, _TEXT.items()), "", ""]
).encode()

# What arrives is looked at in such pieces, so that none takes long.
_PIECE = 2**13
# Seconds of the processor that a connection may take to be parsed, and for
# each byte: ten times what an upload takes, and a tenth of what chunks of
# one byte do.
_SPARE_SECONDS = 0.05
_SECONDS_A_BYTE = 1e-7
_FAREWELL_SECONDS = 3


@dataclass(frozen=True)
class ConnectionLimits:
    """Limits of connections.

    Attributes:
        head_seconds: within which a request's head must have come.
        all_seconds: that a connection may last; longer than an upload, its
            wait and its answer take at most.
        connections: at a time; requests on more are refused.
        share: of these, how many one client may have.
    """

    head_seconds: float = 10
    all_seconds: float = 120
    connections: int = 128
    share: int = 32


def limited_protocol(limits: ConnectionLimits) -> type:
    """uvicorn's HTTP/1.1, with an end to every connection.

    uvicorn waits forever for a request that comes byte by byte, and for a
    client that does not read its answer; a few dozen of those would keep
    everybody else out. A body in chunks of one byte keeps it busy for minutes.
    Its answer to a malformed request lacks HEADERS.
    """
    held: Counter[str] = Counter()
    busy = PlainTextResponse("too many connections; try again in a moment", 503)

    class LimitedProtocol(H11Protocol):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            loop = asyncio.get_running_loop()
            self._ends = [
                loop.call_later(limits.head_seconds, self._require_head),
                loop.call_later(limits.all_seconds, transport.abort),
            ]
            self._budget = _SPARE_SECONDS
            self._client = client_of((self.client or ("", 0))[0])
            held[self._client] += 1
            own = held[self._client]
            if own > 2 * limits.share:
                transport.abort()
            elif own > limits.share or held.total() > limits.connections:
                self.app = busy

        def connection_lost(self, exc: Exception | None) -> None:
            for end in self._ends:
                end.cancel()
            held[self._client] -= 1
            if not held[self._client]:
                del held[self._client]
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

        def _require_head(self) -> None:
            # uvicorn makes it of the head.
            if self.scope is None:
                self.transport.abort()

        def send_400_response(self, msg: str) -> None:
            self.transport.write(_BAD_REQUEST + msg.encode("ascii", "replace"))
            self.transport.close()

    return LimitedProtocol


def uvicorn_server(app: ASGIApp, limits: ConnectionLimits) -> uvicorn.Server:
    """A server of one application, not started."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=limited_protocol(limits),
            headers=list(HEADERS.items()),
            ws="none",
            lifespan="off",
            # uvicorn's own set-up would close absl's handler.
            log_config=None,
            log_level="error",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_FAREWELL_SECONDS,
        )
    )


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any that is free.

    Raises:
        UserError: for a host that is empty or not of this machine, or a port
            that is taken or not allowed.
    """
    if not host.strip():
        # To the system an empty name is all addresses.
        raise UserError("host=: is empty; give an address, as 127.0.0.1")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, TypeError, ValueError) as error:
        number = getattr(error, "errno", None)
        if number == errno.EADDRINUSE:
            reason = f"port={port}: in use; give another, or 0 for any"
        elif number == errno.EACCES:
            reason = f"port={port}: not allowed; give one above 1023"
        else:
            reason = (
                f"host={host}: not an address of this machine; give one, as"
                " 127.0.0.1, or 0.0.0.0 for all of them"
            )
        raise UserError(reason) from error


def serve(app: ASGIApp, host: str, listening: socket.socket) -> None:
    """Answers requests until Ctrl-C or SIGTERM.

    Where others may reach it, a line on stderr warns.
    """
    if not is_loopback(host):
        print(
            f"warning: host={host}: whoever reaches this machine can use the"
            " page; it has no password",
            file=sys.stderr,
        )
    # A broken form is its sender's matter.
    logging.getLogger("python_multipart").setLevel(logging.ERROR)
    shown = f"[{host}]" if ":" in host else host
    port = listening.getsockname()[1]
    print(f"open http://{shown}:{port} (Ctrl-C ends it)", flush=True)
    try:
        uvicorn_server(app, ConnectionLimits()).run(sockets=[listening])
    except KeyboardInterrupt:
        print("ended", file=sys.stderr)


def serve_gallery(
    model: Path | str,
    gallery: Path | str,
    host: str = "127.0.0.1",
    port: int = 7860,
    max_upload_mb: int = 20,
    allowed_hosts: Sequence[str] = (),
    engine: str = "exact",
    backend: str = "faiss",
    uri: str | None = None,
) -> None:
    """Serves the page and the endpoint until Ctrl-C or SIGTERM.

    Args:
        model: folder that experiments.export wrote.
        gallery: folder that experiments.index wrote, with the same model.
        host, port: to bind to; port 0 takes any that is free.
        max_upload_mb: the largest image file that is taken, MB (2**20).
        allowed_hosts: further names and addresses under which requests may
            ask for the server.
        engine, backend, uri: as of `Localizer.load`.

    Raises:
        UserError: for an address that is taken, or a wrong folder.
    """
    hosts = Hosts.of(host, allowed_hosts)
    with bind(host, port) as listening:
        localizer = Localizer.load(model, gallery, engine, backend, uri)
        # TensorFlow's first run takes seconds; nobody is to wait for them.
        localizer.locate(np.full((64, 256, 3), 128, np.uint8), top_k=1)
        limits = Limits(upload_bytes=max_upload_mb * 2**20)
        serve(create_app(localizer, hosts, limits), host, listening)
