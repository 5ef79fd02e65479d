"""The limits of a tree: how deep and how wide it is, how long its paths, how large its files.

Nothing may walk, merge or compare a tree of somebody else's before it is measured here. Each
distinct directory is read once, without recursion, and the work ends at the first limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from gitstore.errors import OutOfBounds
from gitstore.format import layout
from gitstore.git.trees import EMPTY_TREE, Entry, Header, Listing

T = TypeVar("T")

_MEASURED = 32_768
"""Directories whose extent is remembered."""

_REFUSALS = 1024
"""Trees whose fault is remembered."""

_SHOWN = 5
"""Files that a refusal names."""

DEEP = f"lies more than {layout.DEPTH_LIMIT} levels deep, the limit; move it up"
_LONG = f"has a path of more than {layout.PATH_LIMIT_BYTES} bytes, the limit; shorten its names"
_MANY = (
    f"brings more files than a tree may have ({layout.ENTRIES_LIMIT}, their paths together"
    f" {layout.NAMES_LIMIT_BYTES} bytes); take some away"
)

_UNORDERED = "stands twice in its directory, or out of order; commit the directory again with git"
_KINDS = frozenset((0o100000, 0o040000, 0o120000, 0o160000))
"""Files, directories, links and submodules, by their modes without permissions. With another
mode, libgit2 1.9 ends the process when it merges."""
_NO_NAMES = frozenset(("", ".", "..", ".git"))


class Measured(Protocol):
    """Where trees can be measured: a repository, or a folder on disk."""

    def header(self, id: str) -> Header | None:
        """The kind and the size of object *id*, None where it is missing."""
        ...

    def listing(self, tree: str) -> Listing:
        """Every entry of tree *tree*, in its order; a name may stand twice."""
        ...

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """The entries of tree *tree*, by name."""
        ...


class Extent(NamedTuple):
    """The size of a directory. An entry counts once for each path that leads to it.

    *depth* is the most components of a path, *path_bytes* the length of the longest one,
    *names_bytes* that of all paths together, *files_bytes* the size of all files together.
    """

    depth: int = 0
    path_bytes: int = 0
    entries: int = 0
    names_bytes: int = 0
    files_bytes: int = 0

    def plus(self, name: str, below: Extent) -> Extent:
        """This and the entry *name*, below which there is *below*."""
        length = _length(name)
        return Extent(
            max(self.depth, below.depth + 1),
            max(self.path_bytes, length + 1 + below.path_bytes if below.path_bytes else length),
            self.entries + below.entries + 1,
            self.names_bytes + below.names_bytes + length + below.entries * (length + 1),
            self.files_bytes + below.files_bytes,
        )


@dataclass(slots=True)
class _Level:
    """A directory that is being measured: the entries that are left, and the sum so far."""

    tree: str
    names: tuple[str, ...]
    above_bytes: int
    rows: Listing
    extent: Extent = field(default_factory=Extent)
    seen: set[str] = field(default_factory=set)
    last: bytes = b""

    def require_order(self, name: str, entry: Entry) -> None:
        """Raise OutOfBounds unless *name* follows the ones before it, as Git sorts them.

        libgit2 looks names up by that order, and may end the process where it does not hold.
        """
        # Git compares the name of a directory as if it ended in a slash.
        key = name.encode(errors="surrogateescape") + (b"/" if entry.is_directory else b"")
        if name in self.seen or key < self.last:
            raise _refusal(self, name, _UNORDERED)
        self.seen.add(name)
        self.last = key

    def take(self, name: str, below: Extent) -> None:
        """Add the entry *name*, below which there is *below*, if that is within the limits."""
        extent = self.extent = self.extent.plus(name, below)
        if len(self.names) + extent.depth > layout.DEPTH_LIMIT:
            raise _refusal(self, name, DEEP)
        if self.above_bytes + extent.path_bytes > layout.PATH_LIMIT_BYTES:
            raise _refusal(self, name, _LONG)
        is_wide = extent.entries > layout.ENTRIES_LIMIT
        if is_wide or extent.names_bytes > layout.NAMES_LIMIT_BYTES:
            raise _refusal(self, name, _MANY)


class Bounds:
    """Measures the trees of *objects*, and remembers what it measured. Threads may share it."""

    def __init__(self, objects: Measured) -> None:
        self._objects = objects
        self._extents: dict[str, Extent] = {}
        self._refusals: dict[str, tuple[str, str]] = {}

    def extent(self, tree: str) -> Extent:
        """The size of root tree *tree*.

        Raises:
            OutOfBounds: it is deeper or wider than any tree may be; the message names the path.
            Damaged: a directory can't be read.
        """
        known = self._extents.get(tree)
        if known is not None:
            return known
        if tree in self._refusals:
            raise OutOfBounds(*self._refusals[tree])
        try:
            return self._measure(tree)
        except OutOfBounds as error:
            _keep(self._refusals, tree, (error.path, error.fault), _REFUSALS)
            raise

    def _measure(self, root: str) -> Extent:
        levels = [self._open(root, ())]
        seen = read = 0
        while True:
            level = levels[-1]
            for name, entry in level.rows:
                seen += 1
                if seen > layout.ENTRIES_LIMIT or read > layout.NAMES_LIMIT_BYTES:
                    raise _refusal(level, name, _MANY)
                level.require_order(name, entry)
                below = self._below(level, name, entry)
                if below is None:
                    levels.append(self._open(entry.id, (*level.names, name), level.above_bytes))
                    read += self._size(entry.id)
                    break
                level.take(name, below)
            else:
                _keep(self._extents, level.tree, level.extent, _MEASURED)
                levels.pop()
                if not levels:
                    return level.extent
                levels[-1].take(level.names[-1], level.extent)

    def _open(self, tree: str, names: tuple[str, ...], above_bytes: int = 0) -> _Level:
        bytes = above_bytes + (_length(names[-1]) + 1 if names else 0)
        level = _Level(tree, names, bytes, iter(()))
        if len(names) >= layout.DEPTH_LIMIT:
            raise _refusal(level, "", DEEP)
        self._check_directory(tree, "/".join(names))
        level.rows = self._objects.listing(tree)
        return level

    def _check_directory(self, tree: str, path: str) -> None:
        """Raise OutOfBounds for what can't be read as a directory, before it is read."""
        header = self._objects.header(tree)
        if header is not None and header.kind != "tree":
            raise OutOfBounds(path, "is called a directory, and is none")
        if header is not None and header.size > layout.DIRECTORY_LIMIT_BYTES:
            raise OutOfBounds(path, _MANY)

    def _size(self, id: str) -> int:
        header = self._objects.header(id)
        return header.size if header else 0

    def _below(self, level: _Level, name: str, entry: Entry) -> Extent | None:
        """The size of *entry*, None for a directory that was not measured yet."""
        if name in _NO_NAMES or "/" in name:
            raise _refusal(level, name, "has a name that no file can have; rename it")
        if entry.mode & ~0o7777 not in _KINDS:
            raise _refusal(level, name, "has a mode that no file can have; commit it again")
        if entry.is_directory:
            return self._extents.get(entry.id)
        header = None if entry.is_submodule else self._objects.header(entry.id)
        if header is not None and header.kind != "blob":
            raise _refusal(level, name, "is called a file, and is none")
        return Extent(files_bytes=header.size if header else 0)

    # From one tree to the next

    def check_step(self, old: str | None, new: str) -> None:
        """Refuse root tree *new* if what differs from *old* is out of bounds.

        *old* None is for a tree that follows none. What *old* has is not looked at.

        Raises:
            OutOfBounds: the message names the path.
        """
        if old is None:
            self.extent(new)
            return
        for path, entry in self._changed(old, new):
            below = self._extent_at(path, entry)
            if path.count("/") + 1 + below.depth > layout.DEPTH_LIMIT:
                raise OutOfBounds(path, DEEP)
            if Extent().plus(path, below).path_bytes > layout.PATH_LIMIT_BYTES:
                raise OutOfBounds(path, _LONG)

    def _extent_at(self, path: str, entry: Entry) -> Extent:
        """The size of *entry* at *path*."""
        if not entry.is_directory:
            return Extent()
        try:
            return self.extent(entry.id)
        except OutOfBounds as error:
            raise OutOfBounds(f"{path}/{error.path}", error.fault) from None

    def check_files(self, old: str | None, new: str, limits: layout.Sizes) -> None:
        """Refuse root tree *new* if its files are too large, but not for those that *old* has.

        Raises:
            OutOfBounds: the message names the files.
        """
        total = self.extent(new).files_bytes
        large = [
            OutOfBounds(path, f"has {size} bytes; {limits.of(path)} is the limit")
            for path, entry in self._changed_files(old, new)
            if (size := self._size(entry.id)) > limits.of(path)
        ]
        if large:
            more = f"; and {len(large) - _SHOWN} more" if len(large) > _SHOWN else ""
            others = "".join(f"; {error}" for error in large[1:_SHOWN])
            raise OutOfBounds(large[0].path, f"{large[0].fault}{others}{more}")
        if total > max(limits.all_bytes, self._files_bytes(old)):
            fault = f"has {total} bytes in all its files together; {limits.all_bytes} is the limit"
            raise OutOfBounds("", fault)

    def find_renames(self, base: str, ours: str, theirs: str) -> bool:
        """Whether files are small enough to be compared for renames, if *theirs* is merged.

        Raises:
            OutOfBounds: a file that both sides change is too large to be merged.
        """
        one, other = (dict(self._changed_files(base, side)) for side in (ours, theirs))
        for path in one.keys() & other.keys():
            size = max(self._size(side[path].id) for side in (one, other))
            if one[path] != other[path] and size > layout.COMPARED_LIMIT_BYTES:
                limit = f"{size} bytes; {layout.COMPARED_LIMIT_BYTES} is the limit"
                raise OutOfBounds(path, f"is changed by both and too large to be merged: {limit}")
        gone = (pair for side in (ours, theirs) for pair in self._changed_files(side, base))
        changed = (entry for _, entry in (*one.items(), *other.items(), *gone))
        return all(self._size(entry.id) <= layout.COMPARED_LIMIT_BYTES for entry in changed)

    def _files_bytes(self, tree: str | None) -> int:
        try:
            return self.extent(tree).files_bytes if tree else 0
        except OutOfBounds:
            return 0

    def _changed_files(self, old: str | None, new: str) -> Iterator[tuple[str, Entry]]:
        """Yield the files of *new*, which was measured, that *old* lacks at the same path."""
        waiting = list(self._changed(old, new))
        while waiting:
            path, entry = waiting.pop()
            if entry.is_directory:
                rows = self._objects.listing(entry.id)
                waiting += ((f"{path}/{name}", below) for name, below in rows)
            elif not entry.is_submodule:
                yield path, entry

    def _changed(self, old: str | None, new: str) -> Iterator[tuple[str, Entry]]:
        """Yield the entries of *new* that *old* lacks at the same path, a directory as a whole."""
        waiting, seen = [("", old or EMPTY_TREE, new)], 0
        while waiting:
            above, old, new = waiting.pop()
            self._check_directory(new, above)
            before = self._objects.entries(old)
            # A name may stand twice, in a tree that somebody made by hand.
            for name, entry in self._objects.listing(new):
                known = before.get(name)
                if known == entry:
                    continue
                seen += 1
                if seen > layout.ENTRIES_LIMIT:
                    raise OutOfBounds(f"{above}{name}", _MANY)
                if entry.is_directory and known is not None and known.is_directory:
                    waiting.append((f"{above}{name}/", known.id, entry.id))
                else:
                    yield f"{above}{name}", entry


def _refusal(level: _Level, name: str, fault: str) -> OutOfBounds:
    return OutOfBounds("/".join((*level.names, name)), fault)


def _length(name: str) -> int:
    return len(name.encode(errors="surrogateescape"))


def _keep(known: dict[str, T], key: str, value: T, limit: int) -> None:
    if len(known) >= limit:
        known.clear()
    known[key] = value
