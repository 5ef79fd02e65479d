"""The versions in the history of a jobtype, page by page."""

from __future__ import annotations

from dataclasses import dataclass

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.git.commits import Commit
from gitstore.git.repository import Repository


@dataclass(frozen=True, slots=True)
class LogRow:
    """A version in the history of a jobtype: the *commit* that made it, and its *state* now.

    *before* is the number of the version before it, None for the first.
    """

    version: Version
    commit: Commit
    state: str
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """Some of the *total* versions of a jobtype, newest first: those from *start* to *end*."""

    rows: tuple[LogRow, ...]
    start: int
    end: int
    total: int


def read_log(
    repository: Repository, catalogue: Catalogue, key: str, until: int | None, count: int | None
) -> Log:
    """Of the first *until* versions of the jobtype *key* the last *count*; None for all.

    *key* is a name or an id. The versions of deleted jobtypes of that name count, too.

    Raises:
        NotFound: there never was such a jobtype.
    """
    ended = [j for j in catalogue.history.ended if j.name == key]
    current = catalogue.find_jobtype(key)
    jobtypes = ended if current is None and ended else [*ended, catalogue.jobtype(key)]
    made = [(jobtype, version) for jobtype in jobtypes for version in jobtype.versions]
    end = len(made) if until is None else min(until, len(made))
    start = 0 if count is None else max(0, end - count)
    numbers = [None, *(version.number for _, version in made[:end])]
    rows = [
        log_row(repository, catalogue, *made[place], before=numbers[place])
        for place in range(start, end)
    ]
    return Log(tuple(rows[::-1]), start, end, len(made))


def log_row(
    repository: Repository,
    catalogue: Catalogue,
    jobtype: Jobtype,
    version: Version,
    before: int | None = None,
) -> LogRow:
    """The row of *version*; *before* is the number of the version before it."""
    commit = repository.commit(version.commit)
    return LogRow(version, commit, _state(catalogue, jobtype, version), before)


def _state(catalogue: Catalogue, jobtype: Jobtype, version: Version) -> str:
    if catalogue.history.jobtypes.get(jobtype.name) is not jobtype:
        return "deleted"
    if catalogue.history.is_withdrawn(jobtype.name, version.number):
        return "withdrawn"
    return "broken" if catalogue.fault(jobtype, version) else "in service"
