"""Answers that are kept in memory, ready to be sent, as long as they hold.

Nothing is computed here. An answer is what the application gave to a plain GET of its path,
and is kept until what it is about changes, which each request asks the branch.
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
"""What is kept: the answers about one jobtype, whose key is the first group, or about a version
of it, whose number is the second."""

_WHOLE = re.compile(rf"{PREFIX}/(?:newest|events)/?")
"""What is kept, too: answers about all that is served, with a query perhaps."""

_IN_QUERY = frozenset({"code", "since", "limit"})
"""The parameters on which an answer may depend and be kept."""

_ENTITY = frozenset({"Content-Type", "Content-Length"})
"""Headers that a 304 leaves out."""

_METHODS = ("GET", "HEAD")

_OVERHEAD_BYTES = 640
"""The memory that an answer takes in addition to its body, roughly."""


@dataclass(slots=True, eq=False)
class Answer:
    """What the application says to a GET of a path of *route*.

    It is about *jobtype*, or about a *version* alone, which newer ones don't change, or, where
    both are None, about all that is served. Of the
    *headers*, those that tell of the body come first, *entity* in number. *known* is the history
    by which it held last; *used* whether it was asked for since it was last in danger of being
    dropped.
    """

    jobtype: Jobtype | None
    version: Version | None
    route: str
    headers: Headers
    entity: int
    etag: str
    body: bytes
    known: History
    used: bool = False

    def reply(self, tags: str | None) -> tuple[str, Headers, list[bytes]]:
        """The status, headers and body; *tags* is the request's If-None-Match, None without it."""
        if tags is not None and (
            tags == self.etag or parse_etags(tags).contains_weak(unquote_etag(self.etag)[0])
        ):
            return "304 NOT MODIFIED", self.headers[self.entity :], []
        return "200 OK", self.headers, [self.body]


class Shelf:
    """Answers by path, as many as fit: the ones that are asked for stay."""

    def __init__(self, store: Store, limit_bytes: int) -> None:
        self._catalogue = store.catalogue
        self._limit_bytes = limit_bytes
        self._answers: dict[Key, Answer] = {}
        self._order: deque[Key] = deque()
        self._bytes = 0
        self._history = History()
        self._lock = threading.Lock()

    def answer_to(self, method: str, path: str, query: str) -> Answer | None:
        """The answer to a request as of now, if there is one.

        None, too, for a request to which a plain GET of its path is no answer. Whether its
        sender may read, and whether it is about the served branch, is for others to know.
        """
        key = (path, query) if query else path
        answer = self._answers.get(key)
        if answer is None or method not in _METHODS:
            return None
        try:
            history = self._catalogue().history
        except StoreError:
            return None
        if answer.known is not history and not self._holds(key, answer, history):
            return None
        answer.used = True
        return answer

    def _holds(self, key: Key, answer: Answer, history: History) -> bool:
        with self._lock:
            self._go_on(history)
            if self._answers.get(key) is not answer or not _is_about(answer, history):
                return False
            answer.known = history
        return True

    def _go_on(self, history: History) -> None:
        """Empty the shelf if what all answers depend on is not in *history* as it was.

        That is rare. All else that an answer depends on is its jobtype, or its version.
        """
        known = self._history
        if history is not known and (
            history.withdrawn != known.withdrawn
            or history.software_ids != known.software_ids
            or history.version_ids != known.version_ids
        ):
            self._answers = {}
            self._order.clear()
            self._bytes = 0
        self._history = history

    def keep(self, key: Key, route: str, headers: Headers, body: bytes, of: Catalogue) -> None:
        """Keep what was said to a plain GET of *key*, with status 200 and by catalogue *of*."""
        path, jobtype, version = _path(key), None, None
        if match := _PATH.fullmatch(path):
            # WSGI's strings are bytes in Latin-1.
            jobtype = of.find_jobtype(match[1].encode("latin-1").decode(errors="replace"))
            if jobtype is None:
                return
            version = jobtype.find_version(int(match[2])) if match[2] else None
        kept = [_header(*header) for header in headers]
        entity = sum(name in _ENTITY for name, _ in kept)
        kept.sort(key=lambda header: header[0] not in _ENTITY)
        etag = dict(kept)["ETag"]
        answer = Answer(jobtype, version, route, tuple(kept), entity, etag, body, of.history)
        if _size(path, answer) > self._limit_bytes:
            return
        with self._lock:
            self._go_on(of.history)
            before = self._answers.get(key)
            if before is None:
                self._order.append(key)
            else:
                self._bytes -= _size(path, before)
            self._answers[key] = answer
            self._bytes += _size(path, answer)
            while self._bytes > self._limit_bytes:
                self._look_at_one()

    def _look_at_one(self) -> None:
        """Drop the answer that is next, unless it was used since its last turn."""
        key = self._order.popleft()
        answer = self._answers[key]
        if answer.used:
            answer.used = False
            self._order.append(key)
        else:
            del self._answers[key]
            self._bytes -= _size(_path(key), answer)

    def __len__(self) -> int:
        return len(self._answers)


def _is_about(answer: Answer, history: History) -> bool:
    """Whether what *answer* is about is in *history* as it was."""
    before = answer.jobtype
    if before is None:
        return history.tip == answer.known.tip
    now = history.jobtypes.get(before.name)
    if now is before:
        return True
    if now is None or now.id != before.id or answer.version is None:
        return False
    if now.find_version(answer.version.number) is not answer.version:
        return False
    answer.jobtype = now
    return True


@lru_cache(maxsize=2048)
def _header(name: str, value: str) -> tuple[str, str]:
    """A header, which thousands of answers may share."""
    return name, value


def _size(path: str, answer: Answer) -> int:
    return len(answer.body) + len(path) + _OVERHEAD_BYTES


def respond(shelf: Shelf) -> Response | None:
    """The response from *shelf*, if it has one; the sender of the request may read."""
    environ = this_request().environ
    if PREVIEW_KEY in environ:
        return None
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    answer = shelf.answer_to(method, path, environ.get("QUERY_STRING", ""))
    if answer is None:
        return None
    environ[HOT_KEY] = True
    environ[ROUTE_KEY] = answer.route
    status, headers, body = answer.reply(environ.get("HTTP_IF_NONE_MATCH"))
    return Complete(body, status, headers)


def fill(shelf: Shelf, response: Response) -> Response:
    """Keep *response* in *shelf*, if it depends on its path and the catalogue alone."""
    catalogue = g.get("catalogue")
    if catalogue is None or response.status_code != 200:
        return response
    rule, key = request.url_rule, _key_of(request)
    # A body that comes in pieces is too large to be kept, and can be read only once.
    if rule is None or key is None or response.is_streamed:
        return response
    body = response.get_data()
    # The answer to a HEAD may have no body.
    if len(body) == response.content_length:
        shelf.keep(key, rule.rule, list(response.headers), body, catalogue)
    return response


def _key_of(request: Request) -> Key | None:
    """The key for the answer to *request*, None if it is not kept.

    A query is kept only as it is usually written: there are endless ways to write it.
    """
    path, query = request.environ["PATH_INFO"], request.environ.get("QUERY_STRING", "")
    if not query:
        return path if _PATH.fullmatch(path) or _WHOLE.fullmatch(path) else None
    is_kept = _WHOLE.fullmatch(path) and request.args.keys() <= _IN_QUERY
    return (path, query) if is_kept and query == urlencode(request.args) else None


def _path(key: Key) -> str:
    return key if isinstance(key, str) else key[0]
