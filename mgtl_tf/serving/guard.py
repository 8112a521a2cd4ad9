"""Middleware around all answers: what browsers may do with them, and who asks.

Written for ASGI itself: https://asgi.readthedocs.io/en/latest/specs/www.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mgtl_tf.serving.hosts import Hosts, host_and_port

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

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

_READING = ("GET", "HEAD", "OPTIONS")
_PORTS = {"http": 80, "https": 443}


class Guard:
    """Adds `HEADERS`; refuses other hosts' requests and other sites' uploads.

    It lies around the whole application, its handler of errors too.

    Args:
        app: the application inside.
        hosts: that may be asked for.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts):
        self.app = app
        self.hosts = hosts

    async def __call__(
        self, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        app = _refusal(scope, self.hosts) or self.app

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                others = [
                    (name, value)
                    for name, value in message["headers"]
                    if name.lower() not in HEADERS
                ]
                message["headers"] = [*others, *HEADERS.items()]
            await send(message)

        await app(scope, receive, guarded)


def _refusal(scope: Scope, hosts: Hosts) -> ASGIApp | None:
    from starlette.responses import PlainTextResponse

    host = _only(scope, b"host")
    server = scope.get("server") or ("", None)
    if host is None or not hosts.has(host, server[0]):
        return PlainTextResponse(
            "the server does not answer to this name (--allowed_hosts)\n", 400
        )
    # A page of elsewhere could not read the answer, but would keep the model
    # busy.
    if scope["method"] not in _READING and not _is_own(scope, host):
        return PlainTextResponse("sent by another site\n", 403)
    return None


def _only(scope: Scope, name: bytes) -> str | None:
    """A header's value; None where it is missing or comes several times."""
    found = [value for key, value in scope["headers"] if key.lower() == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def _is_own(scope: Scope, host: str) -> bool:
    """Whether a page of this server sent it, or no browser at all."""
    given = {key.lower() for key, _ in scope["headers"]}
    site = _only(scope, b"sec-fetch-site")
    # Browsers say this themselves, but only where they trust the address.
    if b"sec-fetch-site" in given and site not in ("same-origin", "none"):
        return False
    if b"origin" not in given:
        return True
    scheme, found, origin = (_only(scope, b"origin") or "").partition("://")
    if not found or scheme not in _PORTS:
        return False
    # Behind a proxy that does the encryption only the browser knows.
    if scheme != scope.get("scheme", "http") and site != "same-origin":
        return False
    return _at(host, scheme) == _at(origin, scheme) is not None


def _at(text: str, scheme: str) -> tuple[str, int] | None:
    found = host_and_port(text)
    if found is None:
        return None
    return found[0], _PORTS[scheme] if found[1] is None else found[1]
