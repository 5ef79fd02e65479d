"""Who may have sent a request that changes something: a web page, or another machine.

A browser sends what a page of any site asks for, with the credentials that it keeps for us, and
to a name that the page's owner may point at this machine. These rules look at headers alone,
which no page can forge. They are about requests that write; docs/threats.md has the reasons.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from api.config import Config, is_loopback, parse_origin
from api.web.hosts import find_host
from gitstore.errors import Forbidden
from gitstore.format.layout import shown

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")
"""The names that always mean the client's own machine."""

OWN_SITES = ("same-origin", "none")
"""The values of Sec-Fetch-Site for our own pages, and for an address that a user typed."""

_OF_CLIENTS = (
    "HTTP_(?:FORWARDED|VIA|X_FORWARDED(?:_FOR)?|X_REAL_IP|X_CLIENT_IP|X_CLUSTER_CLIENT_IP"
    "|TRUE_CLIENT_IP|CF_CONNECTING_IP)"
)
_OF_URLS = "HTTP_X_(?:FORWARDED|ORIGINAL)_.*"
"""Headers, as WSGI names them, that proxies add about a client, and about the URL it asked for."""

_ADVICE = "make tokens (jobtypes token create)"


class Senders:
    """Which senders of one service may write."""

    def __init__(self, config: Config) -> None:
        self._public = config.public
        self._takes_all = config.insecure_writes
        # A URL that the settings name is no news of a proxy.
        telling = _OF_CLIENTS if self._public else f"{_OF_CLIENTS}|{_OF_URLS}"
        self._is_forwarded = re.compile(telling).fullmatch
        self._hosts = set(LOCAL_HOSTS)
        if self._public is not None:
            self._hosts.add(self._public.host)
        if is_loopback(config.host):
            self._hosts.add(_in_url(config.host))

    def require_own_page(self, environ: WSGIEnvironment) -> None:
        """Refuse a request that a page of another site has had a browser send.

        Raises:
            Forbidden: it is one, by its Origin or Sec-Fetch-Site.
        """
        origin, site = environ.get("HTTP_ORIGIN"), environ.get("HTTP_SEC_FETCH_SITE")
        if origin is not None and not self._is_own(origin, environ.get("HTTP_HOST", "")):
            raise Forbidden(f"a page of {shown(origin)} sent this, and only our own may write")
        if site is not None and site not in OWN_SITES:
            raise Forbidden(
                f"a page of another site sent this (Sec-Fetch-Site: {shown(site)}), and only our"
                " own may write"
            )

    def _is_own(self, text: str, host: str) -> bool:
        """Whether a page of origin *text* is ours: of the public URL, or else of *host*."""
        origin = parse_origin(text)
        if origin is None:
            return False
        if self._public is not None:
            return origin.origin == self._public.origin
        # Behind TLS, the scheme that we see is not the browser's.
        asked = parse_origin(f"{origin.scheme}://{host}")
        return asked is not None and origin == asked

    def require_this_machine(self, environ: WSGIEnvironment) -> None:
        """Refuse a request that may come from another machine, for a service without tokens.

        Raises:
            Forbidden: its Host is not one of ours, or a proxy forwarded it.
        """
        if self._takes_all:
            return
        host = find_host(environ)
        if host is None or host.name not in self._hosts:
            at = shown(host.name) if host else "no host"
            raise Forbidden(
                f"without tokens, writes are taken at {', '.join(sorted(self._hosts))}, and this"
                f" one was sent to {at}; {_ADVICE}, or set public_url"
            )
        by = next(filter(self._is_forwarded, environ), None)
        if by is not None:
            header = by.removeprefix("HTTP_").replace("_", "-").title()
            raise Forbidden(
                f"a proxy forwarded this request (it has the header {header}), and without tokens"
                f" only this machine may write; {_ADVICE}"
            )


def _in_url(host: str) -> str:
    """An address to listen at, as it stands in a URL."""
    return f"[{host}]" if ":" in host else host.lower()
