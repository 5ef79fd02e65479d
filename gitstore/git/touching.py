"""Which of the commits that a step brought changed a path: those that ``git log`` would list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gitstore.errors import Damaged, NotFound, OutOfBounds
from gitstore.git.commits import Commit
from gitstore.git.lineage import IsNew
from gitstore.git.repository import Repository

SEARCHED_LIMIT = 1000
"""Commits that are looked at for one path. Of a larger merge, the newest ones are."""

_DIRECTORY = b"40000"


class Touching:
    """The commits that changed *path* (directories, and a name), as ``git log --no-merges`` says.

    *is_new* tells the commits that the step brought. Git simplifies the history of a path: a
    merge that has the path as one of its parents has it is followed to that parent alone.
    *is_cut* tells, after a search, that it ended at SEARCHED_LIMIT.
    """

    def __init__(self, repository: Repository, is_new: IsNew, path: str) -> None:
        self._repository = repository
        self._is_new = is_new
        self._names = [_entry(name) for name in path.split("/")]
        self._known: dict[str, bytes | None] = {}
        self.is_cut = False

    def commits(self, step: Commit) -> list[Commit]:
        """The commits that *step* brought and that changed the path, oldest first."""
        bottom = step.parents[0] if step.parents else None
        seen, found = {step.id}, list[Commit]()
        stack = [(step, self._followed(step, bottom))]
        while stack:
            commit, parents = stack[-1]
            parent = next(parents, None)
            if parent is None:
                stack.pop()
                if self._is_change(commit):
                    found.append(commit)
            elif parent not in seen and self._is_new(parent):
                self.is_cut = self.is_cut or len(seen) >= SEARCHED_LIMIT
                read = None if self.is_cut else self._find_commit(parent)
                if read is not None:
                    seen.add(parent)
                    stack.append((read, self._followed(read, bottom)))
        return found

    def _followed(self, commit: Commit, bottom: str | None) -> Iterator[str]:
        """Yield the parents of *commit* that Git follows for the path."""
        if len(commit.parents) > 1:
            own = self._at(commit)
            for id in commit.parents:
                if (id == bottom or self._is_new(id)) and self._of(id) == own:
                    yield id
                    return
        yield from commit.parents

    def _is_change(self, commit: Commit) -> bool:
        """Whether *commit* is no merge and changed the path."""
        if len(commit.parents) > 1:
            return False
        before = self._of(commit.parents[0]) if commit.parents else None
        return self._at(commit) != before

    def _find_commit(self, id: str) -> Commit | None:
        """The commit *id*, None where it can't be read, as nothing depends on it."""
        try:
            return self._repository.commit(id)
        except (Damaged, NotFound, OutOfBounds):
            return None

    def _of(self, id: str) -> bytes | None:
        commit = self._find_commit(id)
        return self._at(commit) if commit else None

    def _at(self, commit: Commit) -> bytes | None:
        """The mode and the id of what *commit* has at the path, None where it has nothing."""
        if commit.tree not in self._known:
            self._known[commit.tree] = self._read(commit.tree)
        return self._known[commit.tree]

    def _read(self, tree: str) -> bytes | None:
        mode, id = _DIRECTORY, tree
        try:
            for entry in self._names:
                found = entry.match(self._repository.read_raw(id)) if mode == _DIRECTORY else None
                if found is None:
                    return None
                mode, id = found[1], found[2].hex()
        except (Damaged, OutOfBounds):
            return None
        return mode + bytes.fromhex(id)


def _entry(name: str) -> re.Pattern[bytes]:
    """What matches a raw tree up to its entry *name*: its mode, and its id."""
    raw = re.escape(name.encode(errors="surrogateescape"))
    return re.compile(rb"(?:[0-7]+ [^\0]+\0.{20})*?([0-7]+) " + raw + rb"\0(.{20})", re.DOTALL)
