"""A tree with edits applied: the objects that it needs, before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitstore.git.trees import (
    DIRECTORY,
    EMPTY_TREE,
    REGULAR_FILE,
    SUBMODULE,
    Entry,
    Tree,
    changed_data,
    object_id,
    with_header,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

_NO_NAMES = ("", ".", "..", ".git")
"""Names that no entry in Git may have."""


@dataclass(frozen=True, slots=True)
class Graft:
    """In a change to a tree: an entry that exists already, put at a path as it is."""

    entry: Entry


@dataclass(frozen=True, slots=True)
class Wanted:
    """In a change to a tree: new content, and the *value* that it has to have when it is read."""

    data: bytes
    value: BaseModel


Content = bytes | Wanted | Graft | None
Changes = Mapping[str, Content]
"""A change to a tree, by path: new content, an existing entry, or None to remove."""


class Draft:
    """The objects of a tree that *tree* and *blob_id*, as the repository has them, lead to.

    *blobs* and *trees* have header and content by id. *known* are those among them that
    stood at the same path before, *grafts* the ids of what has to be there already.
    """

    def __init__(self, tree: Callable[[str], Tree], blob_id: Callable[[bytes], str]) -> None:
        self._tree = tree
        self._blob_id = blob_id
        self.blobs: dict[str, bytes] = {}
        self.trees: dict[str, bytes] = {}
        self.known: set[str] = set()
        self.grafts: set[str] = set()

    def change(self, base: str | None, changes: Changes) -> str:
        """The id of tree *base* (None: the empty one) with *changes* made."""
        return self._directory(base, _nested(changes)) or self._keep_tree(b"", None)

    def _directory(self, base: str | None, changes: Mapping[str, object]) -> str | None:
        """The id of the directory, None where nothing is left in it."""
        tree = self._tree(base or EMPTY_TREE)
        made = {
            name: self._entry(tree.entries.get(name), change) for name, change in changes.items()
        }
        data = changed_data(tree, made)
        return self._keep_tree(data, base) if data else None

    def _entry(self, old: Entry | None, change: object) -> Entry | None:
        if isinstance(change, Graft):
            if change.entry.mode != SUBMODULE:
                self.grafts.add(change.entry.id)
            return change.entry
        if isinstance(change, Wanted):
            change = change.data
        if isinstance(change, bytes):
            mode = old.mode if old and old.is_file else REGULAR_FILE
            return Entry(mode, self._keep_blob(change, old.id if old else None))
        if isinstance(change, dict):
            below = self._directory(old.id if old and old.is_tree else None, change)
            return Entry(DIRECTORY, below) if below else None
        return None

    def _keep_blob(self, data: bytes, old: str | None) -> str:
        id = self._blob_id(data)
        self.blobs[id] = with_header("blob", data)
        if id == old:
            self.known.add(id)
        return id

    def _keep_tree(self, data: bytes, old: str | None) -> str:
        id = object_id("tree", data)
        self.trees[id] = data
        if id == old:
            self.known.add(id)
        return id


def _nested(changes: Changes) -> dict[str, object]:
    """*changes* by the names of one directory, those below in dictionaries of their own."""
    nested: dict[str, object] = {}
    for path, change in changes.items():
        node = nested
        *directories, leaf = path.split("/")
        for directory in directories:
            child = node.setdefault(directory, {})
            assert isinstance(child, dict), f"{path} lies below a file that changes"
            node = child
        assert not set(_NO_NAMES) & {*directories, leaf}, f"{path} is no path in Git"
        node[leaf] = change
    return nested
