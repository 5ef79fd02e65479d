"""How much of each kind of work a worker does at once, so that reads find a thread.

Whoever reads a version is never turned away: the agent fails its tasks on a 503. So all
other work has a number of places, together fewer than there are threads, and is refused
where none is free.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum

from flask import Flask, current_app, g, request

from api.auth import SAFE
from api.config import Config
from gitstore import Busy

CHUNK_BYTES = 512
"""How much of a body is waited for at a time. The server's read returns when it has all
that was asked for; less makes large bodies slow, more lets slow ones last."""


class Work(StrEnum):
    """The kinds of work that have places, and what to call them."""

    GIT = "clones and pushes"
    WRITE = "writes"
    REVIEW = "previews, changes and differences"
    WEBHOOK = "webhooks"


class Places:
    """The places of one worker, and since when bodies are waited for."""

    def __init__(self, limits: Mapping[Work, int], total: int) -> None:
        self._limits = limits
        self._total = total
        self._taken: Counter[Work] = Counter()
        self._lock = threading.Lock()
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
        with self._lock:
            full = self._taken[work] >= self._limits[work] or self._taken.total() >= self._total
            if full:
                raise Busy(f"too many {work} at once; try again in a few seconds")
            self._taken[work] += 1

    def give(self, work: Work) -> None:
        """Let somebody else have the place."""
        with self._lock:
            self._taken[work] -= 1

    @contextmanager
    def held(self, work: Work) -> Iterator[None]:
        """Hold a place.

        Raises:
            Busy: none is free.
        """
        self.take(work)
        try:
            yield
        finally:
            self.give(work)

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


def install(app: Flask, config: Config) -> Places:
    """Have each request of *app* that is no read take a place; it is known by then who asks."""
    made = app.extensions["places"] = Places.of(config)

    def take() -> None:
        work = _work()
        if work is not None and "work" not in g:
            made.take(work)
            g.work = work

    def give(error: BaseException | None) -> None:
        work = g.pop("work", None)
        if work is not None:
            made.give(work)

    app.before_request(take)
    app.teardown_request(give)
    return made


def places() -> Places:
    """The places of the application that answers this request."""
    found = current_app.extensions["places"]
    assert isinstance(found, Places)
    return found


def _work() -> Work | None:
    """Which kind of work this request is; None for reads, and for Git, which asks itself."""
    if request.blueprint == "git":
        return None
    if request.blueprint == "webhooks":
        return Work.WEBHOOK
    if request.method not in SAFE:
        return Work.WRITE
    return Work.REVIEW if request.blueprint == "changes" or request.endpoint == "diff" else None
