"""What a worker does in the background: tags, the index, maintenance, hanging clients."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from functools import partial

from gitstore.branch.store import Store
from gitstore.git.command import GitFailed
from gitstore.git.maintenance import maintain

_LOG = logging.getLogger(__name__)

LOOK_S = 5.0
"""How often to look for hanging clients and stale locks."""
TAG_PAUSE_S = 1.0
"""The pause between two rounds of tags, so that many writes share one."""


class Housekeeping:
    """A thread that wakes up for writes and by the clock. Nothing waits for it."""

    def __init__(self, store: Store, end_idle: Callable[[], None], interval_s: float) -> None:
        self._store = store
        self._end_idle = end_idle
        self._interval_s = interval_s
        self._written = threading.Event()
        self._written.set()

    def wake(self) -> None:
        """Wake up after a write."""
        self._written.set()

    def start(self) -> None:
        """Start, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="housekeeping", daemon=True).start()

    def _run(self) -> None:
        # Workers start together, but should not tidy up together.
        due = time.monotonic() + self._interval_s * random.uniform(0.1, 1)
        look = time.monotonic() + LOOK_S
        while True:
            if self._written.wait(max(look - time.monotonic(), 0)):
                self._written.clear()
                self._guarded(self._store.publish_tags)
                time.sleep(TAG_PAUSE_S)
            if time.monotonic() < look:
                continue
            self._look()
            if time.monotonic() > due:
                # In another thread: Git may take minutes, and clients may hang meanwhile.
                work = partial(self._guarded, self._maintain)
                threading.Thread(target=work, name="maintenance", daemon=True).start()
                due = time.monotonic() + self._interval_s
            look = time.monotonic() + LOOK_S

    def _look(self) -> None:
        self._guarded(self._store.served.keep_index)
        self._guarded(self._end_idle)
        self._guarded(self._store.locks.remove)

    def _maintain(self) -> None:
        if maintain(self._store.repository.git_dir):
            self._store.note("maintenance")

    def _guarded(self, work: Callable[[], object]) -> None:
        """Do *work*; a failure is logged, and the next turn tries again."""
        try:
            work()
        except GitFailed as error:
            _LOG.warning("%s", error)
        except Exception:
            _LOG.exception("housekeeping failed")
