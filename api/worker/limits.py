"""How much of each kind of work a worker does at once, so that reads find a thread.

A read of a version is never refused, because the agent fails its tasks on a 503. So all
other work has a number of places, together fewer than there are threads, and is refused
where none is free. Previews are reads, too: they wait for a place, on threads of their own.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from api.config import PREVIEW_WAITERS, Config
from api.worker import switch_interval
from gitstore.errors import Busy

CHUNK_BYTES = 512
"""How much of a body is waited for at a time. The server's read returns when it has all
that was asked for; less makes large bodies slow, more lets slow ones last."""


class Work(StrEnum):
    """The kinds of work that have places, and what to call them."""

    GIT = "clones and pushes"
    WRITE = "writes"
    REVIEW = "previews, changes, differences and pages"
    WEBHOOK = "webhooks"


class Places:
    """The places of one worker, and since when bodies are waited for."""

    def __init__(self, limits: Mapping[Work, int], total: int) -> None:
        self._limits = limits
        self._total = total
        self._taken: Counter[Work] = Counter()
        self._changed = threading.Condition()
        self._waiting = threading.BoundedSemaphore(PREVIEW_WAITERS)
        self._bodies: dict[int, float] = {}

    @classmethod
    def of(cls, config: Config) -> Places:
        """The places that *config* asks for; a sixth of the threads is for reads alone."""
        limits = {
            Work.GIT: config.git_places,
            Work.WRITE: config.write_places,
            Work.REVIEW: config.review_places,
            Work.WEBHOOK: config.threads,
        }
        reads = max(1, config.threads // 6)
        return cls(limits, max(1, config.threads - reads))

    def take(self, work: Work) -> None:
        """Take a place, to be given back by ``give``.

        Raises:
            Busy: none is free.
        """
        with self._changed:
            if not self._is_free(work):
                raise Busy(f"too many {work} at once; try again in a few seconds")
            self._count(work, 1)

    def _count(self, work: Work, more: int) -> None:
        self._taken[work] += more
        switch_interval.count_others(more)

    def _is_free(self, work: Work) -> bool:
        return self._taken[work] < self._limits[work] and self._taken.total() < self._total

    def give(self, work: Work) -> None:
        """Let somebody else have the place."""
        with self._changed:
            self._count(work, -1)
            self._changed.notify_all()

    @contextmanager
    def held(self, work: Work) -> Iterator[None]:
        """Hold a place, after waiting for it: on one of the threads of ``waiting``."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_free(work))
            self._count(work, 1)
        try:
            yield
        finally:
            self.give(work)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for a preview, on one of the threads for that.

        Raises:
            Busy: there are more than that.
        """
        if not self._waiting.acquire(blocking=False):
            raise Busy("too many wait for previews; try again in a few seconds")
        try:
            yield
        finally:
            self._waiting.release()

    @contextmanager
    def waiting_for_body(self) -> Iterator[None]:
        """Let it be known that this thread waits for a body."""
        key = threading.get_ident()
        self._bodies[key] = time.monotonic()
        try:
            yield
        finally:
            del self._bodies[key]

    def longest_wait_s(self) -> float:
        """For how long the body has been waited for that is waited for the longest."""
        now = time.monotonic()
        return max((now - since for since in list(self._bodies.values())), default=0.0)
