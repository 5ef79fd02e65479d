"""Merging two commits in memory, and writing the objects of a merge that is wanted."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pygit2
from pygit2.enums import MergeFlag, ObjectType

from gitstore.errors import MergeConflict, Moved, StorageFailed
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


class _MergeHandle:
    """A handle of libgit2's that merges without writing into the repository."""

    def __init__(self, repo: pygit2.Repository) -> None:
        self.repo = repo
        self._memory = _Memory()
        repo.odb.add_backend(self._memory, _FIRST)

    @contextmanager
    def objects(self) -> Iterator[dict[str, bytes]]:
        """The objects that the block writes, by id and with headers. They are forgotten then."""
        objects: dict[str, bytes] = {}
        self._memory.objects = objects
        try:
            yield objects
        finally:
            self._memory.objects = {}


class _Own(threading.local):
    """The handle of each thread: pygit2 merges while other threads go on."""

    handle: _MergeHandle | None = None


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
        self._own = _Own()

    def merge(self, ours: str, theirs: str) -> Merge:
        """The result of merging commit *theirs* into commit *ours*. Writes and moves nothing.

        Raises:
            OutOfBounds: a tree, or a file that both change, is too large to be merged.
            MergeConflict: the two change the same places; the message names the files.
        """
        own = self._own
        own.handle = handle = own.handle or _MergeHandle(self._handle.open())
        base = self._commits.merge_base(ours, theirs)
        one, other = self._commits.commit(ours).tree, self._commits.commit(theirs).tree
        ancestor = self._commits.commit(base).tree if base else EMPTY_TREE
        for tree in (ancestor, one, other):
            self._bounds.extent(tree)
        renames = self._bounds.find_renames(ancestor, one, other)
        flags = MergeFlag.FIND_RENAMES if renames else MergeFlag(0)
        with translated(), handle.objects() as objects:
            index = handle.repo.merge_trees(ancestor, one, other, flags=flags)
            if index.conflicts is None:
                return Merge(str(index.write_tree(handle.repo)), objects)
        sides = (side for conflict in index.conflicts for side in conflict if side)
        paths = tuple(sorted({printable(side.path) for side in sides}))
        raise MergeConflict(f"it conflicts in {', '.join(paths)}", paths)

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
