"""Reading objects: blobs, trees, and whatever else has an id."""

from __future__ import annotations

import os
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TypeVar

import pygit2
from pygit2.enums import ObjectType

from gitstore.errors import Damaged, OutOfBounds, StorageFailed, StoreError, is_broken
from gitstore.format.layout import CODE_LIMIT_BYTES
from gitstore.git.damaged_objects import DamagedObjects
from gitstore.git.handle import READ_ERRORS, RESTORE, Handle, translated
from gitstore.git.loose_objects import HEADER_BYTES, LooseObjects
from gitstore.git.trees import (
    EMPTY_TREE,
    Entry,
    Header,
    Listing,
    Tree,
    Trees,
    blob_id,
    has_header,
    is_whole,
    kind_of,
    object_id,
    parse_header,
    parse_listing,
    without_header,
)

T = TypeVar("T")

KEPT_TREES = 32
"""Directories that stay parsed. A write asks for the same few again and again."""

_READS = 1000
"""Reads after which packs are opened again, so that old packs and caches go."""

_PAUSES_S = (0, 0.01, 0.05, 0.2)
"""Between two attempts to read an object that isn't there."""


class Held(threading.local):
    """The objects that this thread has made and not written yet, by id and with headers."""

    objects: dict[str, bytes] | None = None


class ObjectReader:
    """Reads the objects of a repository. Threads may share it."""

    def __init__(self, handle: Handle, loose: LooseObjects) -> None:
        self._handle = handle
        self._loose = loose
        self._reads = 0
        self._damage = DamagedObjects(handle.git_dir)
        self.held = Held()
        self.trees = Trees(lambda id: self.read(id)[1], KEPT_TREES)

    def has(self, id: str) -> bool:
        """Whether object *id* is there.

        Raises:
            StorageFailed: the disk fails.
        """
        with translated():
            return id in (self.held.objects or ()) or pygit2.Oid(hex=id) in self._handle.repo.odb

    def header(self, id: str) -> Header | None:
        """The kind and the size of object *id*, None where it is missing or can't be read.

        Its content is not unpacked for that.
        """
        held = self.held.objects
        if held and id in held:
            return parse_header(held[id][:HEADER_BYTES])
        begin = self._loose.begin(id)
        if begin is not None:
            return parse_header(begin)
        for _ in range(2):
            with suppress(*READ_ERRORS):
                kind, size = self._handle.repo.odb.read_header(pygit2.Oid(hex=id))
                return Header(kind.name.lower(), size)
            self._handle.release()  # A repack may have taken the pack away.
        return None

    def read(self, id: str) -> tuple[str, bytes]:
        """The kind of object *id* in Git's words, and its content.

        Raises:
            Damaged: it can't be read.
        """
        if id == EMPTY_TREE:
            return "tree", b""
        whole = (self.held.objects or {}).get(id) or self._read_loose(id)
        if whole is not None:
            return kind_of(whole), without_header(whole)
        kind, data = self._read_packed(id, lambda repo: repo.read(id))
        return ObjectType(kind).name.lower(), bytes(data)

    def read_raw(self, id: str) -> bytes:
        """The bytes of object *id*, of any type, without Git's header.

        Raises:
            Damaged: it can't be read.
        """
        tree = self.trees.find(id)
        return self.read(id)[1] if tree is None else tree.data

    def read_blob(self, id: str, limit_bytes: int = CODE_LIMIT_BYTES) -> bytes:
        """The content of blob *id*, compared with its id.

        Raises:
            Damaged: it can't be read, or is not what was once written.
            OutOfBounds: it is larger than *limit_bytes*.
        """
        header = self.header(id)
        if header is not None and header.size > limit_bytes:
            fault = f"is too large to be read: {header.size} bytes; {limit_bytes} is the limit"
            raise OutOfBounds(f"the file {id}", fault)
        data = self.read_raw(id)
        if blob_id(data) != id:
            raise self.damaged(id)
        return data

    def tree(self, id: str) -> Tree:
        """The tree *id*.

        Raises:
            Damaged: it can't be read.
        """
        return self.trees.tree(id)

    def parsed(self, id: str, data: bytes) -> Tree:
        """The tree *id*, whose raw form is *data*, wherever that is."""
        return self.trees.find(id) or self.trees.keep(id, data)

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """The entries of tree *tree*, by name.

        Raises:
            Damaged: it can't be read.
        """
        return self.trees.tree(tree).entries

    def listing(self, tree: str) -> Listing:
        """Every entry of tree *tree*, in its order. It isn't kept for other callers.

        Raises:
            Damaged: it can't be read.
            OutOfBounds: it is no list of entries.
        """
        data = self.read_raw(tree)
        if not is_whole(data):
            raise OutOfBounds("", f"holds a directory that can't be read: {tree}")
        return parse_listing(data)

    def _read_loose(self, id: str) -> bytes | None:
        """Object *id* with its header, None if it has no file of its own that can be read.

        Read here, because libgit2 1.9 would read a file that is cut off for ever.

        Raises:
            Damaged: the file is cut off, or is no object's.
        """
        try:
            with open(self._loose.path(id), "rb") as file:
                data = file.read()
        except OSError:
            return None
        unzip = zlib.decompressobj()
        try:
            whole = unzip.decompress(data)
        except zlib.error:
            raise self.damaged(id) from None
        if not unzip.eof or not has_header(whole):
            raise self.damaged(id)
        return whole

    def _read_packed(self, id: str, read: Callable[[pygit2.Repository], T]) -> T:
        """What *read* gives for object *id*.

        Several attempts with new handles come before it counts as damaged: a repack may have
        removed the pack that the old handle was about to open.

        Raises:
            Damaged: it can't be read.
        """
        self._reads += 1
        if self._reads % _READS == 0:
            self._handle.release()
        for pause_s in _PAUSES_S:
            with suppress(*READ_ERRORS):
                return read(self._handle.repo)
            self._handle.release()
            time.sleep(pause_s)
        try:
            return read(self._handle.repo)
        except READ_ERRORS as error:
            self._require_disk(id, error)
            raise self.damaged(id) from error

    def _require_disk(self, id: str, error: Exception) -> None:
        """Raise StorageFailed if *error*, met at object *id*, is the disk's fault, no damage's.

        Too many open files count, too.
        """
        self._handle.require_readable()
        path = self._loose.path(id)
        try:
            with suppress(FileNotFoundError), open(path, "rb") as file:
                file.read(1)
        except OSError as failure:
            raise StorageFailed(f"the repository can't be read: {failure}") from failure
        is_there = isinstance(error, KeyError) and os.path.exists(path)
        if is_there or is_broken(str(error)):
            raise StorageFailed(f"the repository can't be read: {error}") from error

    # Damage

    def damaged(self, id: str) -> Damaged:
        """The error to raise for object *id*, which can't be read. It is noted, too.

        Raises:
            NotWhole: a part of the history is missing, so no wonder.
        """
        self._handle.require_whole()
        self._damage.note(id)
        return Damaged(f"the object {id} is missing or damaged; {RESTORE}")

    def damaged_objects(self) -> list[str]:
        """The objects that some process could not read, and that still can't be read."""
        return self._damage.ids(self._is_whole)

    def _is_whole(self, id: str) -> bool:
        try:
            kind, data = self.read(id)
        except StoreError:
            return False
        return object_id(kind, data) == id
