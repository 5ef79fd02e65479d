"""The figures for Prometheus, added up over all workers: each writes its own files.

Only workers import this module. prometheus-client decides at its import whether it counts for
one process or for several: ``api.server.serve`` names the folder in the environment before.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = CONTENT_TYPE_LATEST

FOLDER = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "."))
"""Where the workers keep their figures."""

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)


class Latency(Histogram):
    """A histogram that takes many figures at a time, which is what costs with many requests."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """Like ``observe``, for each of *amounts*."""
        self._sum.inc(sum(amounts))
        ordered, done = sorted(amounts), 0
        for bucket, bound in zip(self._buckets, self._upper_bounds, strict=True):
            below = bisect_right(ordered, bound)
            if below > done:
                bucket.inc(below - done)
                done = below


REQUESTS = Counter("jobtypes_requests", "Requests answered", ["route", "method", "status"])
HOT_HITS = Counter("jobtypes_hot_hits", "Requests answered from memory")
LATENCY = Latency("jobtypes_request_seconds", "Until the answer began", ["route"], buckets=_BUCKETS)
EVENT_NAMES = (
    *("commit", "conflict", "fetch", "fetch_failed", "maintenance"),
    *("git_begun", "git_ended", "worker_restarted"),
)
EVENTS = Counter(
    "jobtypes_events",
    f"What happened: {', '.join(EVENT_NAMES)}. A conflict is a lost race, git a clone or push",
    ["event"],
)
JOBTYPES = Gauge("jobtypes_jobtypes", "Jobtypes at the tip", multiprocess_mode="mostrecent")
STEPS = Gauge("jobtypes_steps", "Steps of the served branch", multiprocess_mode="mostrecent")
MIRROR_LAG = Gauge(
    "jobtypes_mirror_lag_steps",
    "Steps that the master's tables are behind",
    multiprocess_mode="mostrecent",
)
MIRROR_AWAY = Gauge(
    "jobtypes_mirror_away",
    "Whether the last run of the mirror failed",
    multiprocess_mode="mostrecent",
)
MIRROR_CONFLICTS = Gauge(
    "jobtypes_mirror_conflicts",
    "Jobtypes and software that the mirror left as they are",
    multiprocess_mode="mostrecent",
)
MIRROR_DRIFT = Gauge(
    "jobtypes_mirror_drift",
    "Rows of the master's tables that the branch doesn't have",
    multiprocess_mode="mostrecent",
)
TIP = Gauge(
    "jobtypes_tip_timestamp_seconds", "When the tip was authored", multiprocess_mode="mostrecent"
)
UPSTREAM_PROBLEMS = Gauge(
    "jobtypes_upstream_problems",
    "Errors at the upstream's tip; broken versions are not in service, the others are",
    multiprocess_mode="mostrecent",
)
BUILD = Gauge(
    "jobtypes_build_info",
    "Always 1; the labels say which release runs, and on what",
    ["release", "python", "git", "libgit2", "granian"],
    multiprocess_mode="mostrecent",
)
GIT = Gauge("jobtypes_git_processes", "Clones and pushes that run", multiprocess_mode="livesum")
_RUNNING = {"git_begun": 1, "git_ended": -1}


def begin() -> None:
    """Begin to count each event at 0: Prometheus sees no increase in what was not there before."""
    with suppress(OSError):
        for event in EVENT_NAMES:
            EVENTS.labels(event)


def note(event: str) -> None:
    """Count that *event* happened; EVENT_NAMES has its names."""
    with suppress(OSError):  # There is no room for figures, and the event happens anyway.
        EVENTS.labels(event).inc()
        if event in _RUNNING:
            GIT.inc(_RUNNING[event])


def page() -> bytes:
    """All workers' figures, in Prometheus' text format."""
    _forget_the_dead()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's own gap
    return generate_latest(registry)


def _forget_the_dead() -> None:
    """Remove the figures of killed workers about processes that ran."""
    for file in FOLDER.glob("gauge_live*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not _lives(pid):
            mark_process_dead(pid, str(FOLDER))  # type: ignore[no-untyped-call]  # its own gap


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
