"""The server process: a bound address, uvicorn on it, its end."""

from __future__ import annotations

import errno
import logging
import socket
import sys
from typing import TYPE_CHECKING

from mgtl_tf.serving.hosts import is_loopback
from mgtl_tf.serving.impatience import Patience, impatient_protocol
from mgtl_tf.utils.errors import UserError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

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
        http=impatient_protocol(Patience()),
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
