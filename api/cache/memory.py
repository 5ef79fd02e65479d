"""Responses that are kept in memory, ready to be sent, as long as they are up to date.

Nothing is computed here. The application made each response to a plain GET of its path. The cache
keeps it until what it is about changes, and each request asks the branch whether it has.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlencode

from flask import Request, Response, g, request
from werkzeug.http import parse_etags, unquote_etag

from api.config import PREFIX
from api.web.auth import this_request
from api.web.environ import HOT_KEY, PREVIEW_KEY, ROUTE_KEY
from api.web.responses import Complete
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.catalogue.history import History
from gitstore.errors import StoreError

Headers = Sequence[tuple[str, str]]

Key = str | tuple[str, str]
"""A path, or a path and a query."""

_PATH = re.compile(rf"{PREFIX}/jobtypes/([^/]+)(?:/versions/([0-9]+)(?:/code)?)?/?")
"""The paths whose responses are kept: of a jobtype, whose key is the first group, and of a version
of it, whose number is the second."""

_WHOLE = re.compile(rf"{PREFIX}/(?:newest|events)/?")
"""Paths of responses about all that is served, which are kept too, with a query perhaps."""

_IN_QUERY = frozenset({"code", "since", "limit"})
"""The parameters of a query with which a response is kept."""

_ENTITY = frozenset({"Content-Type", "Content-Length"})
"""Headers that a 304 leaves out."""

_METHODS = ("GET", "HEAD")

_OVERHEAD_BYTES = 640
"""The memory that a response takes in addition to its body, roughly."""


@dataclass(slots=True, eq=False)
class CachedResponse:
    """The response to a GET of a path of *route*.

    It is about *jobtype*, or about a *version* alone, which newer ones don't change, or, if both
    are None, about all that is served. The first headers are about the body, and *entity* is their
    number. *history* is the last one with which the response was up to date. *used* is whether a
    request got it since the cache last thought of evicting it.
    """

    jobtype: Jobtype | None
    version: Version | None
    route: str
    headers: Headers
    entity: int
    etag: str
    body: bytes
    history: History
    used: bool = False

    def parts(self, tags: str | None) -> tuple[str, Headers, list[bytes]]:
        """The status, headers and body; *tags* is the request's If-None-Match, None without it."""
        if tags is not None and (
            tags == self.etag or parse_etags(tags).contains_weak(unquote_etag(self.etag)[0])
        ):
            return "304 NOT MODIFIED", self.headers[self.entity :], []
        return "200 OK", self.headers, [self.body]


