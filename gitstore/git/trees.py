"""Git's tree objects: their entries, and what differs between two of one directory.

Works on the raw bytes of a tree (gitformat: ``<mode> <name>\\0<20 bytes of id>``, sorted
by name), because a directory of a thousand jobtypes is compared at every step of the
history and nearly always differs in a single id.
"""

from __future__ import annotations

import hashlib
import re
import threading
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

from gitstore.format.layout import CODE_LIMIT_BYTES

_ENTRY = re.compile(rb"([0-7]+) ([^\0]+)\0(.{20})", re.DOTALL)
_ENTRIES = re.compile(rb"(?:[0-7]+ [^\0]+\0.{20})*+", re.DOTALL)
_HEADER = re.compile(rb"(blob|tree|commit|tag) ([0-9]{1,18})\0")
_ID_BYTES = 20
_LARGE_BYTES = 4096
"""From this size on, a tree is likely one of many of the same directory."""

_PART_BYTES = 256
"""How many bytes of two trees are compared first where the next difference is searched for."""

_FEW = 64
"""Up to so many changes of a tree are made one by one, each by a look at all its bytes."""

_KEPT_BYTES = 8 * 1024 * 1024
"""Raw bytes of the trees that stay parsed. Parsed, they need several times as much."""

_KINDS = (b"blob", b"tree", b"commit", b"tag")

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

REGULAR_FILE = 0o100644
DIRECTORY = 0o040000
SUBMODULE = 0o160000
_KIND = 0o170000
"""The bits of a mode that say what an entry is."""


class Entry(NamedTuple):
    """One entry of a tree: its mode (as Git's number) and the id of its object, in hex."""

    mode: int
    id: str

    @property
    def is_tree(self) -> bool:
        """Whether it is a directory."""
        return self.mode == DIRECTORY

    @property
    def is_directory(self) -> bool:
        """Whether Git treats it as a directory. Only what is_tree accepts is served."""
        return self.mode & _KIND == DIRECTORY

    @property
    def is_submodule(self) -> bool:
        """Whether it is a commit of another repository. This one has no object for it."""
        return self.mode & _KIND == SUBMODULE

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file; symbolic links and submodules are not."""
        return self.mode in (REGULAR_FILE, 0o100755, 0o100664)

    @property
    def kind(self) -> str:
        """What it is, for a sentence."""
        kinds = {DIRECTORY: "a directory", 0o120000: "a symbolic link", SUBMODULE: "a submodule"}
        return kinds.get(self.mode, "a file")


class Header(NamedTuple):
    """An object's kind (blob, tree ...) and size, which Git knows without reading it all."""

    kind: str
    size: int


Listing = Iterator[tuple[str, Entry]]
"""Every entry of a tree, in its order: a name may stand twice, in a tree made by hand."""


class Objects(Protocol):
    """Where blobs and trees are read from: a repository, or a folder on disk."""

    def header(self, id: str) -> Header | None:
        """The kind and the size of object *id*, None where it is missing."""
        ...

    def read_blob(self, id: str, limit_bytes: int = CODE_LIMIT_BYTES) -> bytes:
        """The content of blob *id*, which is not read if it is larger than *limit_bytes*."""
        ...

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """The entries of tree *tree*, by name. Names that aren't UTF-8 have surrogates."""
        ...


def parse_tree(data: bytes) -> dict[str, Entry]:
    """The entries of the raw tree *data*, by name."""
    return {
        name.decode(errors="surrogateescape"): Entry(int(mode, 8), id.hex())
        for mode, name, id in _ENTRY.findall(data)
    }


def parse_listing(data: bytes) -> Listing:
    """Every entry of the raw tree *data*, in its order, each made when it is asked for."""
    for match in _ENTRY.finditer(data):
        mode, name, id = match.groups()
        yield name.decode(errors="surrogateescape"), Entry(int(mode, 8), id.hex())


def is_whole(data: bytes) -> bool:
    """Whether *data* is a raw tree and nothing else."""
    return _ENTRIES.fullmatch(data) is not None


@dataclass(frozen=True, slots=True)
class Tree:
    """A tree as it is stored, and read: its entries by name, and where each begins in *data*."""

    data: bytes
    entries: Mapping[str, Entry]
    starts: Sequence[int]


