"""Git's tree objects: their entries, and what differs between two of one directory.

Works on the raw bytes of a tree (gitformat: ``<mode> <name>\\0<20 bytes of id>``, sorted
by name), because a directory of a thousand jobtypes is compared at every step of the
history and nearly always differs in a single id.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_ID_BYTES = 20

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a tree: its mode (as Git's number) and the id of its object, in hex."""

    mode: int
    id: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a directory."""
        return self.mode == 0o040000

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file; symbolic links and submodules are not."""
        return self.mode in (0o100644, 0o100755, 0o100664)

    @property
    def kind(self) -> str:
        """What it is, for a sentence."""
        kinds = {0o040000: "a directory", 0o120000: "a symbolic link", 0o160000: "a submodule"}
        return kinds.get(self.mode, "a file")


class Objects(Protocol):
    """Where blobs and trees are read from: a repository, or a folder on disk."""

    def read_blob(self, id: str) -> bytes:
        """The content of blob *id*."""
        ...

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """The entries of tree *tree*, by name; names that are no UTF-8 bear surrogates."""
        ...


def parse_tree(data: bytes) -> dict[str, Entry]:
    """The entries of the raw tree *data*, by name."""
    return {
        name.decode(errors="surrogateescape"): Entry(int(mode, 8), id.hex())
        for mode, name, id in _ENTRY.findall(data)
    }


def blob_id(data: bytes) -> str:
    """The id that Git gives a blob of *data*."""
    return object_id("blob", data)


def tree_id(entries: Mapping[str, Entry]) -> str:
    """The id that Git gives a tree of *entries*."""
    return object_id("tree", b"".join(_raw(*item) for item in sorted(entries.items(), key=_order)))


def object_id(kind: str, data: bytes) -> str:
    """The id that Git gives an object of that *kind* (blob, tree, commit) and content."""
    header = f"{kind} {len(data)}\0".encode()
    return hashlib.sha1(header + data, usedforsecurity=False).hexdigest()


def _raw(name: str, entry: Entry) -> bytes:
    mode = f"{entry.mode:o} ".encode()
    return mode + name.encode(errors="surrogateescape") + b"\0" + bytes.fromhex(entry.id)


def _order(item: tuple[str, Entry]) -> bytes:
    """Git sorts a directory as if its name ended in a slash."""
    name, entry = item
    return name.encode(errors="surrogateescape") + (b"/" if entry.is_tree else b"")


class TreeWalker:
    """Follows one directory through the history, and tells what differs at each step.

    Keeps where the entries of the last tree begin, so that a tree in which only ids
    differ is compared at the speed of memcmp, however many entries it has.
    """

    def __init__(self) -> None:
        self._data = b""
        self._starts: list[int] | None = []

    def start(self, data: bytes) -> None:
        """Begin at the raw tree *data*."""
        self._data, self._starts = data, None

    def move(self, data: bytes) -> dict[str, Entry | None]:
        """The entries that differ from the last tree's, None for those that are gone.

        *data* is the raw tree; the empty string stands for no directory.
        """
        changed = self._changed_ids(data) if len(data) == len(self._data) else None
        if changed is None:
            changed = _difference(parse_tree(self._data), parse_tree(data))
            self._starts = None
        self._data = data
        return changed

    def _changed_ids(self, data: bytes) -> dict[str, Entry | None] | None:
        """What differs if that is ids alone, else None."""
        old = self._data
        if self._starts is None:
            self._starts = [match.start() for match in _ENTRY.finditer(old)]
        changed: dict[str, Entry | None] = {}
        position = 0
        while old[position:] != data[position:]:
            first = position + _common_prefix(old[position:], data[position:])
            index = bisect_right(self._starts, first) - 1
            start = self._starts[index]
            end = self._starts[index + 1] if index + 1 < len(self._starts) else len(old)
            if old[start : end - _ID_BYTES] != data[start : end - _ID_BYTES]:
                return None
            changed.update(parse_tree(data[start:end]))
            position = end
        return changed


def _difference(old: dict[str, Entry], new: dict[str, Entry]) -> dict[str, Entry | None]:
    changed: dict[str, Entry | None] = {name: None for name in old.keys() - new.keys()}
    changed.update({name: entry for name, entry in new.items() if old.get(name) != entry})
    return changed


def _common_prefix(a: bytes, b: bytes) -> int:
    """How many bytes *a* and *b*, of one length, begin with in common."""
    low, high = 0, len(a)
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
