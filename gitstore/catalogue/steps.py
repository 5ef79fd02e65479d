"""What differs from one root tree to the next, in the parts that the format names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from gitstore.catalogue.contents import read_yaml
from gitstore.catalogue.history import Blob, Step
from gitstore.catalogue.trailers import trailers_of
from gitstore.format import layout
from gitstore.git.commit_text import parse_step
from gitstore.git.objects import KEPT_TREES
from gitstore.git.repository import Repository
from gitstore.git.trees import Entry, RawObjects, TreeWalker, parse_tree

Progress = Callable[[int, int], None]
"""Gets the number of things that are done, such as steps, and the number of all of them."""


def step_between(
    objects: RawObjects, before: str | None, tree: str, commit: str, message: str = ""
) -> Step:
    """The step from root tree *before* to root tree *tree*, as if *commit* made it."""
    walk = Walk(objects)
    if before is not None:
        walk.start(before)
    jobtypes, files = walk.move(tree)
    return Step(commit, tree, trailers_of(message), jobtypes, files, tuple(walk.strays))


def read_steps(
    repository: Repository,
    after: str | None,
    until: str,
    progress: Progress | None = None,
) -> Iterator[Step]:
    """Yield the steps after commit *after* up to *until*, oldest first.

    Only first parents count, so a merged pull request is one step (docs/format.md,
    section 2). *after* None starts at the root. *progress* counts the steps.

    Raises:
        Refused: *after* is not on the first-parent chain of *until*.
    """
    chain = repository.first_parents(after, until)
    # A caller that reads a few steps likely reads or writes the next one. Each has two trees.
    walk = Walk(repository, keep=2 * len(chain) <= KEPT_TREES)
    if after is not None:
        walk.start(repository.commit(after).tree)
    for done, id in enumerate(chain, 1):
        # Not by commit(), which keeps no more of the message than is shown.
        tree, message = parse_step(repository.read_raw(id))
        jobtypes, files = walk.move(tree)
        yield Step(id, tree, trailers_of(message), jobtypes, files, tuple(walk.strays))
        if progress:
            progress(done, len(chain))


class Walk:
    """Compares, from tree to tree, the parts that the format names.

    *keep* has *objects* keep the trees, for the next caller that asks for them.
    """

    def __init__(self, objects: RawObjects, keep: bool = False) -> None:
        self._objects = objects
        self._keep = keep
        self._tree: str | None = None
        self._root: dict[str, Entry] = {}
        self._jobtypes = TreeWalker()
        self._software = TreeWalker()
        self._began: Mapping[str, Entry] = {}
        self._directories: dict[str, bool] = {}
        self.strays: list[str] = []
        """The paths that the last move changed and that belong to no jobtype. All entries below
        software/ count. withdrawn.yaml counts where more than a regular file's content differs."""

    def start(self, tree: str) -> None:
        """Begin at *tree*, without a comparison."""
        self._tree = tree
        self._root = dict(self._objects.entries(tree))
        jobtypes, software = self._below(layout.JOBTYPES), self._below(layout.SOFTWARE)
        if jobtypes:
            started = self._objects.tree(jobtypes)
            self._jobtypes.start(started)
            self._began = started.entries
        if software:
            self._software.start(self._objects.tree(software))

    def move(self, tree: str) -> tuple[dict[str, str | None], dict[str, Blob | None]]:
        """What differs from the last tree: jobtypes' trees and the other files' blobs."""
        self.strays = []
        if tree == self._tree:
            return {}, {}
        root = parse_tree(self._read(tree))
        old, self._root, self._tree = self._root, root, tree
        differ = {name for name in old.keys() | root.keys() if old.get(name) != root.get(name)}
        self.strays += (n for n in differ if _is_stray(n, old.get(n), root.get(n)))
        jobtypes = self._move_jobtypes() if layout.JOBTYPES in differ else {}
        files: dict[str, Blob | None] = {}
        if layout.SOFTWARE in differ:
            files = self._move_software()
        if layout.WITHDRAWN in differ:
            files |= self._files({layout.WITHDRAWN: root.get(layout.WITHDRAWN)})
        return jobtypes, files

    def _below(self, name: str) -> str | None:
        """The id of the directory of that name at the root; None if there is none."""
        entry = self._root.get(name)
        return entry.id if entry and entry.is_tree else None

    def _raw(self, name: str) -> bytes:
        id = self._below(name)
        return self._read(id) if id else b""

    def _read(self, tree: str) -> bytes:
        return self._objects.tree(tree).data if self._keep else self._objects.read_raw(tree)

    def _move_jobtypes(self) -> dict[str, str | None]:
        changed: dict[str, str | None] = {}
        for name, entry in self._jobtypes.move(self._raw(layout.JOBTYPES)).items():
            if entry is not None and entry.is_tree:
                changed[name] = entry.id
                self._directories[name] = True
                continue
            if self._was_directory(name):
                changed[name] = None
                self._directories[name] = False
            if entry is not None or name not in changed:
                self.strays.append(f"{layout.JOBTYPES}/{name}")
        return changed

    def _was_directory(self, name: str) -> bool:
        began = self._began.get(name)
        return self._directories.get(name, began is not None and began.is_tree)

    def _move_software(self) -> dict[str, Blob | None]:
        changed = self._software.move(self._raw(layout.SOFTWARE))
        entries = {f"{layout.SOFTWARE}/{name}": entry for name, entry in changed.items()}
        self.strays += entries
        return self._files(entries)

    def _files(self, entries: Mapping[str, Entry | None]) -> dict[str, Blob | None]:
        """The blobs of *entries*. An entry that is no regular file is left out."""
        return {
            path: Blob(entry.id, read_yaml(self._objects, entry.id)) if entry else None
            for path, entry in entries.items()
            if entry is None or entry.is_file
        }


def _is_stray(name: str, old: Entry | None, new: Entry | None) -> bool:
    """Whether the root's entry *name*, which differs, counts by itself."""
    entries = [entry for entry in (old, new) if entry]
    if name in (layout.JOBTYPES, layout.SOFTWARE):
        return not all(entry.is_tree for entry in entries)
    if name == layout.WITHDRAWN:
        return not all(entry.is_file for entry in entries) or len({e.mode for e in entries}) > 1
    return True
