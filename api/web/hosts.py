"""The header Host: which host a request is for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

from gitstore.errors import BadRequest

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

NAME_LIMIT = 253
"""How long a name of a host can be, by the rules of DNS."""

_HOST = re.compile(
    r"([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._~%-]+)?\])(?::([0-9]{0,5}))?"
)
"""A name, an IPv4 address or an IPv6 address in brackets, and a port perhaps.

The server puts a comma between two headers of a name. No host has one, nor a space, nor a
user's name before an @.
"""

_KNOWN_LIMIT = 256
"""Good hosts that are remembered. Few are in use; more are somebody's inventions."""


@dataclass(frozen=True, slots=True)
class Host:
    """The value of a Host header: *name* in lower case, *port* None if it has none."""

    name: str
    port: int | None


def find_host(environ: WSGIEnvironment) -> Host | None:
    """The host that the request of *environ* is for; None, as in HTTP/1.0, if it names none.

    Raises:
        BadRequest: it names none in HTTP/1.1, or two, or one that can't be a host.
    """
    field = environ.get("HTTP_HOST", "")
    if not field:
        if environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
            raise BadRequest("the request has no good Host header; HTTP/1.1 requires exactly one")
        return None
    match = _HOST.fullmatch(field)
    port = int(match[2]) if match and match[2] else None
    if match is None or len(match[1]) > NAME_LIMIT or (port or 0) > 65535:
        raise BadRequest(f"the Host header is {field[:80]!r}; send one, of a name and a port")
    return Host(match[1].lower(), port)


def has_good_host(environ: WSGIEnvironment) -> bool:
    """Whether find_host would not raise."""
    try:
        find_host(environ)
    except BadRequest:
        return False
    return True


class KnownHosts(set[str]):
    """Recent good Host headers, so that the hot path need not parse them again."""

    def check(self, environ: WSGIEnvironment) -> None:
        """Check the Host of a request, and remember it.

        Raises:
            BadRequest: as find_host.
        """
        field = environ.get("HTTP_HOST", "")
        if field in self:
            return
        if find_host(environ):
            if len(self) >= _KNOWN_LIMIT:
                self.clear()
            self.add(field)


def require_good_host(known: KnownHosts) -> None:
    """Raise BadRequest for a request whose Host header is not a good one."""
    known.check(request.environ)
