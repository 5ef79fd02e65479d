"""What Prometheus gets. Right with several workers: each writes its own files.

Only workers import it, after ``server.serve`` has set ``PROMETHEUS_MULTIPROC_DIR``.
prometheus-client reads that at its import, to know whether it counts for several processes.
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
    values,
)
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

CONTENT_TYPE = CONTENT_TYPE_LATEST

FOLDER = Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", "."))
"""Where the workers' figures are."""

_FILE_BYTES = 1 << 16


class _Allocated(MmapedDict):
    """A file of figures whose blocks are all there before it is mapped.

    prometheus-client leaves holes in its files, and writing into the map of a hole kills the
    process where the disk is full. A worker that finds no room keeps its figures to itself.
    """

    def __init__(self, filename: str, read_mode: bool = False) -> None:
        super().__init__(_allocated(filename), read_mode)  # type: ignore[no-untyped-call]  # likewise

    def _init_value(self, key: str) -> None:
        # A figure takes less than this in addition to its key.
        if self._used + len(key.encode()) + 64 > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, self._capacity * 2)
        super()._init_value(key)  # type: ignore[no-untyped-call]  # the library's own gap


def _allocated(filename: str) -> str:
    """The name of a new file with room in it: *filename*, or one in memory if the disk is full."""
    try:
        with open(filename, "ab") as file:
            os.posix_fallocate(file.fileno(), 0, _FILE_BYTES)
    except OSError:
        with suppress(OSError):
            os.unlink(filename)
        return f"/proc/self/fd/{os.memfd_create('figures')}"
    return filename


if hasattr(os, "posix_fallocate") and hasattr(os, "memfd_create"):
    values.MmapedDict = _Allocated  # type: ignore[attr-defined]  # which it has no other place for

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)


class Latency(Histogram):
    """A histogram that takes many figures at a time, which is what costs with many requests."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """As observe, for each of *amounts*."""
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
EVENTS = Counter(
    "jobtypes_events",
    "What happened: commit, conflict (a lost race, retried), fetch, fetch_failed, maintenance,"
    " git_begun, git_ended (a clone or push), worker_restarted",
    ["event"],
)
JOBTYPES = Gauge("jobtypes_jobtypes", "Jobtypes at the tip", multiprocess_mode="mostrecent")
STEPS = Gauge("jobtypes_steps", "Steps of the served branch", multiprocess_mode="mostrecent")
TIP = Gauge(
    "jobtypes_tip_timestamp_seconds", "When the tip was authored", multiprocess_mode="mostrecent"
)
UPSTREAM_PROBLEMS = Gauge(
    "jobtypes_upstream_problems",
    "Errors in what upstream has, which keep it out of service",
    multiprocess_mode="mostrecent",
)
GIT = Gauge("jobtypes_git_processes", "Clones and pushes that run", multiprocess_mode="livesum")
_RUNNING = {"git_begun": 1, "git_ended": -1}


def note(event: str) -> None:
    """Count that *event* happened; see EVENTS for its names."""
    with suppress(OSError):  # No room for figures, which keeps nothing from happening.
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
    """Let go of what a worker ran that was killed."""
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
