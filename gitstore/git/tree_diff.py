"""The diff between two trees, as a list of files or as text."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import pygit2
from pygit2.enums import DiffOption

from gitstore.format.layout import COMPARED_LIMIT_BYTES, DIFF_LIMIT_BYTES, printable
from gitstore.git.bounds import Bounds
from gitstore.git.handle import Handle
from gitstore.git.objects import ObjectReader

FILES_SHOWN = 10_000
"""Files in a list of what differs, at most."""


class Hunk(NamedTuple):
    """Lines that differ: *old* of them from line *start* on became *new* ones.

    Where *old* is 0, the new ones stand behind line *start*.
    """

    start: int
    old: int
    new: int


LINES_SHOWN = 20_000
"""Lines in all hunks of one difference together. The files after that have none."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Lines that differ, and a few around them, with the first line's numbers and the counts.

    Each line begins with the sign that a unified diff gives it: ``-``, ``+``, a space, or a
    backslash for a word on a missing line end.
    """

    old_start: int
    old_lines: int
    new_start: int
    new_lines: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileDiff:
    """A file that differs: Git's letter for how, its path, and the path before a rename.

    *note* says why there are no *hunks* where the content differs. *old_blob* and *blob* are the
    ids of its contents, None on the side where it is not.
    """

    status: str
    path: str
    old_path: str | None
    hunks: tuple[Passage, ...] = ()
    note: str | None = None
    old_blob: str | None = None
    blob: str | None = None


class TreeDiff:
    """Compares trees of a repository. Threads may share it."""

    def __init__(self, handle: Handle, objects: ObjectReader, bounds: Bounds) -> None:
        self._handle = handle
        self._objects = objects
        self._bounds = bounds

    def changed_paths(self, old: str | None, new: str) -> list[tuple[str, str]]:
        """The files that differ between two trees: (status as in git diff --name-status, path).

        *old* None is the empty tree. There are at most FILES_SHOWN.

        Raises:
            OutOfBounds: a tree is too large to be compared.
        """
        deltas = islice(self._diff(old, new).deltas, FILES_SHOWN)
        return [(delta.status_char(), printable(delta.new_file.path)) for delta in deltas]

    def text(self, old: str | None, new: str) -> str:
        """The unified diff between two trees; *old* None is the empty one.

        Raises:
            OutOfBounds: a tree is too large to be compared.
        """
        diff = self._diff(old, new)
        sizes = self._sizes(diff)
        if _fit(sizes):
            diff.find_similar()
            return diff.patch or ""
        return "".join(_patches(diff, sizes))

    def hunks(self, old: str, new: str) -> list[Hunk]:
        """The lines that differ between two blobs, in order; both are small, as code is."""
        before, after = self._handle.repo[old], self._handle.repo[new]
        assert isinstance(before, pygit2.Blob)
        assert isinstance(after, pygit2.Blob)
        flag = DiffOption.FORCE_TEXT
        patch = pygit2.Patch.create_from(before, after, flag=flag, context_lines=0)
        return [Hunk(hunk.old_start, hunk.old_lines, hunk.new_lines) for hunk in patch.hunks]

    def files(self, old: str | None, new: str) -> tuple[FileDiff, ...]:
        """The files that differ between two trees, at most FILES_SHOWN, with their hunks.

        Raises:
            OutOfBounds: a tree is too large to be compared.
        """
        diff = self._diff(old, new)
        sizes = self._sizes(diff)
        if _fit(sizes):
            diff.find_similar()
            sizes = self._sizes(diff)
        return tuple(islice(_file_diffs(diff, sizes), FILES_SHOWN))

    def _diff(self, old: str | None, new: str) -> pygit2.Diff:
        for tree in filter(None, (old, new)):
            self._bounds.extent(tree)
        repo = self._handle.repo
        before, after = (repo[id] if id else None for id in (old, new))
        assert isinstance(after, pygit2.Tree)
        if isinstance(before, pygit2.Tree):
            return before.diff_to_tree(after)
        return after.diff_to_tree(swap=True)

    def _sizes(self, diff: pygit2.Diff) -> list[int]:
        """How many bytes have to be compared for each file of *diff*."""
        return [self._compared_bytes(delta) for delta in diff.deltas]

    def _compared_bytes(self, delta: pygit2.DiffDelta) -> int:
        """The size of the larger of the two files that *delta* is about."""
        headers = (self._objects.header(id) for id in _blobs(delta) if id)
        return max((header.size for header in headers if header), default=0)


def _fit(sizes: list[int]) -> bool:
    """Whether files of these *sizes* can be compared all at once."""
    return sum(sizes) <= DIFF_LIMIT_BYTES and max(sizes, default=0) <= COMPARED_LIMIT_BYTES


def _blobs(delta: pygit2.DiffDelta) -> tuple[str | None, str | None]:
    """The ids of the contents that *delta* is about, None on the side where there is no file."""
    status = delta.status_char()
    return (
        None if status == "A" else str(delta.old_file.id),
        None if status == "D" else str(delta.new_file.id),
    )


def _patches(diff: pygit2.Diff, sizes: list[int]) -> Iterator[str]:
    """Yield the patch of each file, or a line for one that is too large."""
    left = DIFF_LIMIT_BYTES
    for index, (delta, size) in enumerate(zip(diff.deltas, sizes, strict=True)):
        if size > min(left, COMPARED_LIMIT_BYTES):
            path = printable(delta.new_file.path)
            yield f"diff --git a/{path} b/{path}\ntoo large to be shown: {size} bytes\n"
            continue
        left -= size
        yield _patch_text(diff, index)


def _patch_text(diff: pygit2.Diff, index: int) -> str:
    """The patch of a file. It is large while it is an object, so only one of them is at a time."""
    patch = diff[index]
    return (patch.text or "") if patch else ""


def _file_diffs(diff: pygit2.Diff, sizes: list[int]) -> Iterator[FileDiff]:
    """Yield each file, with its hunks unless it is binary or there are too many bytes or lines."""
    bytes_left, lines_left = DIFF_LIMIT_BYTES, LINES_SHOWN
    for index, (delta, size) in enumerate(zip(diff.deltas, sizes, strict=True)):
        hunks: tuple[Passage, ...] = ()
        if size > min(bytes_left, COMPARED_LIMIT_BYTES):
            note: str | None = f"too large to be shown: {size} bytes"
        else:
            bytes_left -= size
            hunks, note = _passages(diff, index, lines_left)
            lines_left -= sum(len(hunk.lines) for hunk in hunks)
        status, path = delta.status_char(), printable(delta.new_file.path)
        old_path = printable(delta.old_file.path) if status in "RC" else None
        yield FileDiff(status, path, old_path, hunks, note, *_blobs(delta))


def _passages(
    diff: pygit2.Diff, index: int, lines_left: int
) -> tuple[tuple[Passage, ...], str | None]:
    """The hunks of a file of *lines_left* lines at most, or why there are none."""
    patch = diff[index]
    if patch is None:
        return (), None
    if patch.delta.is_binary:
        return (), "binary"
    # A million lines are counted without an object for each.
    lines = sum(patch.line_stats)
    if lines <= lines_left:
        # With the words on missing line ends.
        lines = sum(len(hunk.lines) for hunk in patch.hunks)
    if lines > lines_left:
        note = f"too large to be shown: {lines} lines, and {LINES_SHOWN} are shown in all"
        return (), note
    return tuple(map(_passage, patch.hunks)), None


_NO_LINE_END = "<>="
"""What libgit2 calls a line that tells of a missing line end."""


def _passage(hunk: pygit2.DiffHunk) -> Passage:
    lines = tuple(
        ("\\" if line.origin in _NO_LINE_END else line.origin)
        + line.raw_content.decode(errors="replace").strip("\n")
        for line in hunk.lines
    )
    return Passage(hunk.old_start, hunk.old_lines, hunk.new_start, hunk.new_lines, lines)
