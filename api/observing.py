"""The outermost layer: gives each request an id, counts it, and logs it.

A request only leaves a note behind; a thread counts and logs many notes at a time.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from operator import itemgetter
from typing import TYPE_CHECKING

from api import metrics
from api.auth import ROUTE_KEY, TOKEN_KEY
from api.hot import HOT_KEY
from api.logs import Access, AccessLog, Note
from gitstore import Store, StoreError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOG = logging.getLogger(__name__)

METRICS_PATH = "/metrics"
FLUSH_S = 0.25
"""How long a request's note may wait for others."""

WAITING_LIMIT = 100_000
"""Notes that may wait; where they can't be worked off, the oldest are let go."""

_CHUNK = 200
"""Notes that are worked off without letting requests go on."""
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
"""No browser is to take a jobtype's code for a page and run what it holds."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Observed:
    """A WSGI application with its requests observed; answers METRICS_PATH itself.

    The application says in environ under ROUTE_KEY which route it was, under TOKEN_KEY
    whose token, and under HOT_KEY whether it answered from memory.
    """

    def __init__(self, application: WSGIApplication, store: Store, log: AccessLog | None) -> None:
        self._application = application
        self._store = store
        self._log = log
        self._waiting: deque[Note] = deque(maxlen=WAITING_LIMIT)
        self._lock = threading.Lock()
        # Ids that differ between processes. Random ones would let go of the interpreter's
        # lock for each request, which costs more than all the rest here.
        self._ids = map(f"{os.urandom(5).hex()}{{:08x}}".format, itertools.count())
        threading.Thread(target=self._run, name="observing", daemon=True).start()
        atexit.register(self.flush)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = time.perf_counter()
        given = environ.get("HTTP_X_REQUEST_ID")
        id = given if given and _ID.fullmatch(given) else next(self._ids)
        said = "500"

        def start(status, headers, exc_info=None):  # type: ignore[no-untyped-def]  # WSGI's own
            nonlocal said
            said = status[:3]
            headers = [*headers, ("X-Request-Id", id), _NOSNIFF]
            return start_response(status, headers, *([exc_info] if exc_info else []))

        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        try:
            if path == METRICS_PATH and method == "GET":
                environ[ROUTE_KEY] = METRICS_PATH
                return self._metrics(start)
            return self._application(environ, start)
        finally:
            seconds = time.perf_counter() - began
            self._waiting.append(
                (
                    time.time(),
                    id,
                    environ.get(TOKEN_KEY, ""),
                    # Methods are whatever a client writes; labels must be few.
                    method if method in _METHODS else "other",
                    path,
                    environ.get(ROUTE_KEY, ""),
                    int(said),
                    seconds,
                    HOT_KEY in environ,
                )
            )

    def flush(self) -> None:
        """Count and log what was answered up to now."""
        with self._lock:
            while self._waiting:
                # Taken one by one: threads go on adding to the other end.
                many = min(len(self._waiting), _CHUNK)
                chunk = [self._waiting.popleft() for _ in range(many)]
                with suppress(OSError):  # No room for figures.
                    _count(chunk)
                if self._log is not None:
                    self._log.write(chunk)
                time.sleep(0)

    def _run(self) -> None:
        while True:
            time.sleep(FLUSH_S)
            try:
                self.flush()
            except Exception:
                _LOG.exception("requests could not be counted")

    def _metrics(self, start: StartResponse) -> Iterable[bytes]:
        self.flush()
        # A damaged repository, or a full disk, leaves the figures of before.
        with suppress(StoreError, OSError):
            self._measure_branch()
        body = metrics.page()
        start(
            "200 OK", [("Content-Type", metrics.CONTENT_TYPE), ("Content-Length", str(len(body)))]
        )
        return [body]

    def _measure_branch(self) -> None:
        history = self._store.catalogue().history
        metrics.JOBTYPES.set(len(history.jobtypes))
        metrics.STEPS.set(history.counters.steps)
        when = self._store.commit(history.tip).author.when if history.tip else None
        metrics.TIP.set(when.timestamp() if when else 0)


def _count(notes: list[Note]) -> None:
    for (route, method, status), times in Counter(map(_LABELS, notes)).items():
        metrics.REQUESTS.labels(route, method, str(status)).inc(times)
    metrics.HOT_HITS.inc(sum(map(_HOT, notes)))
    by_route: dict[str, list[float]] = {}
    for route, seconds in map(_TIMES, notes):
        by_route.setdefault(route, []).append(seconds)
    for route, times_s in by_route.items():
        metrics.LATENCY.labels(route).observe_all(times_s)


_FIELDS = Access._fields
_LABELS = itemgetter(*map(_FIELDS.index, ("route", "method", "status")))
_TIMES = itemgetter(*map(_FIELDS.index, ("route", "seconds")))
_HOT = itemgetter(_FIELDS.index("hot"))
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
