"""Blame of a version's code: who wrote each line, in which version it came, and changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.catalogue.marks import name_at
from gitstore.errors import BadRequest, NotFound, OutOfBounds
from gitstore.format import layout
from gitstore.git.blame import blame, count_lines
from gitstore.git.commits import Commit
from gitstore.git.lineage import Lineage
from gitstore.git.repository import Repository
from gitstore.git.tree_diff import Hunk

LINES_LIMIT = 10_000
"""Lines in one answer."""

LATER_LIMIT = 2000
"""Later versions that are compared with, to find the one in which a line changed."""
_LOOKS_LIMIT = 2_000_000
"""Lines that are followed, counted once for each version."""


@dataclass(frozen=True, slots=True)
class Lines:
    """The lines *first* to *last*, which *commit* wrote.

    *came_in* is the number of the version in which they came, None where that is not known.
    *changed_in* is that of the first later version that doesn't have them, None without one.
    """

    first: int
    last: int
    commit: Commit
    came_in: int | None
    changed_in: int | None


def blame_version(
    repository: Repository,
    catalogue: Catalogue,
    lineage: Lineage,
    jobtype: Jobtype,
    version: Version,
    first: int,
    last: int | None,
) -> list[Lines]:
    """The lines *first* to *last* (None: to the end) of code.py in *version*, by origin.

    Raises:
        NotFound: the version has no code.py that can be read.
        BadRequest: there is no line *first*, or these are too many lines.
        OutOfBounds: the file has too many lines to be asked for as a whole.
        Busy: Git took too long.
    """
    contents, number = catalogue.contents, version.number
    code = contents.directory(version.tree).code
    if not code:
        raise NotFound(f"version {number} of {jobtype.name} has no code.py that can be read")
    total = count_lines(contents.objects.read_blob(code))
    if last is None and total > LINES_LIMIT:
        fault = f"has {total} lines, and {LINES_LIMIT} is the limit; ask for some: ?lines=1-1000"
        raise OutOfBounds(layout.CODE, fault)
    if last is None and total == 0:
        return []
    if first > total:
        raise BadRequest(
            f"there is no line {layout.shown(str(first))}; code.py has {total}", "lines"
        )
    last = total if last is None else min(last, total)
    if last - first >= LINES_LIMIT:
        raise BadRequest(f"lines are {last - first + 1}; {LINES_LIMIT} is the limit", "lines")
    path = layout.code_path(name_at(catalogue.history.marks, jobtype, version.step))
    commits = blame(repository.path, version.commit, path, first, last)
    changed = _changed_in(repository, catalogue, jobtype, version, first, last)
    came = {id: _came_in(lineage, jobtype, id) for id in set(commits)}
    rows = [(id, came[id], changed[line]) for line, id in enumerate(commits, first)]
    return list(_runs(repository, rows, first))


def _runs(
    repository: Repository, rows: Sequence[tuple[str, int | None, int | None]], first: int
) -> Iterator[Lines]:
    """Yield successive lines of the same origin together."""
    start = 0
    for place in range(1, len(rows) + 1):
        if place == len(rows) or rows[place] != rows[start]:
            id, came, changed = rows[start]
            commit = repository.commit(id)
            yield Lines(first + start, first + place - 1, commit, came, changed)
            start = place


def _came_in(lineage: Lineage, jobtype: Jobtype, commit: str) -> int | None:
    """The number of the first version that has what *commit* wrote."""
    step = lineage.step_of(commit)
    if step is None:
        return None
    return next((v.number for v in jobtype.versions if v.step >= step), None)


def _changed_in(
    repository: Repository,
    catalogue: Catalogue,
    jobtype: Jobtype,
    version: Version,
    first: int,
    last: int,
) -> dict[int, int | None]:
    """For each line the number of the first later version without it.

    Versions whose code can't be read are passed over.
    """
    directory = catalogue.contents.directory
    found: dict[int, int | None] = dict.fromkeys(range(first, last + 1))
    places = {line: line for line in found}
    code = directory(version.tree).code
    later = (v for v in jobtype.versions if v.number > version.number)
    for newer in islice(later, min(LATER_LIMIT, _LOOKS_LIMIT // len(found))):
        other = directory(newer.tree).code
        if not places or not other or other == code:
            continue
        moved = dict(_moved(repository.hunks(code, other), places))
        found |= dict.fromkeys(places.keys() - moved.keys(), newer.number)
        places, code = moved, other
    return found


def _moved(hunks: Sequence[Hunk], places: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    """Yield those of *places*, by line, that no hunk changes, each where it is afterwards."""
    shift, waiting = 0, deque(hunks)
    for line, place in places.items():
        # A hunk that only adds lines begins at the line before them.
        while waiting and waiting[0].start + max(waiting[0].old, 1) <= place:
            hunk = waiting.popleft()
            shift += hunk.new - hunk.old
        is_changed = waiting and waiting[0].old and waiting[0].start <= place
        if not is_changed:
            yield line, place + shift
