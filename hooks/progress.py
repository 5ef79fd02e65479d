"""How far a long check is: a line on the terminal of the person who pushes, rewritten in place."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

FIRST_S = 2
PAUSE_S = 1
"""When the line is first written, and how often it is written again."""

MANY = 100
"""Fewer things than that are not counted, however busy the machine is."""

Say = Callable[[str], object]


class Progress:
    """Counts the many things of a push that takes long. *say* writes the text."""

    def __init__(self, say: Say, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._next = clock() + FIRST_S

    def counting(self, verb: str, noun: str) -> Callable[[int, int], None]:
        """What takes the number of the things that are done, and of all: of *noun*."""
        return partial(self._count, verb, noun)

    def _count(self, verb: str, noun: str, done: int, total: int) -> None:
        if total < MANY:
            return
        now = self._clock()
        if now >= self._next:
            self._next = now + PAUSE_S
            # The next text, or the next line, takes the place of one that ends so.
            self._say(f"{verb} {done} of {total} {noun}\r")
