"""Who brought each step to the served branch: what this repository's reflog has of it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

from gitstore.branch.access import EVERYBODY
from gitstore.git.lineage import Lineage
from gitstore.git.repository import Repository

_BY_PEOPLE = ("push", "rest")
"""How the reasons of moves begin that a sender of ours asked for. A fetch has no such sender."""


@dataclass(frozen=True, slots=True)
class _Moves:
    """The moves in the reflog, by the step to which each led; *of* is what was read, and when."""

    of: tuple[str | None, tuple[int, int] | None] = (None, None)
    until: list[int] = field(default_factory=list)
    rows: list[tuple[int, str]] = field(default_factory=list)


class Pushers:
    """The senders of the moves of *ref*. Threads may share it. A reflog forgets after a time."""

    def __init__(self, repository: Repository, ref: str, lineage: Lineage) -> None:
        self._repository = repository
        self._ref = ref
        self._lineage = lineage
        self._moves = _Moves()

    def pusher(self, step: int) -> str | None:
        """The name of the token that brought that step, None where nobody knows.

        Call refresh() first, once for all steps that are asked for.
        """
        moves = self._moves
        at = bisect_left(moves.until, step)
        if at == len(moves.rows):
            return None
        after, name = moves.rows[at]
        return name if after < step else None

    def refresh(self, tip: str | None) -> None:
        """Read the reflog, if it has changed, for the branch at *tip*."""
        of = (tip, self._repository.log_stamp(self._ref))
        if of == self._moves.of:
            return
        moves = _Moves(of)
        for old, new, name, why in self._repository.logged(self._ref):
            before = self._lineage.step_on_chain(old) if old.strip("0") else 0
            step = self._lineage.step_on_chain(new)
            if step is None or before is None or step <= max([before, *moves.until[-1:]]):
                continue
            if why.startswith(_BY_PEOPLE) and name != EVERYBODY.name:
                moves.until.append(step)
                moves.rows.append((before, name))
        self._moves = moves
