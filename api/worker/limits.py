"""Limits on each kind of work that a worker does at once, so that reads find a thread.

A read of a version is never refused, because the agent fails its tasks on a 503. All other work
needs a slot, and there are fewer slots than threads. Work that finds no slot is refused. Previews
are reads, too: they wait for a slot, on threads of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from api.config import EVENT_WAITERS, PREVIEW_WAITERS, Config
from api.worker.senders import Wait
from gitstore.errors import Busy

CHUNK_BYTES = 512
"""How many bytes of a body are read at a time. The server's read returns when all of them are
there. Fewer make large bodies slow; more let slow clients last longer."""


class Work(StrEnum):
    """The kinds of work that need a slot, and their names in messages."""

    GIT = "clones and pushes"
    WRITE = "writes"
    REVIEW = "previews, changes, differences, searches, blame and pages"
    WEBHOOK = "webhooks"
    FILES = "archives and other large answers"


class Limits:
    """The slots of one worker, and the threads that wait for bodies."""

    def __init__(self, config: Config) -> None:
        self._slots = {
            Work.GIT: threading.BoundedSemaphore(config.git_places),
            Work.WRITE: threading.BoundedSemaphore(config.write_places),
            Work.REVIEW: threading.BoundedSemaphore(config.review_places),
            Work.WEBHOOK: threading.BoundedSemaphore(config.threads),
            Work.FILES: threading.BoundedSemaphore(config.file_places),
        }
        self._all = threading.BoundedSemaphore(config.places)
        self._waiting = threading.BoundedSemaphore(PREVIEW_WAITERS)
        self._listening = threading.BoundedSemaphore(EVENT_WAITERS)
        self._waits: set[Wait] = set()

    def acquire(self, work: Work) -> None:
        """Take a slot, until ``release``.

        Raises:
            Busy: none is free.
        """
        if self._slots[work].acquire(blocking=False):
            if self._all.acquire(blocking=False):
                return
            self._slots[work].release()
        raise Busy(f"too many {work} at once; try again in a few seconds")

    def release(self, work: Work) -> None:
        """Free a slot."""
        self._all.release()
        self._slots[work].release()

    def hold(self, work: Work) -> Callable[[], None]:
        """Take a slot, for longer than the request lasts; what comes back releases it, once.

        Raises:
            Busy: none is free.
        """
        self.acquire(work)
        once = threading.Lock()

        def release() -> None:
            if once.acquire(blocking=False):
                self.release(work)

        return release

    @contextmanager
    def held(self, work: Work) -> Iterator[None]:
        """Hold a slot, after waiting for it: on one of the threads of ``waiting``."""
        with self._slots[work], self._all:
            yield

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for a preview, on one of the threads for that.

        Raises:
            Busy: all those threads wait already.
        """
        if not self._waiting.acquire(blocking=False):
            raise Busy("too many wait for previews; try again in a few seconds")
        try:
            yield
        finally:
            self._waiting.release()

    @contextmanager
    def listening(self) -> Iterator[bool]:
        """Wait for events, on one of the threads for that; False if all of them wait already."""
        has_place = self._listening.acquire(blocking=False)
        try:
            yield has_place
        finally:
            if has_place:
                self._listening.release()

    @contextmanager
    def waiting_for_body(self, peer: str) -> Iterator[Wait]:
        """Count this thread among those that wait for a body, of the client at *peer*."""
        wait = Wait(peer)
        self._waits.add(wait)
        try:
            yield wait
        finally:
            self._waits.remove(wait)

    def waits(self) -> list[Wait]:
        """The waits for bodies that last now."""
        return list(self._waits)
