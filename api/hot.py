"""The hot path: what agents GET, answered from memory in front of Flask.

Nothing is computed here. An answer is what the application gave to a plain GET of that
path, and is kept until what it is about changes, which each request asks the branch.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

from werkzeug.http import parse_etags, unquote_etag

from api import PREFIX
from api.auth import ROUTE_KEY
from gitstore import Catalogue, Store, StoreError
from gitstore.versions import History, Jobtype

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

HOT_KEY = "jobtypes.hot"
"""Stands in WSGI's environment of a request that was answered from memory."""

_METHODS = frozenset({"GET", "HEAD"})
_BELOW = f"{PREFIX}/jobtypes/"
_PATH = re.compile(rf"{_BELOW}([^/]+)(?:/versions/[^/]+(?:/code)?)?/?")
_ENTITY = frozenset({"Content-Type", "Content-Length"})
"""Headers that a 304 leaves out."""
_OVERHEAD_BYTES = 1024
"""What an answer takes beside its body, roughly."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the application said to a GET; *about* is the jobtype as it was then.

    *not_modified* are the headers of a 304.
    """

    about: Jobtype | None
    route: str
    status: str
    headers: list[tuple[str, str]]
    etag: str
    not_modified: list[tuple[str, str]]
    body: bytes

    def give(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """Answer a GET or HEAD, which may bear If-None-Match."""
        environ[ROUTE_KEY] = self.route
        given = environ.get("HTTP_IF_NONE_MATCH")
        if given is not None and self.etag and self._is_known(given):
            start_response("304 NOT MODIFIED", self.not_modified)
            return []
        start_response(self.status, self.headers)
        return [self.body] if environ["REQUEST_METHOD"] == "GET" else []

    def _is_known(self, given: str) -> bool:
        return given == self.etag or parse_etags(given).contains_weak(unquote_etag(self.etag)[0])


class Shelf:
    """Answers by path, as many as fit; whichever was not asked for longest leaves first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, path: str) -> Answer | None:
        """The answer that is kept for *path*."""
        answer = self._answers.get(path)
        if answer is not None:
            try:  # noqa: SIM105  # suppress() would cost more than all the rest here
                self._answers.move_to_end(path)
            except KeyError:
                pass  # Another thread has dropped it just now.
        return answer

    def keep(self, path: str, answer: Answer) -> None:
        """Keep *answer* for *path*, in place of the one there was."""
        with self._lock:
            before = self._answers.pop(path, None)
            if before is not None:
                self._bytes -= _size(path, before)
            self._bytes += _size(path, answer)
            self._answers[path] = answer
            while self._bytes > self._limit_bytes:
                self._bytes -= _size(*self._answers.popitem(last=False))

    def __len__(self) -> int:
        return len(self._answers)


def _size(path: str, answer: Answer) -> int:
    return len(answer.body) + len(path) + _OVERHEAD_BYTES


def _is_plain(environ: WSGIEnvironment) -> bool:
    """Whether nothing but path, method and If-None-Match can matter to the answer."""
    return (
        environ["PATH_INFO"].startswith(_BELOW)
        and environ["REQUEST_METHOD"] in _METHODS
        and not environ.get("QUERY_STRING")
        and "HTTP_AUTHORIZATION" not in environ
        and "HTTP_UPGRADE" not in environ
    )


class Hot:
    """A WSGI application in front of *application*, which answers what this does not."""

    def __init__(self, application: WSGIApplication, store: Store, limit_bytes: int) -> None:
        self._application = application
        self._store = store
        self._limit_bytes = limit_bytes
        self._current = (History(), Shelf(limit_bytes))

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        answer = self._answer(environ) if _is_plain(environ) else None
        if answer is None:
            return self._application(environ, start_response)
        return answer.give(environ, start_response)

    def _answer(self, environ: WSGIEnvironment) -> Answer | None:
        """What to answer now, None where that is for the application to say."""
        path = environ["PATH_INFO"]
        try:
            catalogue = self._store.catalogue()
        except StoreError:
            return None
        history = catalogue.history
        known, shelf = self._current
        if history is not known:
            shelf = self._go_on(history)
        answer = shelf.find(path)
        if answer and answer.about and history.jobtypes.get(answer.about.name) is answer.about:
            environ[HOT_KEY] = True
            return answer
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        answer = self._ask(environ, catalogue, match[1])
        # Asked again: what was said meanwhile may be about a newer catalogue than this.
        if answer.about and self._store.catalogue() is catalogue:
            shelf.keep(path, answer)
        return answer

    def _go_on(self, history: History) -> Shelf:
        """The answers that hold for *history*, which is new, if their jobtype is as it was.

        An answer depends on its jobtype, and on what is compared here; whose change is
        rare, and empties the shelf.
        """
        known, shelf = self._current
        if (
            history.withdrawn != known.withdrawn
            or history.software_ids != known.software_ids
            or history.version_ids != known.version_ids
        ):
            shelf = Shelf(self._limit_bytes)
        self._current = (history, shelf)
        return shelf

    def _ask(self, environ: WSGIEnvironment, catalogue: Catalogue, key: str) -> Answer:
        """What the application says to a plain GET of the path of *environ*."""
        asked = {**environ, "REQUEST_METHOD": "GET"}
        asked.pop("HTTP_IF_NONE_MATCH", None)
        said: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status, headers, exc_info=None):  # type: ignore[no-untyped-def]  # WSGI's own
            said.append((status, headers))
            return _no_write

        chunks = self._application(asked, start)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = said[-1]
        # WSGI's strings are bytes in Latin-1.
        about = catalogue.find_jobtype(key.encode("latin-1").decode(errors="replace"))
        return Answer(
            about=about if status.startswith("200 ") else None,
            route=asked.get(ROUTE_KEY, ""),
            status=status,
            headers=headers,
            etag=dict(headers).get("ETag", ""),
            not_modified=[header for header in headers if header[0] not in _ENTITY],
            body=body,
        )


def _no_write(data: bytes) -> NoReturn:
    raise NotImplementedError("the application returns its body")
