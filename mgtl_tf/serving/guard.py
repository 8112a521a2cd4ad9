"""Middleware around all answers: what browsers may do with them, and who asks.

Written for ASGI itself: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp
    from starlette.types import Message
    from starlette.types import Receive
    from starlette.types import Scope
    from starlette.types import Send

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "img-src 'self' data:",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = {
    b"content-security-policy": _POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    # One request a connection: a sender whom nobody listens to any longer
    # can't go on sending.
    b"connection": b"close",
}
"""Of every answer."""


class Guard:
    """Adds `HEADERS`; refuses what other sites' pages send through a browser.

    Args:
        app: the application inside.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """One request."""
        from starlette.responses import PlainTextResponse

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS.items()]
            await send(message)

        # Browsers say so themselves; a page of elsewhere could not read the
        # answer, but would keep the model busy.
        site = dict(scope.get("headers", ())).get(b"sec-fetch-site", b"")
        if scope.get("method") == "POST" and site in (
            b"cross-site",
            b"same-site",
        ):
            refuse = PlainTextResponse("sent by another site\n", 403)
            await refuse(scope, receive, guarded)
        else:
            await self.app(scope, receive, guarded)


def is_loopback(host: str) -> bool:
    """Whether a name or address to bind to is this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def allowed_hosts(host: str) -> Sequence[str]:
    """Host headers to answer to when bound to `host`.

    A name of elsewhere that was made to point to 127.0.0.1 must not make a
    browser take this page for that site's (DNS rebinding).
    """
    if not is_loopback(host):
        return ["*"]
    return ["localhost", "127.0.0.1", "[::1]", host]
