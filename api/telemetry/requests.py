"""The outermost layer: gives each request an id, counts it, and logs it.

A request only leaves a record. The request that completes a batch counts and formats all of it,
while the records are still in the processor's caches. A thread writes the lines.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import threading
import time
from collections import defaultdict, deque
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing.util import Finalize
from typing import TYPE_CHECKING

from api.telemetry import metrics
from api.telemetry.build import build
from api.telemetry.logs import AccessLog, Record
from api.web.auth import SAFE
from api.web.environ import HOT_KEY, ID_KEY, ROUTE_KEY, TOKEN_KEY
from api.web.errors import SENTENCES
from api.web.hosts import has_good_host
from api.web.responses import JSON, encode
from gitstore.branch.store import Store
from gitstore.branch.upstream_state import read_state
from gitstore.errors import StoreError
from gitstore.pyfarm.state import read_state as read_mirror_state
from gitstore.pyfarm.state import state_file as mirror_state_file

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_LOG = logging.getLogger(__name__)

METRICS_PATH = "/metrics"
_ALLOW = ("Allow", ", ".join(SAFE))
FLUSH_S = 0.25
"""How often records are counted and log lines written, however few they are."""

_BATCH = 64
"""Records that are counted and formatted together."""

_TIMES_LIMIT = 100_000
"""Times of one kind that may wait. If they can't be counted, the oldest are dropped."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"})
"""The methods that are counted by their names. Others are counted together."""

ID_HEADER = "X-Request-Id"
NOSNIFF = ("X-Content-Type-Options", "nosniff")
"""No browser may take a jobtype's code for a page and run it."""
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

_Times = defaultdict[tuple[str, str, str, bool], deque[float]]
"""How long requests took, in seconds, by route, method, status, and whether from memory."""


def _no_times() -> _Times:
    return defaultdict(lambda: deque(maxlen=_TIMES_LIMIT))


class Observed:
    """A WSGI application that observes the requests of another; answers METRICS_PATH itself.

    The other application names its route in environ under ROUTE_KEY, and the token under
    TOKEN_KEY. Under HOT_KEY it tells whether the response came from memory. ``record`` takes
    requests that another layer answered.
    """

    def __init__(self, application: WSGIApplication, store: Store, log: AccessLog | None) -> None:
        self._application = application
        self._store = store
        self._log = log
        self._records: list[Record] = []
        self._running: dict[int, float] = {}
        self._times_s = _no_times()
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        # The prefix differs between processes. A random id for each request would release the
        # interpreter's lock each time, which costs more than all the rest here.
        self._prefix = os.urandom(5).hex()
        self._numbers = itertools.count()

    def start(self) -> None:
        """Count and log requests regularly from now on, and when the process ends."""
        threading.Thread(target=self._run, name="observing", daemon=True).start()
        # A worker is a fork, which ends without what atexit has.
        Finalize(None, self.flush, exitpriority=0)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        began = time.perf_counter()
        id = environ[ID_KEY] = self.id_of(environ)
        sent = "500"

        def start(status, headers, exc_info=None):  # type: ignore[no-untyped-def]  # WSGI's own
            nonlocal sent
            sent = status
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
            self.record(
                Record(
                    ended=time.time(),
                    seconds=time.perf_counter() - began,
                    id=id,
                    token=get(TOKEN_KEY, ""),
                    method=environ["REQUEST_METHOD"],
                    path=path,
                    route=get(ROUTE_KEY, ""),
                    status=sent,
                    is_hot=get(HOT_KEY, False),
                )
            )

    def running(self, since_s: float) -> int:
        """How many requests are being answered that began more than *since_s* ago."""
        before = time.perf_counter() - since_s
        return sum(began < before for began in list(self._running.values()))

    def id_of(self, environ: WSGIEnvironment) -> str:
        """The id that the request of *environ* has, or else a new one."""
        id = environ.get("HTTP_X_REQUEST_ID")
        return id if id and _ID.fullmatch(id) else f"{self._prefix}{next(self._numbers):010x}"

    def record(self, record: Record) -> None:
        """Count and log a request, sooner or later."""
        self._records.append(record)
        # The thread that gets the lock works for the others.
        if len(self._records) >= _BATCH and self._lock.acquire(blocking=False):
            try:
                self._work_off()
            finally:
                self._lock.release()

    def _work_off(self) -> None:
        """Add up and format the records so far; the caller holds the lock."""
        # Meanwhile, other threads append.
        size = len(self._records)
        records = self._records[:size]
        del self._records[:size]
        for record in records:
            # A client may send any method, but there must be few labels.
            method = record.method if record.method in _METHODS else "other"
            key = record.route, method, record.status, record.is_hot
            self._times_s[key].append(record.seconds)
        if self._log is not None and records:
            self._log.add(records)

    def flush(self) -> None:
        """Count and log the requests so far."""
        # One thread at a time: two would take each other's lines.
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
        # With a damaged repository or a full disk, the last figures stay.
        with suppress(StoreError, OSError):
            self._measure_branch()
        body = metrics.page()
        start("200 OK", [*_length(body), ("Content-Type", metrics.CONTENT_TYPE)])
        return [] if method == "HEAD" else [body]

    def _measure_branch(self) -> None:
        metrics.BUILD.labels(**build()).set(1)
        history = self._store.catalogue().history
        metrics.JOBTYPES.set(len(history.jobtypes))
        metrics.STEPS.set(history.counters.steps)
        if mirror_state_file(self._store.repository.git_dir).exists():
            state = read_mirror_state(self._store.repository.git_dir)
            metrics.MIRROR_LAG.set(max(0, history.counters.steps - state.steps))
            metrics.MIRROR_AWAY.set(bool(state.error))
            metrics.MIRROR_CONFLICTS.set(len(state.conflicts))
            metrics.MIRROR_DRIFT.set(state.drift)
        metrics.UPSTREAM_PROBLEMS.set(read_state(self._store.repository).faults)
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
