"""Which step of a first-parent chain brought each commit.

A step brings its own commit and, if it is a merge, those that it merged and that no step before
it brought. In Git's words, they are in ``<first parent>..<step>``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from gitstore.errors import Damaged, OutOfBounds
from gitstore.format.layout import COMMIT_LIMIT_BYTES
from gitstore.git.commit_text import parse_parents
from gitstore.git.repository import Repository

SIDE_LIMIT = 10_000
"""Commits of one merge that are looked at. The rest counts as not there."""


@dataclass(slots=True)
class _Chain:
    """A chain up to *tip*: the number of the step of each commit on it, and next to it."""

    tip: str | None = None
    steps: dict[bytes, int] = field(default_factory=dict)
    sides: dict[bytes, int] = field(default_factory=dict)


class Lineage:
    """The steps of a branch that grows, and what each brought. Threads may share it.

    It is read once, when it is first asked for, and follows the branch then.
    """

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._chain = _Chain()
        self._growing = threading.Lock()

    def grow(self, tip: str | None) -> None:
        """Follow the branch to commit *tip*, or know more than that."""
        if tip is None or bytes.fromhex(tip) in self._chain.steps:
            return
        with self._growing:
            if bytes.fromhex(tip) not in self._chain.steps:
                self._read(tip)

    def step_of(self, commit: str) -> int | None:
        """The number of the step that brought *commit*; None if no step did."""
        id, chain = bytes.fromhex(commit), self._chain
        return chain.steps.get(id) or chain.sides.get(id)

    def step_on_chain(self, commit: str) -> int | None:
        """The number of the step that *commit* is; None if it is none."""
        return self._chain.steps.get(bytes.fromhex(commit))

    def _read(self, tip: str) -> None:
        chain = self._chain
        new: list[tuple[str, tuple[str, ...]]] = []
        id: str | None = tip
        while id is not None and id != chain.tip:
            parents = parse_parents(self._repository.read_raw(id))
            new.append((id, parents))
            id = parents[0] if parents else None
        if id is None:
            chain = _Chain()  # The branch was rewritten, or this is the first look at it.
        number = len(chain.steps)
        for id, parents in reversed(new):
            number += 1
            chain.steps[bytes.fromhex(id)] = number
            self._take_sides(chain, parents[1:], number)
        chain.tip = tip
        self._chain = chain

    def _take_sides(self, chain: _Chain, merged: tuple[str, ...], number: int) -> None:
        left, waiting = SIDE_LIMIT, list(merged)
        while waiting and left:
            id = waiting.pop()
            key = bytes.fromhex(id)
            if key in chain.steps or key in chain.sides:
                continue
            chain.sides[key] = number
            left -= 1
            waiting += find_parents(self._repository, id)


def find_parents(repository: Repository, id: str) -> tuple[str, ...]:
    """The parents of commit *id*; none where it can't be read, as nothing depends on it."""
    header = repository.header(id)
    if header is None or header.kind != "commit" or header.size > COMMIT_LIMIT_BYTES:
        return ()
    try:
        return parse_parents(repository.read_raw(id))
    except (Damaged, OutOfBounds):
        return ()


IsNew = Callable[[str], bool]
"""Whether a commit is among those that a step brought."""
