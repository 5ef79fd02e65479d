"""What would come of merging a change, as REST, the pages, the command line and pushes say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gitstore.branch.changes import check_change
from gitstore.branch.credits import people_of
from gitstore.branch.growth import Growth, growth_of_merge
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import Difference, difference
from gitstore.catalogue.preview import preview_fault, preview_number
from gitstore.catalogue.steps import Progress
from gitstore.errors import MergeConflict
from gitstore.git.commits import Person
from gitstore.rules import Problem, errors_among

COMMITS_SHOWN = 250

TRIED = 20
"""Jobtypes of a change whose previews are named; an agent can try all."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would come of a merge: what it makes, and what is wrong with that.

    *conflicts* are the files in which it conflicts; if there are any, nothing is made. *authors*
    wrote its last commits. *tries* are the first jobtypes that a preview has, with their numbers
    there.
    """

    made: Difference
    problems: tuple[Problem, ...]
    conflicts: tuple[str, ...]
    authors: tuple[Person, ...] = ()
    tries: tuple[tuple[str, int], ...] = ()

    @property
    def state(self) -> str:
        """Whether it can be merged, in a word: ready, warnings, errors or conflict."""
        if self.conflicts:
            return "conflict"
        if errors_among(self.problems):
            return "errors"
        return "warnings" if self.problems else "ready"

    @property
    def size(self) -> int:
        """The memory that it takes, roughly, in bytes."""
        texts = sum(len(p.path) + len(p.message) + len(p.field) for p in self.problems)
        made = len(self.made.versions) + len(self.made.touched) + len(self.made.files)
        made += len(self.authors) + len(self.tries)
        return 1000 + 300 * (len(self.problems) + made) + 2 * texts


def make_outcome(
    store: Store,
    base: Catalogue,
    commit: str,
    jobtypes_limit: int,
    progress: Progress | None = None,
) -> Outcome:
    """What would come of merging *commit* into *base*; above *jobtypes_limit* it isn't checked."""
    authors = _authors(store, base, commit)
    try:
        _, growth = growth_of_merge(store.repository, base, commit)
    except MergeConflict as conflict:
        return Outcome(Difference(), (), conflict.paths, authors)
    problems = check_change(store, growth, jobtypes_limit, progress)
    after = growth.base.extend(growth.steps)
    made = difference(growth.base, after)
    tries = () if base.history.tip is None else tuple(_tries(growth, after, made))
    return Outcome(made, tuple(problems), (), authors, tries)


def _authors(store: Store, base: Catalogue, commit: str) -> tuple[Person, ...]:
    tip = base.history.tip
    if tip is None:
        return ()
    newest_first = store.repository.commits(commit, tip, COMMITS_SHOWN)
    return tuple(people_of(reversed(newest_first)))


def _tries(growth: Growth, after: Catalogue, made: Difference) -> Iterator[tuple[str, int]]:
    """Yield the first jobtypes of which a preview has another version, and its number."""
    for new in made.versions[:TRIED]:
        jobtype = after.find_jobtype(new.name)
        release = after.find_newest(jobtype) if jobtype else None
        if release is None or release.version.step <= growth.base.history.counters.steps:
            continue
        if preview_fault(new.name, release.meta.classname) is None:
            yield new.name, preview_number(release.version.tree)
