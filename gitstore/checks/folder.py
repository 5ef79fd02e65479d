"""A folder on disk read as if it were a tree in Git, so that it can be checked before
it is committed. Nothing is written."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from gitstore.errors import NotFound, OutOfBounds
from gitstore.format import layout
from gitstore.git.bounds import DEEP
from gitstore.git.trees import (
    DIRECTORY,
    EMPTY_TREE,
    REGULAR_FILE,
    SUBMODULE,
    Entry,
    Header,
    Listing,
    Objects,
    blob_id,
    tree_data,
    tree_id,
)

_PART_BYTES = 1024 * 1024

NAMED = (layout.JOBTYPES, layout.SOFTWARE, layout.WITHDRAWN)
"""The names of the format in the root of a tree."""


class Worktree:
    """The parts of the folder *root* that the format names; *tree* is its root tree's id.

    What is not in the folder is looked up in *below*: the repository that the folder
    belongs to, if any.
    """

    def __init__(self, root: Path, below: Objects | None = None) -> None:
        self._root = root
        self._below = below
        self._files: dict[str, Path | bytes] = {}
        self._sizes: dict[str, int] = {}
        self._trees: dict[str, Mapping[str, Entry]] = {EMPTY_TREE: {}}
        entries = {name: self._entry(root / name) for name in NAMED}
        self.tree = self._keep({name: entry for name, entry in entries.items() if entry})

    def header(self, id: str) -> Header | None:
        """The kind and the size of what would be object *id*, None where it is missing."""
        if id in self._sizes:
            return Header("blob", self._sizes[id])
        if id in self._trees:
            return Header("tree", len(tree_data(self._trees[id])))
        return self._below.header(id) if self._below is not None else None

    def read_blob(self, id: str, limit_bytes: int = layout.CODE_LIMIT_BYTES) -> bytes:
        """The content of the file whose blob would be *id*."""
        content = self._files.get(id)
        if content is None and self._below is not None:
            return self._below.read_blob(id, limit_bytes)
        if content is None:
            raise NotFound(f"there is no file with the id {id}")
        if self._sizes[id] > limit_bytes:
            raise OutOfBounds(str(content), f"is too large to be read: {self._sizes[id]} bytes")
        return content if isinstance(content, bytes) else content.read_bytes()

    def listing(self, tree: str) -> Listing:
        """Every entry of the folder whose tree would be *tree*."""
        return iter(self.entries(tree).items())

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
        return self._directory(path) if _is_folder(path) else self._leaf(path)

    def _leaf(self, path: Path) -> Entry | None:
        """What Git would have at *path*, which isn't a folder that Git enters."""
        try:
            mode = path.lstat().st_mode
        except OSError:
            return None
        if stat.S_ISLNK(mode):
            return self._file(0o120000, os.fsencode(path.readlink()))
        if stat.S_ISREG(mode):
            return self._file(0o100755 if mode & stat.S_IXUSR else REGULAR_FILE, path)
        return Entry(SUBMODULE, "0" * 40) if (path / ".git").exists() else None

    def _file(self, mode: int, content: Path | bytes) -> Entry:
        if isinstance(content, bytes):
            id, size = blob_id(content), len(content)
        else:
            id, size = _blob_id_of(content)
        self._files[id], self._sizes[id] = content, size
        return Entry(mode, id)

    def _directory(self, top: Path) -> Entry | None:
        """What Git would have of the folder *top*; None where there is no file in it.

        Raises:
            OutOfBounds: folders stand in one another deeper than Git's trees may.
        """
        folders = [top]
        for folder in folders:
            depth = len(folder.relative_to(self._root).parts)
            if depth > layout.DEPTH_LIMIT:
                raise OutOfBounds(str(folder.relative_to(self._root)), DEEP)
            folders += filter(_is_folder, _children(folder))
        made: dict[Path, Entry | None] = {}
        for folder in reversed(folders):
            children = {
                child.name: made[child] if child in made else self._leaf(child)
                for child in _children(folder)
            }
            entries = {name: entry for name, entry in children.items() if entry}
            made[folder] = Entry(DIRECTORY, self._keep(entries)) if entries else None
        return made[top]


def _children(folder: Path) -> list[Path]:
    return [folder / name for name in os.listdir(folder) if name != "__pycache__"]


def _is_folder(path: Path) -> bool:
    """Whether Git enters *path*: it is a folder, no link, and no repository of its own."""
    return not path.is_symlink() and path.is_dir() and not (path / ".git").exists()


def _blob_id_of(path: Path) -> tuple[str, int]:
    """The id that Git gives a blob of the file at *path*, and its size; read in parts."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest = hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
        while data := file.read(_PART_BYTES):
            digest.update(data)
    return digest.hexdigest(), size
