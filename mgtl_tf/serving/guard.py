"""Which requests are answered, by host and origin.

Starlette's TrustedHostMiddleware reads no IPv6 address, no name with a final
dot, and takes a request with two Host headers.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

from mgtl_tf.utils.errors import UserError

if TYPE_CHECKING:
    from starlette.datastructures import Headers
    from starlette.types import ASGIApp, Receive, Scope, Send

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+?)\.?(?::([0-9]{1,5}))?")
_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?")
_LONGEST_NAME = 253


def is_loopback(host: str) -> bool:
    """Whether a name or address to bind to is this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def host_and_port(text: str) -> tuple[str, int | None] | None:
    """A Host header's name or address, in its usual form, and its port.

    Args:
        text: as "Localhost.:7860", "127.0.0.1" or "[::1]:7860".

    Returns:
        As ("localhost", 7860); None for text that is no host.
    """
    found = _HOST.fullmatch(text.lower())
    if found is None or len(text) > _LONGEST_NAME + 8:
        return None
    port = None if found[2] is None else int(found[2])
    if port is not None and port > 65535:
        return None
    return _normalized(found[1].strip("[]")), port


def _normalized(host: str) -> str:
    """One spelling of a name or address."""
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

    names: frozenset[str] = field(default_factory=frozenset)
    own_addresses: bool = False

    @classmethod
    def of(cls, host: str, allowed: Iterable[str] = ()) -> Hosts:
        """Those of a server.

        Args:
            host: that it is bound to.
            allowed: further ones, of `allowed_names`.
        """
        names = {_normalized(host), *map(_normalized, allowed), "localhost"}
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
        found = host_and_port(text)
        if found is None:
            return False
        own = self.own_addresses and found[0] == _normalized(reached)
        return own or found[0] in self.names


def allowed_names(given: Sequence[str]) -> list[str]:
    """Names and addresses in their usual form.

    Raises:
        UserError: for what is neither a name nor an address.
    """
    return [_allowed(text) for text in given]


def _allowed(text: str) -> str:
    name = text.lower().removesuffix(".")
    try:
        return str(ip_address(name.strip("[]")))
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
    """What counts as one client: an address; of IPv6 a network of one.

    Args:
        address: of the other end; "" where there is none.
    """
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    # A house has at least so many addresses for itself (RFC 6177).
    return str(ip_network((found, 64), strict=False))


_READING = ("GET", "HEAD", "OPTIONS")
_PORTS = {"http": 80, "https": 443}


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
    from starlette.datastructures import Headers
    from starlette.responses import PlainTextResponse

    headers = Headers(scope=scope)
    host = _only(headers, "host")
    server = scope.get("server") or ("", None)
    if host is None or not hosts.has(host, server[0]):
        return PlainTextResponse(
            "the server does not answer to this name (--allowed_hosts)\n", 400
        )
    # Another site's page could not read the answer, but would keep the model
    # busy.
    if scope["method"] not in _READING and not _is_own(
        headers, host, scope.get("scheme", "http")
    ):
        return PlainTextResponse("sent by another site\n", 403)
    return None


def _only(headers: Headers, name: str) -> str | None:
    """A header's value; None where it is missing or comes several times."""
    found = headers.getlist(name)
    return found[0] if len(found) == 1 else None


def _is_own(headers: Headers, host: str, own_scheme: str) -> bool:
    """Whether a page of this server sent it, or no browser at all."""
    site = _only(headers, "sec-fetch-site")
    # Browsers say this themselves, but only where they trust the address.
    if "sec-fetch-site" in headers and site not in ("same-origin", "none"):
        return False
    if "origin" not in headers:
        return True
    scheme, found, origin = (_only(headers, "origin") or "").partition("://")
    if not found or scheme not in _PORTS:
        return False
    # Behind a proxy that does the encryption only the browser knows.
    if scheme != own_scheme and site != "same-origin":
        return False
    return _at(host, scheme) == _at(origin, scheme) is not None


def _at(text: str, scheme: str) -> tuple[str, int] | None:
    found = host_and_port(text)
    if found is None:
        return None
    return found[0], _PORTS[scheme] if found[1] is None else found[1]