class ResponseCache:
    """Responses by path, as many as fit. Those that requests ask for stay."""

    def __init__(self, store: Store, limit_bytes: int) -> None:
        self._catalogue = store.catalogue
        self._limit_bytes = limit_bytes
        self._responses: dict[Key, CachedResponse] = {}
        self._order: deque[Key] = deque()
        self._bytes = 0
        self._history = History()
        self._lock = threading.Lock()

    def find(self, method: str, path: str, query: str) -> CachedResponse | None:
        """The response to a request, if the cache has one that is up to date.

        None, too, for a request that is no GET or HEAD. The caller knows whether its sender may
        read, and whether it is about the served branch.
        """
        key = (path, query) if query else path
        response = self._responses.get(key)
        if response is None or method not in _METHODS:
            return None
        try:
            history = self._catalogue().history
        except StoreError:
            return None
        if response.history is not history and not self._renew(key, response, history):
            return None
        response.used = True
        return response

    def _renew(self, key: Key, response: CachedResponse, history: History) -> bool:
        """Whether *response* is up to date with *history*, which it then remembers."""
        with self._lock:
            self._advance(history)
            if self._responses.get(key) is not response or not _is_unchanged(response, history):
                return False
            response.history = history
        return True

    def _advance(self, history: History) -> None:
        """Go on to *history*; empty the cache if something changed on which all responses depend.

        That is rare. All else that a response depends on is its jobtype, or its version.
        """
        before = self._history
        if history is not before and (
            history.withdrawn != before.withdrawn
            or history.software_ids != before.software_ids
            or history.version_ids != before.version_ids
        ):
            self._responses = {}
            self._order.clear()
            self._bytes = 0
        self._history = history

    def keep(
        self, key: Key, route: str, headers: Headers, body: bytes, catalogue: Catalogue
    ) -> None:
        """Keep the response to a plain GET of *key*, whose status is 200, by *catalogue*."""
        path, jobtype, version = _path(key), None, None
        if match := _PATH.fullmatch(path):
            # WSGI's strings are bytes in Latin-1.
            jobtype = catalogue.find_jobtype(match[1].encode("latin-1").decode(errors="replace"))
            if jobtype is None:
                return
            version = jobtype.find_version(int(match[2])) if match[2] else None
        kept = [_header(*header) for header in headers]
        entity = sum(name in _ENTITY for name, _ in kept)
        kept.sort(key=lambda header: header[0] not in _ENTITY)
        etag = dict(kept)["ETag"]
        history = catalogue.history
        response = CachedResponse(jobtype, version, route, tuple(kept), entity, etag, body, history)
        if _size(path, response) > self._limit_bytes:
            return
        with self._lock:
            self._advance(history)
            before = self._responses.get(key)
            if before is None:
                self._order.append(key)
            else:
                self._bytes -= _size(path, before)
            self._responses[key] = response
            self._bytes += _size(path, response)
            while self._bytes > self._limit_bytes:
                self._evict_next()

    def _evict_next(self) -> None:
        """Evict the next response, unless a request got it since its last turn."""
        key = self._order.popleft()
        response = self._responses[key]
        if response.used:
            response.used = False
            self._order.append(key)
        else:
            del self._responses[key]
            self._bytes -= _size(_path(key), response)

    def __len__(self) -> int:
        return len(self._responses)


def _is_unchanged(response: CachedResponse, history: History) -> bool:
    """Whether what *response* is about is in *history* as it was."""
    before = response.jobtype
    if before is None:
        return history.tip == response.history.tip
    now = history.jobtypes.get(before.name)
    if now is before:
        return True
    if now is None or now.id != before.id or response.version is None:
        return False
    if now.find_version(response.version.number) is not response.version:
        return False
    response.jobtype = now
    return True


@lru_cache(maxsize=2048)
def _header(name: str, value: str) -> tuple[str, str]:
    """A header, which thousands of responses may share."""
    return name, value


def _size(path: str, response: CachedResponse) -> int:
    return len(response.body) + len(path) + _OVERHEAD_BYTES


def respond(cache: ResponseCache) -> Response | None:
    """The response from *cache*, if it has one. The sender of the request may read it."""
    environ = this_request().environ
    if PREVIEW_KEY in environ:
        return None
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    cached = cache.find(method, path, environ.get("QUERY_STRING", ""))
    if cached is None:
        return None
    environ[HOT_KEY] = True
    environ[ROUTE_KEY] = cached.route
    status, headers, body = cached.parts(environ.get("HTTP_IF_NONE_MATCH"))
    return Complete(body, status, headers)


def fill(cache: ResponseCache, response: Response) -> Response:
    """Keep *response* in *cache*, if it depends on its path and the catalogue alone."""
    catalogue = g.get("catalogue")
    if catalogue is None or response.status_code != 200:
        return response
    rule, key = request.url_rule, _key_of(request)
    # A body that comes in pieces is too large to be kept, and can be read only once.
    if rule is None or key is None or response.is_streamed:
        return response
    body = response.get_data()
    # The response to a HEAD may have no body.
    if len(body) == response.content_length:
        cache.keep(key, rule.rule, list(response.headers), body, catalogue)
    return response


def _key_of(request: Request) -> Key | None:
    """The key for the response to *request*, None if it is not kept.

    A query is kept only as it is usually written: there are endless ways to write it.
    """
    path, query = request.environ["PATH_INFO"], request.environ.get("QUERY_STRING", "")
    if not query:
        return path if _PATH.fullmatch(path) or _WHOLE.fullmatch(path) else None
    is_kept = _WHOLE.fullmatch(path) and request.args.keys() <= _IN_QUERY
    return (path, query) if is_kept and query == urlencode(request.args) else None


def _path(key: Key) -> str:
    return key if isinstance(key, str) else key[0]
