"""Clients that send a body too slowly, or not at all, and the ends of their connections.

A body comes in pieces, and each has to be there in time. granian's read returns only with the whole
piece, its thread can't be interrupted, and granian does not tell which connection the piece comes
on. So a connection is recognised by its client's address and by its traffic, on Linux.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from api.worker import sockets
from api.worker.sockets import Traffic

PIECE_BYTES = 16 * 1024
"""How much a client has to send in the time for a piece, at least."""


@dataclass(slots=True, eq=False)
class Wait:
    """A thread that waits for a piece of a body, of the client at *peer*."""

    peer: str
    since: float = field(default_factory=time.monotonic)
    is_given_up: bool = False
    """Whether the piece took too long, and a connection was ended."""
    _seen: float | None = None
    """Since when a thread that looks regularly sees that nothing changes."""

    def note_piece(self) -> None:
        """Wait for the next piece from now on."""
        self.since, self._seen = time.monotonic(), None

    def is_due(self, now: float, limit_s: float) -> bool:
        """Whether the piece takes longer than *limit_s*, by looks at *now* and before.

        The traffic is known for as long, and shows which of several bodies trickles.
        """
        seen = self._seen
        if seen is None:
            self._seen = now
            return False
        return now - seen > limit_s

    def give_up(self, now: float) -> None:
        """Note that a connection is ended at *now*, which should be the one of the body."""
        self.is_given_up, self._seen = True, now


@dataclass(frozen=True, slots=True)
class _Mark:
    """How much a connection had received when it had last brought a whole piece."""

    time: float
    received_bytes: int


class Senders:
    """The connections at *port*, and when each last brought as much as a piece."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._marks: dict[tuple[Any, ...], _Mark] = {}

    def end_slow(self, waits: list[Wait], limit_s: float) -> None:
        """Stop reading from the connections of *waits* that last longer than *limit_s*.

        Call this regularly.
        """
        there = sockets.traffic_at(self._port) if waits else []
        sockets.stop_reading(self._port, self.find_slow(waits, there, time.monotonic(), limit_s))

    def find_slow(
        self, waits: list[Wait], there: list[Traffic], now: float, limit_s: float
    ) -> set[tuple[Any, ...]]:
        """The addresses of the connections of *there* to end at *now*.

        A connection that waits for the service's answer is as silent as a body that never comes,
        so each wait ends one connection only.
        """
        self._mark(there, now)
        slow: set[tuple[Any, ...]] = set()
        for wait in waits:
            left = [traffic for traffic in there if traffic.address not in slow]
            if wait.is_due(now, limit_s) and (slowest := self._slowest(wait, left, now, limit_s)):
                wait.give_up(now)
                slow.add(slowest.address)
        return slow

    def _slowest(
        self, wait: Wait, there: list[Traffic], now: float, limit_s: float
    ) -> Traffic | None:
        """The connection of *there* that *wait* waits for: one that trickles.

        If none does, the silent one whose last data came when the wait began.
        """
        theirs = [t for t in there if t.peer == wait.peer and t.sent_s > limit_s]
        trickling = [t for t in theirs if self._trickles(t, now, limit_s)]
        silent = [t for t in theirs if t.received_s > limit_s]

        def distance(traffic: Traffic) -> float:
            return abs(now - traffic.received_s - wait.since)

        return min(trickling or silent, key=distance, default=None)

    def _mark(self, there: list[Traffic], now: float) -> None:
        marks = {}
        for traffic in there:
            mark = self._marks.get(traffic.address)
            got = traffic.received_bytes - mark.received_bytes if mark else PIECE_BYTES
            # With less than before, it is another connection.
            fits = mark is not None and 0 <= got < PIECE_BYTES
            marks[traffic.address] = mark if mark and fits else _Mark(now, traffic.received_bytes)
        self._marks = marks

    def _trickles(self, traffic: Traffic, now: float, limit_s: float) -> bool:
        """Whether less than a piece came for *limit_s*, but some of it."""
        mark = self._marks[traffic.address]
        return now - mark.time > limit_s and traffic.received_bytes > mark.received_bytes
