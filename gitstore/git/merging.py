"""Merging two commits in memory, and writing the objects of a merge that is wanted."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

import pygit2
from pygit2.enums import MergeFlag, ObjectType

from gitstore.errors import MergeConflict, Moved, OutOfBounds, StorageFailed
from gitstore.format.layout import printable
from gitstore.git.bounds import Bounds
from gitstore.git.commit_graph import CommitGraph
from gitstore.git.handle import Handle, translated
from gitstore.git.object_writer import ObjectWriter
from gitstore.git.objects import ObjectReader
from gitstore.git.overlay import Merge
from gitstore.git.trees import EMPTY_TREE, with_header

_FIRST = 1000
"""The priority of the backend that is written to first. The disk has 1 and 2."""

_STEPS = 30
"""Merges of merge bases, at most. libgit2 makes those of bases of bases by recursion."""

_TRIES = 20
"""Attempts to write a merge while Git removes its objects."""


class _Memory(pygit2.OdbBackend):
    """A backend of libgit2's that keeps in memory what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.objects: dict[str, bytes] = {}

    def write_cb(self, id: pygit2.Oid, data: bytes, kind: int) -> None:
        self.objects[str(id)] = with_header(ObjectType(kind).name.lower(), data)

    def exists_cb(self, id: pygit2.Oid) -> bool:
        return str(id) in self.objects

    def read_cb(self, id: pygit2.Oid) -> tuple[ObjectType, bytes]:
        header, _, data = self.objects[str(id)].partition(b"\0")
        return ObjectType[header.split()[0].decode().upper()], data

    def read_header_cb(self, id: pygit2.Oid) -> tuple[ObjectType, int]:
        kind, data = self.read_cb(id)
        return kind, len(data)

    def read_prefix_cb(self, id: pygit2.Oid) -> tuple[ObjectType, bytes, pygit2.Oid]:
        raise KeyError(id)  # Nobody asks for a part of an id.

    def exists_prefix_cb(self, id: pygit2.Oid) -> pygit2.Oid:
        raise KeyError(id)

    def refresh_cb(self) -> None:
        pass


class _Step(NamedTuple):
    """A merge of commit *theirs* into *ours*, which share *base*, None where they share none."""

    base: str | None
    ours: str
    theirs: str


class Merger:
    """Merges commits of a repository. Threads may share it."""

    def __init__(
        self,
        handle: Handle,
        objects: ObjectReader,
        writer: ObjectWriter,
        commits: CommitGraph,
        bounds: Bounds,
    ) -> None:
        self._handle = handle
        self._objects = objects
        self._writer = writer
        self._commits = commits
        self._bounds = bounds

    def merge(self, ours: str, theirs: str) -> Merge:
        """The result of merging commit *theirs* into commit *ours*. Writes and moves nothing.

        Raises:
            OutOfBounds: a tree, or a file that both change, is too large to be merged.
            MergeConflict: the two change the same places; the message names the files.
        """
        steps = self._steps(ours, theirs)
        flags = self._flags(steps)
        with self._in_memory() as (repo, objects):
            index = self._merged(repo, steps, flags)
            if index.conflicts is None:
                return Merge(str(index.write_tree(repo)), objects)
        sides = (side for conflict in index.conflicts for side in conflict if side)
        paths = tuple(sorted({printable(side.path) for side in sides}))
        raise MergeConflict(f"it conflicts in {', '.join(paths)}", paths)

    def _steps(self, ours: str, theirs: str) -> list[_Step]:
        """This merge, and those of its merge bases with each other, which become one base.

        Raises:
            OutOfBounds: they are more than _STEPS.
        """
        steps: list[_Step] = []
        waiting: list[tuple[tuple[str, ...], str]] = [((ours,), theirs)]
        while waiting:
            merged, other = waiting.pop(0)
            bases = self._commits.merge_bases(other, *merged)
            shared: list[str | None] = [*bases] or [None]
            steps += [_Step(base, one, other) for base in shared for one in merged]
            if len(steps) > _STEPS:
                fault = f"is too entangled with {ours}; merge that one into it, and push it again"
                raise OutOfBounds(f"the history of {theirs}", fault)
            waiting += [(tuple(bases[:number]), bases[number]) for number in range(1, len(bases))]
        return steps

    def _flags(self, steps: list[_Step]) -> MergeFlag:
        """How *steps* are made.

        Raises:
            OutOfBounds: see merge.
        """
        flags = MergeFlag.FIND_RENAMES
        for step in steps:
            base, ours, theirs = trees = self._trees(step)
            for tree in trees:
                self._bounds.extent(tree)
            if not self._bounds.find_renames(base, ours, theirs):
                flags = MergeFlag(0)
        return flags

    def _trees(self, step: _Step) -> tuple[str, str, str]:
        base = self._commits.commit(step.base).tree if step.base else EMPTY_TREE
        return base, self._commits.commit(step.ours).tree, self._commits.commit(step.theirs).tree

    def _merged(
        self, repo: pygit2.Repository, steps: list[_Step], flags: MergeFlag
    ) -> pygit2.Index:
        if len(steps) > 1:
            # libgit2 reads no commit without an author. The first merge base has to do then.
            with suppress(pygit2.GitError):
                return repo.merge_commits(steps[0].ours, steps[0].theirs, flags=flags)
        return repo.merge_trees(*self._trees(steps[0]), flags=flags)

    @contextmanager
    def _in_memory(self) -> Iterator[tuple[pygit2.Repository, dict[str, bytes]]]:
        """A handle that writes nothing into the repository, and the objects that it writes.

        Those are by id and with headers. The handle is the block's own, as pygit2 merges while
        other threads go on.
        """
        memory = _Memory()
        with translated(), self._handle.fresh() as repo:
            repo.odb.add_backend(memory, _FIRST)
            yield repo, memory.objects

    def write_merge(self, merge: Merge, known: str) -> None:
        """Have on disk all that *merge* has and tree *known*, into which it merged, has not.

        Git's housekeeping may remove an object meanwhile; then all are written again.

        Raises:
            StorageFailed: the disk fails, or Git removes them again and again.
        """
        for tries in range(1, _TRIES + 1):
            try:
                with translated():
                    self._writer.write(merge.objects)
                    self._require_kept(merge.tree, known)
                return
            except Moved as error:
                if tries == _TRIES:
                    raise StorageFailed(f"the repository can't be written: {error}") from error
            time.sleep(random.uniform(0, 0.005))

    def _require_kept(self, tree: str, known: str) -> None:
        """Raise Moved if a part of *tree* is missing. What tree *known* has isn't looked at."""
        pairs = [(tree, known)]
        while pairs:
            new, old = pairs.pop()
            self._writer.require_kept(new)
            before = self._objects.entries(old)
            for name, entry in self._objects.entries(new).items():
                other = before.get(name)
                if entry.is_tree and entry != other:
                    pairs.append((entry.id, other.id if other and other.is_tree else EMPTY_TREE))
