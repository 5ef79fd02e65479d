"""Work that threads bring, done by one of them for all that wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from gitstore.git.locks import Turns

T = TypeVar("T")

LIMIT = 16
"""How much is done at a time: each piece may hold a file of some megabytes in memory."""


class Batches(Generic[T]):
    """Does in one of *turns*, with *do*, all that has come while the turn was waited for.

    Pieces of work are told apart by identity.
    """

    def __init__(self, turns: Turns, do: Callable[[list[T]], None]) -> None:
        self._turns = turns
        self._do = do
        self._waiting: deque[T] = deque()
        self._leading = threading.Lock()

    def join(self, work: T, limit_s: float) -> bool:
        """Have *work* done, here or by another thread, and wait for that.

        False if its turn has not come after *limit_s*; then it is not done.
        """
        self._waiting.append(work)
        if not self._leading.acquire(timeout=limit_s):
            if self._withdrawn(work):
                return False
            # It is being done, which ends.
            self._leading.acquire()
        try:
            # The leader takes work out of the queue, and has done it when it leads no more.
            while work in self._waiting:
                with self._turns.turn(limit_s) as has_come:
                    if not has_come:
                        return not self._withdrawn(work)
                    count = min(LIMIT, len(self._waiting))
                    self._do([self._waiting.popleft() for _ in range(count)])
        finally:
            self._leading.release()
        return True

    def _withdrawn(self, work: T) -> bool:
        """Whether *work* was still waiting, and does so no more."""
        try:
            self._waiting.remove(work)
        except ValueError:
            return False
        return True
