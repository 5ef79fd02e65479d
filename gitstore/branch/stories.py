"""The story of each version: who made it and why, what it changed, and what became of it.

REST, the pages and the command line all show this one model. All of it comes from the history,
except for *pushed_by*, which this repository's reflog has.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gitstore.branch.credits import Credit, Credits
from gitstore.branch.pushers import Pushers
from gitstore.catalogue.catalogue import Catalogue, missing_version
from gitstore.catalogue.contents import Contents
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.catalogue.marks import JOBTYPE_DEEDS, Deed, Mark, find_mark, name_at
from gitstore.catalogue.version_diff import UNKNOWN, VersionDiff, version_diff
from gitstore.catalogue.withdrawals import withdrawal_reason
from gitstore.errors import Damaged
from gitstore.format import layout
from gitstore.git.commits import Person
from gitstore.git.lineage import Lineage
from gitstore.git.repository import Repository
from gitstore.git.single_flight import Once

PAGE = 50
"""Stories on a page, unless a caller asks for another number."""

_DIFFS_BYTES = 4 * 1024 * 1024


class State(StrEnum):
    """What a version is now."""

    IN_SERVICE = "in service"
    WITHDRAWN = "withdrawn"
    BROKEN = "broken"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Status:
    """The *state* of a version, and if it is not in service the *reason*, who did it, and when.

    *reason* is None where nobody gave one; *by*, *date* and *commit* are empty or None for a
    version that is broken, as it came so.
    """

    state: State
    reason: str | None = None
    by: tuple[Person, ...] = ()
    date: datetime | None = None
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class Story:
    """All that Git knows of a version.

    *name* is what its jobtype was called when it came, and *before* the number of the version
    before it (None: it is the first). *pushed_by* is the name of the token that brought it, None
    where nobody knows.
    """

    name: str
    version: Version
    before: int | None
    status: Status
    credit: Credit
    diff: VersionDiff
    pushed_by: str | None

    @property
    def number(self) -> int:
        """Its number."""
        return self.version.number


@dataclass(frozen=True, slots=True)
class StoryPage:
    """Some of the *total* stories of a jobtype, newest first.

    *next* is the ``before`` of the page that follows, None on the last one. *start* is the place
    of the oldest of them in the whole history.
    """

    name: str
    stories: tuple[Story, ...]
    next: int | None
    start: int
    total: int


@dataclass(frozen=True, slots=True)
class _Line:
    """The versions that the name of a jobtype had, by number, and the marks of its jobtypes."""

    made: list[tuple[Jobtype, Version]]
    marks: list[Mark]

    @property
    def name(self) -> str:
        """What it is called now."""
        return self.made[-1][0].name

    def place(self, number: int) -> int:
        """The place of version *number*, or where it would be."""
        return bisect_left(self.made, number, key=lambda row: row[1].number)


class Stories:
    """The stories of the versions on one branch. Threads may share it; what was made is kept."""

    def __init__(self, repository: Repository, ref: str) -> None:
        self.lineage = Lineage(repository)
        self.credits = Credits(repository, self.lineage)
        self._pushers = Pushers(repository, ref, self.lineage)
        self._diffs = Once[tuple[str | None, str], VersionDiff](
            _DIFFS_BYTES, lambda diff: diff.memory_bytes
        )

    def page(
        self, catalogue: Catalogue, key: str, before: int | None = None, limit: int | None = PAGE
    ) -> StoryPage:
        """The last *limit* stories of the jobtype *key* whose numbers are lower than *before*.

        *key* is a name or an id. The versions of deleted jobtypes of that name count, too. None is
        for no bound.

        Raises:
            NotFound: there never was such a jobtype.
        """
        line = _line(catalogue, key)
        end = len(line.made) if before is None else line.place(before)
        start = 0 if limit is None else max(0, end - limit)
        stories = [self._story(catalogue, line, place) for place in range(end - 1, start - 1, -1)]
        next = line.made[start][1].number if start else None
        return StoryPage(line.name, tuple(stories), next, start, len(line.made))

    def story(self, catalogue: Catalogue, key: str, number: int) -> Story:
        """The story of version *number* of the jobtype *key*, in service or not.

        Raises:
            NotFound: there never was one.
        """
        line = _line(catalogue, key)
        place = line.place(number)
        if place == len(line.made) or line.made[place][1].number != number:
            raise missing_version(line.name, number, (version for _, version in line.made))
        return self._story(catalogue, line, place)

    def credit(self, catalogue: Catalogue, jobtype: Jobtype, version: Version) -> Credit:
        """Who made *version*, and why: a part of its story that looks at no content."""
        name = name_at(catalogue.history.marks, jobtype, version.step)
        return self.credits.credit(version.commit, layout.jobtype_path(name))

    def status(self, catalogue: Catalogue, jobtype: Jobtype, version: Version) -> Status:
        """What became of *version*: a part of its story."""
        return self._status(catalogue, catalogue.history.marks, jobtype, version)

    def follow(self, tip: str | None) -> None:
        """Know the branch up to its commit *tip*. Call this before you ask for stories."""
        self.lineage.grow(tip)
        self._pushers.refresh(tip)

    def _story(self, catalogue: Catalogue, line: _Line, place: int) -> Story:
        jobtype, version = line.made[place]
        before = line.made[place - 1][1] if place else None
        name = name_at(line.marks, jobtype, version.step)
        tree = before.tree if before else None
        return Story(
            name=name,
            version=version,
            before=before.number if before else None,
            status=self._status(catalogue, line.marks, jobtype, version),
            credit=self.credits.credit(version.commit, layout.jobtype_path(name)),
            diff=self._diff(catalogue.contents, tree, version.tree),
            pushed_by=self._pushers.pusher(version.step),
        )

    def _diff(self, contents: Contents, old: str | None, new: str) -> VersionDiff:
        """What directory *new* changed. Of one that can't be read, nothing is known."""
        try:
            return self._diffs.get((old, new), lambda: version_diff(contents, old, new))
        except Damaged:
            return UNKNOWN

    def _status(
        self, catalogue: Catalogue, marks: Sequence[Mark], jobtype: Jobtype, version: Version
    ) -> Status:
        history, number = catalogue.history, version.number
        if history.jobtypes.get(jobtype.name) is not jobtype:
            return self._status_by(
                State.DELETED, find_mark(marks, Deed.DELETED, jobtype.id, number)
            )
        if history.is_withdrawn(jobtype.name, number):
            mark = find_mark(marks, Deed.WITHDRAWN, jobtype.id, number)
            objects = catalogue.contents.objects
            reason = withdrawal_reason(objects, mark, number) if mark else None
            return self._status_by(State.WITHDRAWN, mark, reason)
        try:
            problem = catalogue.why_broken(jobtype, version)
        except Damaged as error:
            problem = str(error)
        return Status(State.IN_SERVICE) if problem is None else Status(State.BROKEN, problem)

    def _status_by(self, state: State, mark: Mark | None, reason: str | None = None) -> Status:
        if mark is None:
            return Status(state)
        credit = self.credits.credit(mark.commit, mark_path(mark))
        return Status(state, reason, credit.authors, credit.date, mark.commit)


def mark_path(mark: Mark) -> str:
    """The path that the step of *mark* changed for it."""
    if mark.deed in (Deed.WITHDRAWN, Deed.RESTORED):
        return layout.WITHDRAWN
    is_jobtype = mark.deed in (Deed.RENAMED, Deed.DELETED)
    return layout.jobtype_path(mark.name) if is_jobtype else layout.software_path(mark.name)


def _line(catalogue: Catalogue, key: str) -> _Line:
    """The versions of the jobtype *key*, and of deleted ones of that name."""
    history, current = catalogue.history, catalogue.find_jobtype(key)
    ended = [j for j in history.ended if j.name == key]
    jobtypes = ended if current is None and ended else [*ended, catalogue.jobtype(key)]
    ids = {jobtype.id for jobtype in jobtypes}
    return _Line(
        [(jobtype, version) for jobtype in jobtypes for version in jobtype.versions],
        [mark for mark in history.marks if mark.id in ids and mark.deed in JOBTYPE_DEEDS],
    )
