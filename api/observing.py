"""The outermost layer: gives each request an id, counts it, and logs it."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from prometheus_client import Counter, Histogram

from api import metrics
from api.auth import ROUTE_KEY, TOKEN_KEY
from api.logs import Access, AccessLog
from gitstore import Store

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

METRICS_PATH = "/metrics"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Observed:
    """A WSGI application with its requests observed; answers METRICS_PATH itself.

    The application says in environ under ROUTE_KEY which route it was, and under TOKEN_KEY
    whose token.
    """

    def __init__(self, application: WSGIApplication, store: Store, log: AccessLog | None) -> None:
        self._application = application
        self._store = store
        self._log = log
        self._counters: dict[tuple[str, str, str], Counter] = {}
        self._latencies: dict[str, Histogram] = {}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        id = given if _ID.fullmatch(given) else os.urandom(8).hex()
        said = ["500"]

        def start(status, headers, exc_info=None):  # type: ignore[no-untyped-def]  # WSGI's own
            said[0] = status[:3]
            headers.append(("X-Request-Id", id))
            return start_response(status, headers, *([exc_info] if exc_info else []))

        if environ["PATH_INFO"] == METRICS_PATH and environ["REQUEST_METHOD"] == "GET":
            return self._metrics(start)
        try:
            return self._application(environ, start)
        finally:
            self._note(environ, id, said[0], time.perf_counter() - began)

    def _note(self, environ: WSGIEnvironment, id: str, status: str, seconds: float) -> None:
        route = environ.get(ROUTE_KEY, "")
        method = environ["REQUEST_METHOD"]
        # Methods are whatever a client writes; labels must be few.
        key = (route, method if method in _METHODS else "other", status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = metrics.REQUESTS.labels(*key)
            self._latencies.setdefault(route, metrics.LATENCY.labels(route))
        counter.inc()
        self._latencies[route].observe(seconds)
        if self._log is not None:
            token = environ.get(TOKEN_KEY, "")
            path = environ["PATH_INFO"]
            line = Access(
                time.time(), id, token, key[1], path, route, int(status), round(seconds * 1000, 2)
            )
            self._log.write(line)

    def _metrics(self, start: StartResponse) -> Iterable[bytes]:
        history = self._store.catalogue().history
        metrics.JOBTYPES.set(len(history.jobtypes))
        metrics.STEPS.set(history.counters.steps)
        body = metrics.page()
        start(
            "200 OK", [("Content-Type", metrics.CONTENT_TYPE), ("Content-Length", str(len(body)))]
        )
        return [body]


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
