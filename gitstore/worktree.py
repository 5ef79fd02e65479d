"""A folder on disk read as if it were a tree in Git, so that it can be checked before
it is committed. Nothing is written."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from gitstore import layout
from gitstore.errors import NotFound
from gitstore.trees import (
    DIRECTORY,
    EMPTY_TREE,
    REGULAR_FILE,
    SUBMODULE,
    Entry,
    Objects,
    blob_id,
    tree_id,
)

NAMED = (layout.JOBTYPES, layout.SOFTWARE, layout.WITHDRAWN)
"""What the format names in the root of a tree."""


class Worktree:
    """The parts of the folder *root* that the format names; *tree* is its root tree's id.

    What is not in the folder is looked up in *below*: the repository that the folder
    belongs to, if any.
    """

    def __init__(self, root: Path, below: Objects | None = None) -> None:
        self._below = below
        self._files: dict[str, Path | bytes] = {}
        self._trees: dict[str, Mapping[str, Entry]] = {EMPTY_TREE: {}}
        entries = {name: self._entry(root / name) for name in NAMED}
        self.tree = self._keep({name: entry for name, entry in entries.items() if entry})

    def read_blob(self, id: str) -> bytes:
        """The content of the file whose blob would be *id*."""
        found = self._files.get(id)
        if found is None and self._below is not None:
            return self._below.read_blob(id)
        if found is None:
            raise NotFound(f"there is no file with the id {id}")
        return found if isinstance(found, bytes) else found.read_bytes()

    def entries(self, tree: str) -> Mapping[str, Entry]:
        """The entries of the folder whose tree would be *tree*, by name."""
        if tree not in self._trees and self._below is not None:
            return self._below.entries(tree)
        return self._trees[tree]

    def _keep(self, entries: Mapping[str, Entry]) -> str:
        id = tree_id(entries)
        self._trees[id] = entries
        return id

    def _entry(self, path: Path) -> Entry | None:
        """What Git would have at *path*; None for nothing, or nothing Git can hold."""
        try:
            mode = path.lstat().st_mode
        except OSError:
            return None
        if stat.S_ISLNK(mode):
            return self._file(0o120000, os.fsencode(path.readlink()))
        if stat.S_ISREG(mode):
            return self._file(0o100755 if mode & stat.S_IXUSR else REGULAR_FILE, path)
        if stat.S_ISDIR(mode):
            return self._directory(path)
        return None

    def _file(self, mode: int, content: Path | bytes) -> Entry:
        id = blob_id(content if isinstance(content, bytes) else content.read_bytes())
        self._files[id] = content
        return Entry(mode, id)

    def _directory(self, path: Path) -> Entry | None:
        if (path / ".git").exists():
            return Entry(SUBMODULE, "0" * 40)
        found = {
            name: self._entry(path / name) for name in os.listdir(path) if name != "__pycache__"
        }
        entries = {name: entry for name, entry in found.items() if entry}
        return Entry(DIRECTORY, self._keep(entries)) if entries else None
