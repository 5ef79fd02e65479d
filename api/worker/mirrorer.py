"""Mirroring in a worker: one thread, for which no reader and no writer waits.

The workers compete for one lock. The worker that holds it runs the mirror until it ends.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import replace

from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.errors import FarmFailed
from gitstore.git.locks import try_file_lock
from gitstore.pyfarm.database import Database
from gitstore.pyfarm.mirroring import Mirror
from gitstore.pyfarm.state import MirrorState, read_state, wait_for_state, write_state

_LOG = logging.getLogger(__name__)

LOOK_S = 0.1
"""How often to look at the branch."""
TURN_S = 1.0
"""How often a worker that doesn't mirror tries to take the lock."""
AGAIN_S = 60.0
"""How often to read the tables again, even if the branch has not moved."""
BACKOFF_LIMIT_S = 60.0


def retry_pause_s(failures: int) -> float:
    """Seconds until the next try, after *failures* in a row."""
    return float(min(BACKOFF_LIMIT_S, 0.5 * 2.0 ** min(failures, 10)) * random.uniform(0.8, 1.2))


class Mirrorer:
    """Keeps the tables of the master's database at *url* in step with *store*'s branch."""

    def __init__(self, store: Store, url: str, wait_s: float) -> None:
        self._store = store
        self._git_dir = store.repository.git_dir
        self._mirror = Mirror(Database(url), store.repository)
        self._wait_s = wait_s
        self._failures = 0
        self._tried: str | None = None
        self._due = 0.0

    @property
    def shown(self) -> str:
        """The database's URL without its password."""
        return str(self._mirror.database.shown)

    def state(self) -> MirrorState:
        """The last run of any worker."""
        return read_state(self._git_dir)

    def word(self, steps: int) -> str:
        """Where the tables are, after a short wait for step number *steps*."""
        return wait_for_state(self._git_dir, steps, self._wait_s).word(steps)

    def start(self) -> None:
        """Start, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="mirror", daemon=True).start()

    def _run(self) -> None:
        lock = self._git_dir / "jobtypes" / "mirror.lock"
        while True:
            try:
                with try_file_lock(lock) as held:
                    while held is not None:
                        self._look()
                        time.sleep(LOOK_S)
            except Exception:
                _LOG.exception("mirroring failed")
            time.sleep(TURN_S)

    def _look(self) -> None:
        """Run the mirror if the branch has moved, or if it is due."""
        catalogue = self._store.catalogue()
        tip = catalogue.history.tip
        if tip is not None and (tip != self._tried or time.monotonic() >= self._due):
            self._tried = tip
            self._try(catalogue)

    def _try(self, catalogue: Catalogue) -> None:
        before, steps = self.state(), catalogue.history.counters.steps
        try:
            done = self._mirror.run(catalogue)
        except FarmFailed as error:
            self._failures += 1
            if str(error) != before.error:
                _LOG.error("the mirror: %s", error)
            write_state(self._git_dir, replace(before, tried=steps, error=str(error)))
            self._due = time.monotonic() + retry_pause_s(self._failures)
            return
        self._failures = 0
        self._due = time.monotonic() + AGAIN_S
        state = MirrorState(
            done.tip or "", steps, time.time(), steps, "", done.conflicts, len(done.drift)
        )
        for name, message in done.conflicts.items():
            if before.conflicts.get(name) != message:
                _LOG.error("the mirror: %s: %s", name, message)
        if before.error or done.changes:
            _LOG.info("the master's tables are in step with %s", (done.tip or "")[:10])
        write_state(self._git_dir, state)