@runtime_checkable
class RawObjects(Objects, Protocol):
    """Where trees are read as they are stored, too: a repository."""

    def read_raw(self, id: str) -> bytes:
        """The bytes of object *id*."""
        ...

    def tree(self, id: str) -> Tree:
        """The tree *id*, which may be cached."""
        ...


def blob_id(data: bytes) -> str:
    """The id that Git gives a blob of *data*."""
    return object_id("blob", data)


def tree_id(entries: Mapping[str, Entry]) -> str:
    """The id that Git gives a tree of *entries*."""
    return object_id("tree", tree_data(entries))


def tree_data(entries: Mapping[str, Entry]) -> bytes:
    """The raw tree of *entries*."""
    return b"".join(_raw(*item) for item in sorted(entries.items(), key=_order))


def changed_data(tree: Tree, changes: Mapping[str, Entry | None]) -> bytes:
    """The raw tree that *tree* becomes by *changes*, None for an entry that goes.

    Where only ids change, as nearly always, only they are replaced.
    """
    data = tree.data
    differing = {name: e for name, e in changes.items() if tree.entries.get(name) != e}
    for name, entry in differing.items():
        old = tree.entries.get(name)
        start = _raw(name, old)[:-_ID_BYTES] if old and entry and old.mode == entry.mode else None
        # An attacker can make an id that holds the same bytes.
        if len(differing) > _FEW or start is None or entry is None or data.count(start) != 1:
            merged = {**tree.entries, **changes}
            return tree_data({name: entry for name, entry in merged.items() if entry})
        place = data.index(start) + len(start)
        data = data[:place] + bytes.fromhex(entry.id) + data[place + _ID_BYTES :]
    return data


def object_id(kind: str, data: bytes) -> str:
    """The id that Git gives an object of that *kind* (blob, tree, commit) and content."""
    whole = with_header(kind, data)
    return hashlib.sha1(whole, usedforsecurity=False).hexdigest()


def with_header(kind: str, data: bytes) -> bytes:
    """What Git hashes and stores of an object."""
    return f"{kind} {len(data)}\0".encode() + data


def has_header(whole: bytes) -> bool:
    """Whether *whole* could have been made by with_header."""
    header, _, data = whole.partition(b"\0")
    kind, _, size = header.partition(b" ")
    return kind in _KINDS and size == b"%d" % len(data)


def kind_of(whole: bytes) -> str:
    """The kind of an object, of which with_header has made *whole*."""
    return whole.partition(b" ")[0].decode()


def parse_header(begin: bytes) -> Header | None:
    """The header that *begin*, the first bytes of a whole object, holds."""
    match = _HEADER.match(begin)
    return Header(match[1].decode(), int(match[2])) if match else None


def without_header(whole: bytes) -> bytes:
    """The content of an object, of which with_header has made *whole*."""
    return whole.partition(b"\0")[2]


def _raw(name: str, entry: Entry) -> bytes:
    mode = f"{entry.mode:o} ".encode()
    return mode + name.encode(errors="surrogateescape") + b"\0" + bytes.fromhex(entry.id)


def _order(item: tuple[str, Entry]) -> bytes:
    """Git sorts a directory as if its name ended in a slash."""
    name, entry = item
    return name.encode(errors="surrogateescape") + (b"/" if entry.is_tree else b"")


class Trees:
    """A cache of the last trees that were read. Threads may share it.

    The entries that two trees have in common are mostly the same objects: a large tree is
    seldom parsed, but made of another one.
    """

    def __init__(self, read: Callable[[str], bytes], limit: int) -> None:
        self._read = read
        self._limit = limit
        self._kept: OrderedDict[str, Tree] = OrderedDict()
        self._bytes = 0
        self._large = Tree(b"", {}, ())
        self._lock = threading.Lock()

    def find(self, id: str) -> Tree | None:
        """The tree *id*, if it is kept."""
        with self._lock:
            tree = self._kept.get(id)
            if tree is not None:
                self._kept.move_to_end(id)
            return tree

    def tree(self, id: str) -> Tree:
        """The tree *id*."""
        return self.find(id) or self.keep(id, self._read(id))

    def keep(self, id: str, data: bytes) -> Tree:
        """The tree *id*, whose raw form is *data*."""
        tree = self._parsed(data)
        with self._lock:
            old = self._kept.pop(id, None)
            self._kept[id] = tree
            self._bytes += len(data) - (len(old.data) if old else 0)
            while len(self._kept) > 1 and (
                len(self._kept) > self._limit or self._bytes > _KEPT_BYTES
            ):
                self._bytes -= len(self._kept.popitem(last=False)[1].data)
        return tree

    def _parsed(self, data: bytes) -> Tree:
        if len(data) < _LARGE_BYTES:
            return Tree(data, parse_tree(data), _starts(data))
        like = self._large
        changed = _changed_ids(like.data, like.starts, data)
        if changed is None:
            tree = Tree(data, parse_tree(data), _starts(data))
        else:
            tree = Tree(data, {**like.entries, **changed}, like.starts)
        self._large = tree
        return tree


