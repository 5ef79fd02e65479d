"""The last steps of the served branch, and what each brought, for people who look in."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from gitstore.branch.merges import steps_back
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.catalogue.history import Step
from gitstore.catalogue.steps import read_steps
from gitstore.format import layout
from gitstore.git.commits import Commit
from gitstore.git.repository import Repository

_LAST = 1000
"""How many versions of a jobtype are looked at: no more can be of a few steps."""


@dataclass(frozen=True, slots=True)
class RecentStep:
    """A step: its *commit*, and what it brought.

    *versions* are jobtypes with the numbers of their new versions. *ended* are names of jobtypes
    that it deleted or renamed, *software* names of software that it changed. *withdraws* is
    whether it changed the list of withdrawn versions.
    """

    commit: Commit
    versions: tuple[tuple[str, tuple[int, ...]], ...]
    ended: tuple[str, ...]
    software: tuple[str, ...]
    withdraws: bool


def recent_steps(
    repository: Repository, catalogue: Catalogue, count: int
) -> tuple[RecentStep, ...]:
    """The last *count* steps up to the tip of *catalogue*, newest first."""
    tip = catalogue.history.tip
    if tip is None:
        return ()
    chain = list(islice(steps_back(repository, tip), count + 1))
    after = chain[count].id if len(chain) > count else None
    commits = {commit.id: commit for commit in chain}
    steps = [_recent(catalogue, commits[s.commit], s) for s in read_steps(repository, after, tip)]
    return tuple(reversed(steps))


def _recent(catalogue: Catalogue, commit: Commit, step: Step) -> RecentStep:
    jobtypes = catalogue.history.jobtypes
    names = {*step.jobtypes, *(name for _, _, name in step.trailers)}
    versions = [
        (name, tuple(version.number for version in made))
        for name in sorted(names)
        if name in jobtypes and (made := _made_by(jobtypes[name], step.commit))
    ]
    files = (path.partition("/") for path in step.files)
    software = (layout.software_name(name) for folder, _, name in files if folder != name)
    return RecentStep(
        commit,
        tuple(versions),
        tuple(sorted(name for name, tree in step.jobtypes.items() if tree is None)),
        tuple(sorted(filter(None, software))),
        layout.WITHDRAWN in step.files,
    )


def _made_by(jobtype: Jobtype, commit: str) -> list[Version]:
    """The versions of *jobtype* that *commit* made, which are among the last."""
    return [version for version in jobtype.versions[-_LAST:] if version.commit == commit]
