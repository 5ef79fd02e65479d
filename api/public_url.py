"""The URL that clients reach the service at, where a proxy stands in front of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_URL = re.compile(
    r"(https?)://([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"((?:/[a-z0-9_~-][a-z0-9._~-]*)*)/?",
    re.IGNORECASE,
)
"""Scheme, host, port, path. No segment of the path begins with a dot."""

_PORTS = {"http": 80, "https": 443}
"""The ports that browsers and clients leave out."""


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """A scheme, a host in lower case, a port that is not the scheme's own, and a path.

    *prefix* is the path below which the service is reached, without a slash at its end; empty
    for the root.
    """

    scheme: str
    host: str
    port: int | None
    prefix: str

    @property
    def origin(self) -> str:
        """The URL without its path, as browsers write an origin."""
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")

    def __str__(self) -> str:
        return self.origin + self.prefix


def parse_public_url(text: str) -> PublicUrl:
    """The URL that *text* is.

    Raises:
        ValueError: it is none, or has more than a scheme, a host, a port and a path.
    """
    match = _URL.fullmatch(text)
    if match is None or int(match[3] or 1) not in range(1, 65536):
        raise ValueError(
            "it must be like https://jobtypes.studio.example:8443/farm, with a port and a path"
            " where they are needed, in ASCII, and without a user, a query or a fragment"
        )
    scheme = match[1].lower()
    port = int(match[3]) if match[3] else None
    return PublicUrl(scheme, match[2].lower(), None if port == _PORTS[scheme] else port, match[4])


def parse_origin(text: str) -> PublicUrl | None:
    """What the header Origin says, None where that is no origin (``null``)."""
    try:
        origin = parse_public_url(text)
    except ValueError:
        return None
    return None if origin.prefix or text.endswith("/") else origin
