"""What Prometheus is told. Right with several workers: each writes its own files.

Imported by workers only, and after ``prepare``: prometheus-client decides at its import
whether it counts for one process or for several.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence
from functools import partial

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = CONTENT_TYPE_LATEST

_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)


class Latency(Histogram):
    """A histogram that takes many figures at a time, which is what costs with many requests."""

    def observe_all(self, amounts: Sequence[float]) -> None:
        """As observe, for each of *amounts*."""
        self._sum.inc(sum(amounts))
        found = Counts(map(partial(bisect_left, self._upper_bounds), amounts))
        for bucket, times in found.items():
            self._buckets[bucket].inc(times)


REQUESTS = Counter("jobtypes_requests", "Requests answered", ["route", "method", "status"])
HOT_HITS = Counter("jobtypes_hot_hits", "Requests answered from memory")
LATENCY = Latency("jobtypes_request_seconds", "Until the answer began", ["route"], buckets=_BUCKETS)
EVENTS = Counter(
    "jobtypes_events",
    "What happened: commit, conflict (a lost race, retried), fetch, fetch_failed, maintenance,"
    " git_begun, git_ended (a clone or push)",
    ["event"],
)
JOBTYPES = Gauge("jobtypes_jobtypes", "Jobtypes at the tip", multiprocess_mode="mostrecent")
STEPS = Gauge("jobtypes_steps", "Steps of the served branch", multiprocess_mode="mostrecent")
TIP = Gauge(
    "jobtypes_tip_timestamp_seconds", "When the tip was authored", multiprocess_mode="mostrecent"
)
GIT = Gauge("jobtypes_git_processes", "Clones and pushes that run", multiprocess_mode="livesum")
_RUNNING = {"git_begun": 1, "git_ended": -1}


def note(event: str) -> None:
    """Count that *event* happened; see EVENTS for its names."""
    EVENTS.labels(event).inc()
    if event in _RUNNING:
        GIT.inc(_RUNNING[event])


def page() -> bytes:
    """All workers' figures, in Prometheus' text format."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's own gap
    return generate_latest(registry)
