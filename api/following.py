"""Following an upstream in a worker: one thread that fetches, and those who wait for it."""

from __future__ import annotations

import logging
import random
import threading
import time

from gitstore.upstream import Upstream

_LOG = logging.getLogger(__name__)

PAUSE_S = 2.0
"""The least time from the beginning of one fetch to that of the next."""
BACKOFF_LIMIT_S = 600.0
"""The longest time between two tries while upstream is down, unless someone asks."""


class Follower:
    """Fetches every *poll_s* seconds, when told to, and for readers who miss something.

    However many ask, one fetch runs and one waits. At most *places* readers wait for one
    at a time, so that the others find a thread.
    """

    def __init__(self, upstream: Upstream, poll_s: float, limit_s: float, places: int) -> None:
        self.upstream = upstream
        self._poll_s = poll_s
        # As long as the fetch under way and the one after it may take.
        self._wait_s = 2 * limit_s + PAUSE_S
        self._places = threading.BoundedSemaphore(places)
        self._changed = threading.Condition()
        self._wanted = 0.0
        self._done = 0.0
        self._failures = 0
        self._next_try = 0.0

    def start(self) -> None:
        """Begin, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="follower", daemon=True).start()

    def poke(self) -> None:
        """Have a fetch begin soon; nobody waits for it."""
        with self._changed:
            self._failures = 0
            self._wanted = time.time()
            self._changed.notify_all()

    def ask(self) -> bool:
        """Wait for a fetch that begins after now; whether the served branch has moved.

        False at once while upstream is known to be down, or too many wait already.
        """
        store = self.upstream.store
        before = store.repository.tip(store.ref)
        now = time.time()
        if self._failures and now < self._next_try:
            return False
        if not self._places.acquire(blocking=False):
            return False
        try:
            with self._changed:
                self._wanted = now
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._done >= now, self._wait_s)
        finally:
            self._places.release()
        return store.repository.tip(store.ref) != before

    def _run(self) -> None:
        begun = self.upstream.state().begun
        while True:
            self._wait(begun)
            time.sleep(max(0.0, begun + PAUSE_S - time.time()))
            with self._changed:
                since = self._wanted if self._wanted > self._done else 0.0
            begun = time.time()
            self._fetch(since)
            with self._changed:
                self._done = begun
                self._changed.notify_all()

    def _wait(self, begun: float) -> None:
        """Wait until a fetch is wanted, or due."""
        pause = min(BACKOFF_LIMIT_S, self._poll_s * 2**self._failures)
        with self._changed:
            # With jitter, so that a hundred replicas don't ask in one second.
            self._next_try = begun + pause * random.uniform(0.8, 1.2)
            self._changed.wait_for(
                lambda: self._wanted > self._done, max(0.0, self._next_try - time.time())
            )

    def _fetch(self, since: float) -> None:
        try:
            state = self.upstream.fetch(since)
            self._failures = min(self._failures + 1, 10) if state.error else 0
        except Exception:
            self._failures = min(self._failures + 1, 10)
            _LOG.exception("fetching failed")
