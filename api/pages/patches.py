"""Differences as tables of lines: one column under the other, or next to each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, zip_longest

from flask import request
from markupsafe import Markup, escape

from api.pages.code import HIGHLIGHTED_BYTES, Lines, highlighted
from gitstore.errors import StoreError
from gitstore.format.layout import printable
from gitstore.git.tree_diff import FileDiff, Passage
from gitstore.git.trees import Objects
from gitstore.rules import Problem

LINES_SHOWN = 5000
"""Lines of a difference that a page shows. A browser takes longer for each than we do."""

VIEWS = {"unified": "one under the other", "split": "side by side"}
"""The ways to show lines, and how they are called."""

STATUSES = {"A": "added", "D": "deleted", "M": "changed", "R": "renamed", "T": "of another kind"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk: *sign* is ``+`` if only the new file has it, ``-`` if only the old, or a
    space. *old* and *new* are its numbers there, from 1; None where it is not."""

    sign: str
    old: int | None
    new: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines that differ, with a few around them."""

    heading: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A line on one side: its number there, and the problems of it."""

    line: Line
    number: int | None
    html: Markup
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """What stands on one line of the table: *left* of the old file, *right* of the new one.

    Where lines stand one under the other, only one of them is there.
    """

    left: Cell | None
    right: Cell | None


@dataclass(frozen=True, slots=True)
class Block:
    """A hunk of a file as rows."""

    heading: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class FileTable:
    """A file that differs; *problems* are those that belong to none of the lines shown."""

    patch: FileDiff
    how: str
    blocks: tuple[Block, ...]
    problems: tuple[Problem, ...]
    note: str


def view_of_query() -> str:
    """The one of VIEWS that the query asks for."""
    view = request.args.get("view", "")
    return view if view in VIEWS else "unified"


def tables(
    objects: Objects,
    patches: Sequence[FileDiff],
    is_split: bool,
    problems: Sequence[Problem] = (),
) -> list[FileTable]:
    """*patches* as tables; *problems* go to the files and lines that they are about."""
    by_path: dict[str, list[Problem]] = defaultdict(list)
    for problem in problems:
        by_path[printable(problem.path)].append(problem)
    left, made = LINES_SHOWN, []
    for patch in patches:
        hunks = list(_within(map(_hunk, patch.hunks), left))
        note = patch.note or ""
        left -= sum(len(hunk.lines) for hunk in hunks)
        if len(hunks) < len(patch.hunks):
            note = "too long to be shown: the rest is left out"
        made.append(_table(objects, patch, hunks, note, is_split, by_path[patch.path]))
    return made


def _hunk(passage: Passage) -> Hunk:
    old, new = (
        f"{passage.old_start},{passage.old_lines}",
        f"{passage.new_start},{passage.new_lines}",
    )
    return Hunk(f"@@ -{old} +{new} @@", tuple(_lines_of(passage)))


def _lines_of(passage: Passage) -> Iterator[Line]:
    """Yield the lines of *passage* with their numbers."""
    old, new = passage.old_start, passage.new_start
    for line in passage.lines:
        sign, text = line[0], line[1:]
        if sign == "\\":
            continue  # It tells of a missing line end.
        yield Line(sign, old if sign != "+" else None, new if sign != "-" else None, text)
        old += sign != "+"
        new += sign != "-"


def _within(hunks: Iterable[Hunk], limit: int) -> Iterator[Hunk]:
    """Yield the first *hunks*, of at most *limit* lines together; of the last, a part."""
    for hunk in hunks:
        if limit <= 0:
            return
        yield Hunk(hunk.heading, hunk.lines[:limit])
        limit -= len(hunk.lines)


def _table(
    objects: Objects,
    patch: FileDiff,
    hunks: Sequence[Hunk],
    note: str,
    is_split: bool,
    problems: Sequence[Problem],
) -> FileTable:
    at_lines: dict[int | None, list[Problem]] = defaultdict(list)
    for problem in problems:
        at_lines[problem.line].append(problem)
    sides = _Sides(objects, patch, at_lines)
    arrange = _split if is_split else _unified
    blocks = tuple(Block(h.heading, tuple(arrange(sides, h.lines))) for h in hunks)
    shown = {line.new for hunk in hunks for line in hunk.lines if line.new}
    apart = tuple(p for p in problems if p.line not in shown)
    return FileTable(patch, STATUSES.get(patch.status, "changed"), blocks, apart, note)


class _Sides:
    """The lines of both files, highlighted where the whole file was short enough to be."""

    def __init__(
        self,
        objects: Objects,
        patch: FileDiff,
        problems: Mapping[int | None, Sequence[Problem]],
    ) -> None:
        old_path = patch.old_path or patch.path
        self._old = _lines(objects, patch.old_blob, old_path) if patch.hunks else ()
        self._new = _lines(objects, patch.blob, patch.path) if patch.hunks else ()
        self._problems = problems

    def old(self, line: Line) -> Cell:
        return Cell(line, line.old, _html(self._old, line.old, line.text))

    def new(self, line: Line) -> Cell:
        problems = tuple(self._problems.get(line.new, ()))
        return Cell(line, line.new, _html(self._new, line.new, line.text), problems)


def _html(lines: Lines, number: int | None, text: str) -> Markup:
    if number is None or number > len(lines):
        return escape(text)
    return lines[number - 1]


def _lines(objects: Objects, blob: str | None, path: str) -> Lines:
    header = objects.header(blob) if blob else None
    if blob is None or header is None or header.size > HIGHLIGHTED_BYTES:
        return ()
    try:
        return highlighted(objects.read_blob(blob).decode(errors="replace"), path)
    except StoreError:
        return ()


def _unified(sides: _Sides, lines: Sequence[Line]) -> Iterator[Row]:
    for line in lines:
        if line.sign == "-":
            yield Row(sides.old(line), None)
        else:
            yield Row(None, sides.new(line))


def _split(sides: _Sides, lines: Sequence[Line]) -> Iterator[Row]:
    """Yield lines next to each other: what went next to what came for it."""
    for is_same, run in groupby(lines, lambda line: line.sign == " "):
        if is_same:
            yield from (Row(sides.old(line), sides.new(line)) for line in run)
            continue
        changed = list(run)
        went = [sides.old(line) for line in changed if line.sign == "-"]
        came = [sides.new(line) for line in changed if line.sign == "+"]
        yield from (Row(*pair) for pair in zip_longest(went, came))
