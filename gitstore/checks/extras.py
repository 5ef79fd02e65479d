"""Files in a jobtype's directory that the format doesn't read: junk, pointers, others.

All of it counts for version numbers, so it is never left out, but reported.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gitstore.format import layout
from gitstore.git.lfs_pointers import NO_LFS, POINTER_BYTES, is_pointer
from gitstore.git.trees import Entry, Objects
from gitstore.rules import Problem

JUNK = (
    *("__pycache__", "*.pyc", "*.pyo", "*.egg-info", ".*_cache", ".ipynb_checkpoints"),
    *(".DS_Store", "._*", "__MACOSX", "Thumbs.db", "desktop.ini", "~$*"),
    *("*~", "*.swp", "*.swo", ".#*", "#*#", "*.bak", "*.orig", "*.rej", ".idea", ".vscode"),
)
"""Patterns of the files that Python, systems and editors leave behind. .gitignore has them, too."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """An entry of a directory that is new or differs, and the one that it replaced."""

    path: str
    name: str
    old: Entry | None
    new: Entry


def check_extras(
    objects: Objects, name: str, old: Entry | None, new: Entry, check_time: Callable[[], None]
) -> Iterator[Problem]:
    """What is wrong in the directory *new* of jobtype *name*, which replaces *old*.

    Of files other than code.py and meta.yaml only those that are new or differ.
    """
    directory = layout.jobtype_path(layout.printable(name))
    entries = objects.entries(new.id)
    for file_name in (layout.CODE, layout.META):
        entry = entries.get(file_name)
        if entry and entry.is_file and _is_pointer(objects, entry):
            message = f"{NO_LFS}; commit the file itself (git lfs untrack, git add --renormalize .)"
            yield Problem("lfs-pointer", f"{directory}/{file_name}", message)
    if old == new:
        return
    old = old if old and old.is_tree else None
    pairs = list(_differing(objects, directory, old, new, check_time))
    yield from _check_modes(objects, old, new, pairs)
    for pair in pairs:
        if _is_junk(pair.name):
            yield _junk(pair)
        elif pair.new.is_file and pair.name not in (layout.CODE, layout.META):
            check_time()
            if _is_pointer(objects, pair.new):
                yield Problem(
                    "lfs-pointer", pair.path, f"{NO_LFS}; commit the file itself", mild=True
                )


def _is_junk(name: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in JUNK)


def _junk(pair: _Pair) -> Problem:
    what = "rm -r" if pair.new.is_tree else "rm"
    message = (
        "is what a tool left behind, and makes a version; remove it: git"
        f" {what} --cached {shlex.quote(pair.path)}, and list it in .gitignore"
    )
    return Problem("junk", pair.path, message)


def _is_pointer(objects: Objects, entry: Entry) -> bool:
    header = objects.header(entry.id)
    if header is None or header.size > POINTER_BYTES:
        return False
    return is_pointer(objects.read_blob(entry.id))


def _differing(
    objects: Objects,
    path: str,
    old: Entry | None,
    new: Entry,
    check_time: Callable[[], None],
) -> Iterator[_Pair]:
    """Yield the files that are new or differ, and of junk the topmost directory alone."""
    waiting = [(path, old, new)]
    while waiting:
        check_time()
        path, old, new = waiting.pop()
        before = objects.entries(old.id) if old else {}
        for name, entry in objects.entries(new.id).items():
            known = before.get(name)
            if known == entry:
                continue
            pair = _Pair(f"{path}/{layout.printable(name)}", name, known, entry)
            if _is_junk(name) and (known is None or not entry.is_tree):
                yield pair
            elif entry.is_tree:
                waiting.append((pair.path, known if known and known.is_tree else None, entry))
            else:
                yield pair


def _check_modes(
    objects: Objects, old: Entry | None, new: Entry, pairs: list[_Pair]
) -> Iterator[Problem]:
    """Yield entries whose mode changed, if nothing else in the directory changed."""
    if old is None or any(p.old is None or p.old.id != p.new.id for p in pairs):
        return
    if not pairs or dict(_contents(objects, old)) != dict(_contents(objects, new)):
        return
    for pair in pairs:
        assert pair.old is not None
        if pair.old.is_file and pair.new.is_file:
            sign = "-" if pair.new.mode & 0o100 else "+"
            message = (
                "changes its mode alone, which makes a version with the same code; undo it:"
                f" git update-index --chmod={sign}x {shlex.quote(pair.path)}"
            )
            yield Problem("junk", pair.path, message)


def _contents(objects: Objects, tree: Entry) -> Iterator[tuple[str, str]]:
    """Yield each file's path and blob, whatever its mode."""
    for name, entry in objects.entries(tree.id).items():
        if entry.is_tree:
            yield from ((f"{name}/{path}", id) for path, id in _contents(objects, entry))
        else:
            yield name, entry.id


def unseen(objects: Objects, old: Mapping[str, Entry], new: Mapping[str, Entry]) -> Iterator[str]:
    """Yield a sentence for each jobtype that gets files which no agent will ever see.

    *old* and *new* are what stands under jobtypes/. Files that were there before are not
    named again, nor are those that are meant for people.
    """
    known = {entry.id for entry in old.values()}
    for name, entry in new.items():
        if not entry.is_tree or entry == old.get(name) or entry.id in known:
            continue
        came_from = old.get(name)
        before = came_from if came_from and came_from.is_tree else None
        root = layout.jobtype_path(layout.printable(name))
        pairs = _differing(objects, root, before, entry, lambda: None)
        names = [p.path.removeprefix(f"{root}/") for p in pairs if p.old is None and _is_unseen(p)]
        if names:
            more = f" and {len(names) - 3} more" if len(names) > 3 else ""
            shown = ", ".join(map(layout.escaped, names[:3]))
            jobtype = layout.escaped(layout.printable(name))
            yield f"{jobtype}: agents get code.py alone, not {shown}{more} (see /files/)"


def _is_unseen(pair: _Pair) -> bool:
    if not pair.new.is_file or _is_junk(pair.name) or pair.name in (layout.CODE, layout.META):
        return False
    return not any(fnmatchcase(pair.name.upper(), p) for p in ("README*", "LICENSE*", "*.MD"))
