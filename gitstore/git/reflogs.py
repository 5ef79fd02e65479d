"""Reflogs: what Git has on record of how refs moved, and who moved them."""

from __future__ import annotations

import re
from os import SEEK_END
from pathlib import Path
from typing import NamedTuple

import pygit2

from gitstore.git.commits import trimmed
from gitstore.git.handle import Handle
from gitstore.git.refs import Refs
from gitstore.git.wholeness import common_dir

_LOGGED = re.compile(r"[0-9a-f]{40} ([0-9a-f]{40}) ")
"""The beginning of a reflog's line: the old commit and the new one."""

_MOVE = re.compile(
    rb"^([0-9a-f]{40}) ([0-9a-f]{40}) ([^<\n]*)<[^>\n]*> [0-9]+ [+-][0-9]+\t(.*)$", re.MULTILINE
)
_MOVES_LIMIT_BYTES = 4 * 1024 * 1024
"""How much of a reflog is read: its end."""


class Move(NamedTuple):
    """A line of a reflog: from commit *old* (zeros: none) to *new*, who moved it, and how."""

    old: str
    new: str
    name: str
    why: str


class Reflogs:
    """The reflogs of a repository's *refs*. Threads may share it."""

    def __init__(self, handle: Handle, refs: Refs) -> None:
        self._handle = handle
        self._refs = refs

    def last_mover(self, ref: str, to: str) -> str | None:
        """The name, from the reflog, of the last one who moved *ref* to *to*; None if unknown."""
        moves = self._moves(ref)
        return next((move.committer.name for move in moves if str(move.oid_new) == to), None)

    def first_mover(self, ref: str) -> str | None:
        """The name, from the reflog, of who made *ref*; None if unknown.

        That is so where the log has forgotten it, or does not lead to where *ref* is.
        """
        moves = self._moves(ref)
        if not moves or str(moves[0].oid_new) != self._refs.tip(ref):
            return None
        makers = (move.committer.name for move in moves if not str(move.oid_old).strip("0"))
        return next(makers, None)

    def movers(self, ref: str) -> frozenset[str] | None:
        """The names, from the reflog, of all who moved *ref* since it was made; None if unknown.

        That is so where the log has forgotten some, or does not lead to where *ref* is.
        """
        moves = self._moves(ref)
        if not moves or str(moves[0].oid_new) != self._refs.tip(ref):
            return None
        if str(moves[-1].oid_old).strip("0"):
            return None
        return frozenset(trimmed(move.committer.name) for move in moves)

    def _moves(self, ref: str) -> list[pygit2.RefLogEntry]:
        """The lines of *ref*'s reflog, newest first; none where it has no reflog."""
        try:
            return list(self._handle.repo.lookup_reference(ref).log())
        except (KeyError, ValueError, pygit2.GitError):
            return []

    def last_logged(self, ref: str) -> str | None:
        """The commit that *ref* was last moved to by its reflog, which outlives a lost ref."""
        try:
            last = self._log(ref).read_text(errors="replace").splitlines()[-1]
        except (OSError, IndexError):
            return None
        line = _LOGGED.match(last)
        return line[1] if line and line[1].strip("0") else None

    def log_stamp(self, ref: str) -> tuple[int, int] | None:
        """What differs whenever the reflog of *ref* has changed; None without a reflog."""
        try:
            status = self._log(ref).stat()
        except OSError:
            return None
        return status.st_size, status.st_mtime_ns

    def logged(self, ref: str) -> list[Move]:
        """The last moves of *ref* that its reflog has, oldest first."""
        try:
            with self._log(ref).open("rb") as file:
                start = max(0, file.seek(0, SEEK_END) - _MOVES_LIMIT_BYTES)
                file.seek(start)
                data = file.read(_MOVES_LIMIT_BYTES)
        except OSError:
            return []
        rows = ((field.decode(errors="replace") for field in row) for row in _MOVE.findall(data))
        return [Move(old, new, name.strip(), why) for old, new, name, why in rows]

    def _log(self, ref: str) -> Path:
        return common_dir(self._handle.git_dir) / "logs" / ref
