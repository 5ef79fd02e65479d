"""The outermost layer: gives each request an id, counts it, and logs it.

A request only leaves a note behind. One in many works off the notes of all of them, which a
thread of its own would not find at hand in its processor's caches; a thread writes what they
come to.
"""

from __future__ import annotations

import atexit
import itertools
import logging
import os
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from api.cache.answers import HOT_KEY
from api.telemetry import metrics
from api.telemetry.logs import AccessLog, Note
from api.web.auth import ROUTE_KEY, SAFE, TOKEN_KEY
from api.web.errors import SENTENCES
from api.web.hosts import has_good_host
from api.web.wire import JSON, encode
from gitstore.branch.store import Store
from gitstore.errors import StoreError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOG = logging.getLogger(__name__)

METRICS_PATH = "/metrics"
_ALLOW = ("Allow", ", ".join(SAFE))
FLUSH_S = 0.25
"""How long a request may wait for others to be counted and logged with."""

_TOGETHER = 64
"""Notes that are worked off together."""

_WAITING_LIMIT = 100_000
"""Times of one kind that may wait; where they can't be added up, the oldest are let go."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
"""The methods that are counted by name."""

ID_HEADER = "X-Request-Id"
NOSNIFF = ("X-Content-Type-Options", "nosniff")
"""No browser is to take a jobtype's code for a page and run what it holds."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_Times = defaultdict[tuple[str, str, str, bool], deque[float]]
"""How long requests took, in seconds, by route, method, status and whether from memory."""


def _no_times() -> _Times:
    return defaultdict(lambda: deque(maxlen=_WAITING_LIMIT))


class Observed:
    """A WSGI application with its requests observed; answers METRICS_PATH itself.

    The application says in environ under ROUTE_KEY which route it was, under TOKEN_KEY
    whose token, and under HOT_KEY whether it answered from memory. *note* takes what somebody
    else answered.
    """

    def __init__(self, application: WSGIApplication, store: Store, log: AccessLog | None) -> None:
        self._application = application
        self._store = store
        self._log = log
        self._notes: list[Note] = []
        self._running: dict[int, float] = {}
        self._times_s = _no_times()
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        # Ids that differ between processes: a random number, and one that is counted in pairs of
        # digits, which is faster than writing it. Random ones would let go of the interpreter's
        # lock for each request, which costs more than all the rest here.
        pairs = [f"{n:02x}" for n in range(256)]
        self._ids = map("".join, itertools.product([os.urandom(5).hex()], *[pairs] * 5))

    def start(self) -> None:
        """Count and log what is answered, from now on and at the end."""
        threading.Thread(target=self._run, name="observing", daemon=True).start()
        atexit.register(self.flush)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = time.perf_counter()
        id = self.id_of(environ)
        said = "500"

        def start(status, headers, exc_info=None):  # type: ignore[no-untyped-def]  # WSGI's own
            nonlocal said
            said = status
            headers = [*headers, (ID_HEADER, id), NOSNIFF]
            if exc_info is None:
                return start_response(status, headers)
            return start_response(status, headers, exc_info)

        path = environ["PATH_INFO"]
        thread = threading.get_ident()
        self._running[thread] = began
        try:
            if path == METRICS_PATH and has_good_host(environ):
                environ[ROUTE_KEY] = METRICS_PATH
                return self._metrics(environ["REQUEST_METHOD"], start)
            return self._application(environ, start)
        finally:
            self._running.pop(thread, None)
            get = environ.get
            self.note(
                (
                    began,
                    time.perf_counter() - began,
                    id,
                    get(TOKEN_KEY, ""),
                    environ["REQUEST_METHOD"],
                    path,
                    get(ROUTE_KEY, ""),
                    said,
                    get(HOT_KEY, False),
                )
            )

    def running(self, since_s: float) -> int:
        """How many requests are being answered that began more than *since_s* ago."""
        before = time.perf_counter() - since_s
        return sum(began < before for began in list(self._running.values()))

    def id_of(self, environ: WSGIEnvironment) -> str:
        """The id of the request of *environ*: the one that it bears, or a new one."""
        given = environ.get("HTTP_X_REQUEST_ID")
        return given if given and _ID.fullmatch(given) else next(self._ids)

    def note(self, note: Note) -> None:
        """Count and log a request, sooner or later."""
        self._notes.append(note)
        # Who has the lock works them off.
        if len(self._notes) >= _TOGETHER and self._lock.acquire(blocking=False):
            try:
                self._work_off()
            finally:
                self._lock.release()

    def _work_off(self) -> None:
        """Work off the notes that are there, for who has the lock."""
        # Meanwhile, threads go on adding to the end.
        many = len(self._notes)
        notes = self._notes[:many]
        del self._notes[:many]
        times_s = self._times_s
        for _, seconds, _, _, method, _, route, status, hot in notes:
            # Methods are whatever a client writes; labels must be few.
            known = method if method in _METHODS else "other"
            times_s[route, known, status, hot].append(seconds)
        if self._log is not None and notes:
            # Of the clock that requests are timed by, nobody but this process knows the zero.
            self._log.add(notes, time.time() - time.perf_counter())

    def flush(self) -> None:
        """Count and log what was answered up to now."""
        # By one at a time: two would take each other's lines.
        with self._flushing:
            with self._lock:
                self._work_off()
                times_s, self._times_s = self._times_s, _no_times()
            with suppress(OSError):  # No room for figures.
                _count(times_s)
            if self._log is not None:
                self._log.write()

    def _run(self) -> None:
        while True:
            time.sleep(FLUSH_S)
            try:
                self.flush()
            except Exception:
                _LOG.exception("requests could not be counted")

    def _metrics(self, method: str, start: StartResponse) -> Iterable[bytes]:
        if method not in SAFE:
            refusal = encode({"error": SENTENCES[405]})
            head = [*_length(refusal), ("Content-Type", JSON), _ALLOW]
            start("405 METHOD NOT ALLOWED", head)
            return [refusal]
        if method == "OPTIONS":
            start("200 OK", [*_length(b""), _ALLOW])
            return []
        self.flush()
        # A damaged repository, or a full disk, leaves the figures of before.
        with suppress(StoreError, OSError):
            self._measure_branch()
        body = metrics.page()
        start("200 OK", [*_length(body), ("Content-Type", metrics.CONTENT_TYPE)])
        return [] if method == "HEAD" else [body]

    def _measure_branch(self) -> None:
        history = self._store.catalogue().history
        metrics.JOBTYPES.set(len(history.jobtypes))
        metrics.STEPS.set(history.counters.steps)
        when = self._store.commit(history.tip).author.when if history.tip else None
        metrics.TIP.set(when.timestamp() if when else 0)


def _length(body: bytes) -> tuple[tuple[str, str]]:
    return (("Content-Length", str(len(body))),)


def _count(times_s: _Times) -> None:
    for (route, method, status, hot), some_s in times_s.items():
        metrics.REQUESTS.labels(route, method, status[:3]).inc(len(some_s))
        metrics.LATENCY.labels(route).observe_all(some_s)
        if hot:
            metrics.HOT_HITS.inc(len(some_s))
