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
from gitstore.errors import StoreError
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
        self._told = ""
        """The last failure outside of the mirror's runs that the log has."""

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
            except Exception as error:
                if str(error) != self._told:
                    self._told = str(error)
                    _LOG.exception("mirroring failed")
            time.sleep(TURN_S)

    def _look(self) -> None:
        """Run the mirror if the branch has moved, or if it is due."""
        catalogue = self._store.catalogue()
        tip = catalogue.history.tip
        if tip is None or (tip == self._tried and time.monotonic() < self._due):
            return
        self._tried = tip
        # Time passes until the next try, whatever happens in this one.
        self._failures += 1
        self._due = time.monotonic() + retry_pause_s(self._failures)
        if self._try(catalogue):
            self._failures, self._told = 0, ""
            self._due = time.monotonic() + AGAIN_S

    def _try(self, catalogue: Catalogue) -> bool:
        """Run the mirror and note the result; whether it succeeded."""
        before, steps = self.state(), catalogue.history.counters.steps
        try:
            done = self._mirror.run(catalogue)
        except Exception as error:
            is_foreseen = isinstance(error, StoreError)
            kind = type(error).__name__
            says = str(error) if is_foreseen else f"the mirror failed ({kind}); the log says more"
            if says != before.error:
                _LOG.error("the mirror: %s", says, exc_info=not is_foreseen)
            write_state(self._git_dir, replace(before, tried=steps, error=says))
            return False
        state = MirrorState(
            done.tip or "", steps, time.time(), steps, "", done.conflicts, len(done.drift)
        )
        for name, message in done.conflicts.items():
            if before.conflicts.get(name) != message:
                _LOG.error("the mirror: %s: %s", name, message)
        if before.error or done.changes:
            _LOG.info("the master's tables are in step with %s", (done.tip or "")[:10])
        write_state(self._git_dir, state)
        return True
