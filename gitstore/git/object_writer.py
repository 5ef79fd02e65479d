"""Writing objects, so that they are on disk, and still there, when a ref leads to them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from types import MappingProxyType

import pygit2

from gitstore.errors import Moved, StorageFailed
from gitstore.git.commits import Signature
from gitstore.git.handle import Handle, translated
from gitstore.git.loose_objects import LooseObjects
from gitstore.git.objects import ObjectReader
from gitstore.git.pruning import wait_for_prune
from gitstore.git.tree_edit import Changes, Draft
from gitstore.git.trees import object_id, with_header, without_header
from gitstore.git.wholeness import common_dir

_TRIES = 20
"""Attempts to write an object that Git keeps removing."""

_WRITTEN = 1000
"""Objects of one write, at most, that are checked again before a ref leads to them."""


class _Written(threading.local):
    """The objects that this thread wrote since it last moved a ref, as far as it still may."""

    objects: Mapping[str, bytes] = MappingProxyType({})


class ObjectWriter:
    """Writes objects into a repository. Threads may share it."""

    def __init__(self, handle: Handle, loose: LooseObjects, objects: ObjectReader) -> None:
        self._handle = handle
        self._loose = loose
        self._objects = objects
        self._written = _Written()

    def write_tree(self, base: str | None, changes: Changes) -> str:
        """The id of tree *base* (None: the empty one) with *changes* made.

        Directories that lose their last entry go too.
        """
        draft = Draft(self._objects.tree, _blob_id)
        tree = draft.change(base, changes)
        for id in draft.grafts:
            if not self._objects.has(id):
                self._objects.read(id)  # This tells a failing disk from a missing object.
        objects = draft.blobs | {id: with_header("tree", data) for id, data in draft.trees.items()}
        # What stood there before needs no writing, unless it was lost.
        for id in draft.known:
            if self._objects.has(id):
                del objects[id]
        self.write(objects)
        for id, data in draft.trees.items():
            self._objects.trees.keep(id, data)
        return tree

    def write_commit(
        self, tree: str, parents: tuple[str, ...], message: str, author: Signature, by: Signature
    ) -> str:
        """The id of a new commit, on disk but on no ref; *by* is its committer."""
        lines = [
            f"tree {tree}",
            *(f"parent {parent}" for parent in parents),
            f"author {_line(author)}",
            f"committer {_line(by)}",
            "",
            message,
        ]
        data = "\n".join(lines).encode()
        id = object_id("commit", data)
        self.write({id: with_header("commit", data)})
        return id

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write what this thread writes in the block at its end, all at once.

        Until then this repository holds it in memory, and after an exception nothing of it is
        written. Git and other threads don't see it in between.
        """
        held = self._objects.held
        assert held.objects is None, "a block inside another one"
        objects: dict[str, bytes] = {}
        held.objects = objects
        try:
            yield
        finally:
            held.objects = None
        self.write(objects)

    def write(self, objects: Mapping[str, bytes]) -> None:
        """Have *objects*, header and content by id, on disk.

        Raises:
            Damaged: one is there already, and not as it should be.
            StorageFailed: the disk fails.
        """
        held = self._objects.held.objects
        if held is not None:
            held.update(objects)
            return
        with translated():
            new = self._write(objects)
        for id in objects.keys() - new:
            if not os.path.exists(self._loose.path(id)):
                with translated():
                    self._write({id: objects[id]})  # Git has removed it since.
            elif self._objects.read(id)[1] != without_header(objects[id]):
                raise self._objects.damaged(id)
        written = self._written.objects
        if len(written) + len(objects) > _WRITTEN:
            written = {}
        self._written.objects = {**written, **objects}

    def _write(self, objects: Mapping[str, bytes]) -> set[str]:
        """Have *objects* on disk, written again if Git took a half-done file away."""
        for _ in range(_TRIES):
            with suppress(FileNotFoundError):
                return self._loose.write(objects)
        return self._loose.write(objects)

    # Before and after the move of a ref

    def keep_written(self) -> None:
        """Write again what is gone of what this thread wrote, before a ref leads there.

        ``git gc --prune=now`` removes what no ref reached when it looked, however new.

        Raises:
            StorageFailed: it is removed again and again.
        """
        for _ in range(_TRIES):
            lost = {
                id: data for id, data in self._written.objects.items() if not self._is_on_disk(id)
            }
            if not lost:
                return
            self._write(lost)
        raise StorageFailed("Git removes what is written at once; end `git gc --prune=now`")

    def end_write(self) -> None:
        """See that what was written outlived the move of the ref, and forget it."""
        self.keep_written()
        if self._written.objects and wait_for_prune(common_dir(self._handle.git_dir)):
            self.keep_written()
        self._written.objects = {}

    def require_kept(self, id: str) -> None:
        """Raise Moved if object *id*, which was written, isn't there any more."""
        if not os.path.exists(self._loose.path(id)) and not self._objects.has(id):
            raise Moved(f"the object {id} was removed while it was written")

    def _is_on_disk(self, id: str) -> bool:
        """Whether object *id* is there now, whatever a handle has cached."""
        if os.path.exists(self._loose.path(id)):
            return True
        with self._handle.fresh() as repo:
            return pygit2.Oid(hex=id) in repo.odb


def _blob_id(data: bytes) -> str:
    """The id of a blob of *data*. libgit2 refuses data that was made to collide."""
    with translated():
        return str(pygit2.hash(data))


def _line(signature: Signature) -> str:
    """*signature* as it stands in a commit, with its name as libgit2 cleans it."""
    with translated():
        clean = _git_signature(signature)
    hours, minutes = divmod(abs(clean.offset), 60)
    sign = "-" if clean.offset < 0 else "+"
    return f"{clean.name} <{clean.email}> {clean.time} {sign}{hours:02d}{minutes:02d}"


def _git_signature(signature: Signature) -> pygit2.Signature:
    if signature.when is None:
        return pygit2.Signature(signature.name, signature.email)
    offset = signature.when.utcoffset() or timedelta()
    seconds = int(signature.when.timestamp())
    return pygit2.Signature(
        signature.name, signature.email, seconds, int(offset.total_seconds() // 60)
    )