def _starts(data: bytes) -> list[int]:
    return [match.start() for match in _ENTRY.finditer(data)]


class TreeWalker:
    """Follows one directory through the history, and tells what differs at each step.

    Keeps where the entries of the last tree begin, so that trees are compared at the speed of
    memcmp, and only the entries that differ are parsed.
    """

    def __init__(self) -> None:
        self._data = b""
        self._starts: Sequence[int] = []

    def start(self, tree: Tree) -> None:
        """Begin at *tree*."""
        self._data, self._starts = tree.data, tree.starts

    def move(self, data: bytes) -> Mapping[str, Entry | None]:
        """The entries that differ from the last tree's, None for those that are gone.

        *data* is the raw tree; the empty string stands for no directory.
        """
        changed: Mapping[str, Entry | None] | None = _changed_ids(self._data, self._starts, data)
        if changed is None:
            changed, self._starts = _replaced(self._data, self._starts, data)
        self._data = data
        return changed


def _replaced(
    old: bytes, starts: Sequence[int], new: bytes
) -> tuple[dict[str, Entry | None], Sequence[int]]:
    """The entries of raw tree *new* that differ from *old*'s, and where its entries begin.

    *starts* is where those of *old* begin. What the two have in common before the first
    difference, and behind the last, is not parsed.
    """
    shorter = min(len(old), len(new))
    same = _common_prefix(old[:shorter], new[:shorter])
    first = bisect_right(starts, same) - 1 if same < len(old) else len(starts)
    begin = starts[first] if first < len(starts) else len(old)
    left = shorter - begin
    same = _common_prefix(old[len(old) - left :][::-1], new[len(new) - left :][::-1])
    last = bisect_left(starts, len(old) - same)
    end = starts[last] if last < len(starts) else len(old)
    grown = len(new) - len(old)
    middle = new[begin : end + grown]
    # The bytes of an id can look like the end of an entry.
    if _ENTRIES.fullmatch(middle) is None:
        return _difference(parse_tree(old), parse_tree(new)), _starts(new)
    moved = [start + grown for start in starts[last:]]
    inserted = [begin + start for start in _starts(middle)]
    changed = _difference(parse_tree(old[begin:end]), parse_tree(middle))
    return changed, [*starts[:first], *inserted, *moved]


def _changed_ids(old: bytes, starts: Sequence[int], new: bytes) -> dict[str, Entry] | None:
    """The entries of raw tree *new* that differ from *old*'s if ids alone do, else None.

    *starts* is where the entries of *old* begin.
    """
    if len(old) != len(new):
        return None
    changed: dict[str, Entry] = {}
    position = 0
    while (first := _first_difference(old, new, position)) < len(old):
        index = bisect_right(starts, first) - 1
        start = starts[index]
        end = starts[index + 1] if index + 1 < len(starts) else len(old)
        if old[start : end - _ID_BYTES] != new[start : end - _ID_BYTES]:
            return None
        changed.update(parse_tree(new[start:end]))
        position = end
    return changed


def _difference(old: dict[str, Entry], new: dict[str, Entry]) -> dict[str, Entry | None]:
    changed: dict[str, Entry | None] = {name: None for name in old.keys() - new.keys()}
    changed.update({name: entry for name, entry in new.items() if old.get(name) != entry})
    return changed


def _first_difference(a: bytes, b: bytes, start: int) -> int:
    """Where *a* and *b*, of one length, first differ from *start* on; their length if nowhere.

    Looks at parts that grow, so that many differences take no longer than a look at all bytes.
    """
    size = _PART_BYTES
    while start < len(a) and a[start : start + size] == b[start : start + size]:
        start += size
        size *= 2
    end = start + size
    return min(len(a), start + _common_prefix(a[start:end], b[start:end]))


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
