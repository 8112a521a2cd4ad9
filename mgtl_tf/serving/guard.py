"""Which requests are answered, by host and origin.

Starlette's TrustedHostMiddleware reads no IPv6 address, no name with a final
dot, and takes a request with two Host headers.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from mgtl_tf.utils.errors import UserError

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(?::[0-9]{1,5})?")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_LONGEST_NAME = 253
_READING = ("GET", "HEAD", "OPTIONS")


def is_loopback(host: str) -> bool:
    """Whether a name or address to bind to is this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_of(text: str) -> str | None:
    """The name or address of a Host header in its usual form, without port.

    None for text that is no host.
    """
    found = _HOST.fullmatch(text.lower())
    if found is None or len(text) > _LONGEST_NAME + 8:
        return None
    return _normalized(found[1].strip("[]"))


def _normalized(host: str) -> str:
    """One form of a name or address."""
    try:
        address = ip_address(host)
    except ValueError:
        return host.lower().removesuffix(".")
    return str(getattr(address, "ipv4_mapped", None) or address)


@dataclass(frozen=True)
class Hosts:
    """The names and addresses that requests may ask for.

    Another site's name that was made to point to this machine must not make
    a browser take this page for that site's (DNS rebinding).

    Attributes:
        names: in their usual form.
        own_addresses: whether any address is one at which a request reached
            this machine; for a server on all of them.
    """

    names: frozenset[str]
    own_addresses: bool

    @classmethod
    def of(cls, host: str, allowed: Iterable[str] = ()) -> Hosts:
        """Those of a server that is bound to `host`, and further ones.

        Raises:
            UserError: for what is neither a name nor an address.
        """
        names = {_normalized(host), *map(_allowed, allowed), "localhost"}
        if is_loopback(host):
            names |= {"127.0.0.1", "::1"}
        else:
            names.add(_normalized(socket.gethostname()))
        return cls(frozenset(names), not is_loopback(host))

    def has(self, text: str, reached: str) -> bool:
        """Whether a request may ask for a host.

        Args:
            text: the Host header.
            reached: the address of this machine that it came to.
        """
        found = host_of(text)
        if found is None:
            return False
        own = self.own_addresses and found == _normalized(reached)
        return own or found in self.names


def _allowed(text: str) -> str:
    name = text.lower().removesuffix(".")
    try:
        return _normalized(str(ip_address(name.strip("[]"))))
    except ValueError:
        parts = name.split(".")
    # Four numbers that are no address are no name either.
    named = all(_NAME.fullmatch(part) for part in parts)
    if named and not parts[-1].isdecimal() and len(name) <= _LONGEST_NAME:
        return name
    raise UserError(
        f"allowed_hosts={text}: give names or addresses without scheme and"
        " port, separated by commas, as maps.example.org"
    )


def client_of(address: str) -> str:
    """What counts as one client: an address; of IPv6 a network of one."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address) or found.ipv4_mapped is not None:
        return _normalized(str(found))
    # A house has at least so many addresses for itself (RFC 6177).
    return str(ip_network((found, 64), strict=False))


class Guard:
    """Refuses other hosts' requests and other sites' uploads.

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
        if scope["type"] == "http":
            app = _refusal(scope, self.hosts) or self.app
            await app(scope, receive, send)


def _refusal(scope: Scope, hosts: Hosts) -> ASGIApp | None:
    headers = Headers(scope=scope)
    host = _only(headers, "host")
    server = scope.get("server") or ("", None)
    if host is None or not hosts.has(host, server[0]):
        return PlainTextResponse(
            "the server does not answer to this name (--allowed_hosts)\n", 400
        )
    # Another site's page could not read the answer, but would keep the model
    # busy.
    scheme = scope.get("scheme", "http")
    if scope["method"] not in _READING and not _is_own(headers, host, scheme):
        return PlainTextResponse("sent by another site\n", 403)
    return None


def _only(headers: Headers, name: str) -> str | None:
    """A header's value; None where it is missing or comes several times."""
    found = headers.getlist(name)
    return found[0] if len(found) == 1 else None


def _is_own(headers: Headers, host: str, scheme: str) -> bool:
    """Whether a page of this server sent it, or no browser at all."""
    site = _only(headers, "sec-fetch-site")
    # Browsers say this themselves, but only where they trust the address.
    if "sec-fetch-site" in headers and site not in ("same-origin", "none"):
        return False
    if "origin" not in headers:
        return True
    # Behind a proxy that does the encryption only the browser knows.
    schemes = {scheme, "https" if site == "same-origin" else scheme}
    origin = (_only(headers, "origin") or "").lower()
    return origin in {f"{one}://{host.lower()}" for one in schemes}
