"""Following an upstream in a worker: one thread fetches, and requests wait for it."""

from __future__ import annotations

import logging
import math
import random
import threading
import time

from api.config import Config
from gitstore.branch.upstream import Upstream

_LOG = logging.getLogger(__name__)

NEVER = -math.inf
CLOCK_S = 0.001
"""The least time between two fetches that the clock can tell apart."""
RETRY_S = 5.0
"""How long after a failed fetch a reader who misses something starts another."""
BACKOFF_LIMIT_S = 500.0
"""The longest time between two tries while upstream is down, unless a reader asks, or tries are
as rare while it is up. Jitter may extend it to ten minutes."""


def poll_pause_s(poll_s: float, failures: int) -> float:
    """Seconds from one fetch to the next, after so many *failures* in a row.

    With jitter, so that a hundred replicas don't ask in one second.
    """
    limit_s = max(BACKOFF_LIMIT_S, poll_s)
    return min(limit_s, poll_s * 2.0**failures) * random.uniform(0.8, 1.2)


class Follower:
    """Fetches regularly, after ``poke``, and for readers who miss something.

    However many ask, one fetch runs and one waits. At most *waiting_places* readers wait
    for one at a time, so that the others find a thread. Times are those of time.monotonic,
    which all processes of the machine share and nobody sets.
    """

    def __init__(self, upstream: Upstream, config: Config) -> None:
        self.upstream = upstream
        self._poll_s = config.poll_s
        self._pause_s = config.fetch_pause_s
        # As long as the fetch under way and the one after it may take.
        self._wait_s = 2 * config.fetch_limit_s + config.fetch_pause_s
        self._slots = threading.BoundedSemaphore(config.waiting_places)
        self._changed = threading.Condition()
        self._wanted = 0.0
        self._done = 0.0
        self._failures = 0
        self._failed = NEVER

    def start(self) -> None:
        """Start, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="follower", daemon=True).start()

    def poke(self) -> None:
        """Start a fetch soon, without waiting for it."""
        with self._changed:
            self._failures = 0
            self._failed = NEVER
            self._wanted = time.monotonic()
            self._changed.notify_all()

    def ask(self) -> None:
        """Wait for a fetch that begins after now, whether it succeeds or not.

        Returns at once if a fetch failed a moment ago, or too many wait already.
        """
        now = time.monotonic()
        if now - self._failed < RETRY_S:
            return
        if not self._slots.acquire(blocking=False):
            return
        try:
            with self._changed:
                self._wanted = max(self._wanted, now)
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._done >= now, self._wait_s)
        finally:
            self._slots.release()

    def _run(self) -> None:
        begun = self.upstream.state().begun
        while True:
            self._wait(begun)
            self._pause(begun)
            with self._changed:
                # A fetch of another worker counts, too; for a regular one, if it began after ours.
                since = self._wanted if self._wanted > self._done else begun + CLOCK_S
            begun = self._fetch(since)
            with self._changed:
                self._done = max(self._done, begun)
                self._changed.notify_all()

    def _pause(self, begun: float) -> None:
        """Let some time pass since the last fetch began, this worker's or another's."""
        last = max(begun, self.upstream.state().begun)
        time.sleep(max(0.0, last + self._pause_s - time.monotonic()))

    def _wait(self, begun: float) -> None:
        """Wait until a fetch is wanted, or due."""
        with self._changed:
            due = begun + poll_pause_s(self._poll_s, self._failures)
            self._changed.wait_for(
                lambda: self._wanted > self._done, max(0.0, due - time.monotonic())
            )

    def _fetch(self, since: float) -> float:
        """Fetch; returns when the fetch that counts began."""
        now = time.monotonic()
        try:
            state = self.upstream.fetch(since)
        except Exception:
            _LOG.exception("fetching failed")
            self._note(failed=True)
            return now
        self._note(failed=bool(state.error))
        return state.begun

    def _note(self, failed: bool) -> None:
        self._failures = min(self._failures + 1, 10) if failed else 0
        self._failed = time.monotonic() if failed else NEVER
