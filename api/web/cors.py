"""Cross-origin reads: pages of the sites in a setting may read the API in a browser.

Nobody may write that way: api/web/browsers.py refuses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from api.config import PREFIX, parse_origin

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_READS = ("GET", "HEAD")
_PATH = re.compile(rf"(?:/preview/.+)?{re.escape(PREFIX)}(?!/tokens)(?:/.*)?", re.DOTALL)
"""What such a page may read. Who has a token is none of its business."""

_PREFLIGHT = [
    ("Access-Control-Allow-Methods", ", ".join(_READS)),
    ("Access-Control-Allow-Headers", "Authorization, If-None-Match, If-Range, Range, X-Request-Id"),
    ("Access-Control-Max-Age", "3600"),
]
_EXPOSE = (
    "Access-Control-Expose-Headers",
    "ETag, Link, X-Git-Commit, X-Request-Id, Content-Range, Retry-After",
)
"""Headers of answers that a page may read, in addition to those that it always may."""

_VARY = ("Vary", "Origin")


class CrossOrigin:
    """A WSGI application in front of *application*, for pages of the sites *origins*."""

    def __init__(self, application: WSGIApplication, origins: Iterable[str]) -> None:
        self._application = application
        self._origins = {_normal(origin) for origin in origins}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method = environ["REQUEST_METHOD"]
        wanted = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD", "")
        is_preflight = method == "OPTIONS" and wanted in _READS
        if not (method in _READS or is_preflight) or not _PATH.fullmatch(environ["PATH_INFO"]):
            return self._application(environ, start_response)
        origin = environ.get("HTTP_ORIGIN", "")
        added = [_VARY]
        if origin and _normal(origin) in self._origins:
            added += [("Access-Control-Allow-Origin", origin), _EXPOSE]
            if is_preflight:
                # It has no token, and asks nothing that needs one.
                start_response("204 NO CONTENT", [*added, *_PREFLIGHT])
                return []

        def start(status, headers, exc_info=None):  # type: ignore[no-untyped-def]  # WSGI's own
            headers = [*headers, *added]
            if exc_info is None:
                return start_response(status, headers)
            return start_response(status, headers, exc_info)

        return self._application(environ, start)


def _normal(origin: str) -> str:
    """*origin* with its scheme and host in lower case, and no port that the scheme has anyway."""
    parsed = parse_origin(origin)
    return "" if parsed is None else parsed.origin
