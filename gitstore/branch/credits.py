"""Who made what a step brought to a path, when, and in which words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gitstore.branch.writing import SERVICE
from gitstore.format import layout
from gitstore.git.commits import Commit, Person, shown_date
from gitstore.git.lineage import IsNew, Lineage
from gitstore.git.merge_message import co_authors, merge_note
from gitstore.git.repository import Repository
from gitstore.git.single_flight import Once
from gitstore.git.touching import Touching

AUTHORS_LIMIT = 100
AUTHORS_SHOWN = 3
"""How many are kept, and how many are named on a line."""

MERGED_LIMIT = 250
LOOKS_LIMIT = 1500
"""A push is answered with the authors of merges of as many commits, and of as many versions as
take so many looks at a commit."""

MESSAGE_LIMIT = 8000
"""Characters of a message."""

_KEPT_BYTES = 8 * 1024 * 1024

_MACHINES = frozenset((SERVICE.email, "noreply@github.com"))
"""The addresses of those that commit for somebody else: this service, and GitHub."""


@dataclass(frozen=True, slots=True)
class Credit:
    """What the commit of a step says, and who made what it brought to a path.

    *authors* are those of the commits that changed the path, in the order of the commits.
    *is_cut* is whether there may be more. *merged_by* merged or applied it, None where that is
    one of the authors, or a program. *message* is the beginning of a long one.
    """

    commit: str
    date: datetime | None
    authors: tuple[Person, ...]
    is_cut: bool
    merged_by: Person | None
    subject: str
    message: str
    pull_request: str | None
    branch: str | None

    @property
    def shown_date(self) -> str:
        """When it was authored, to the minute and in its author's time."""
        return shown_date(self.date)

    @property
    def memory_bytes(self) -> int:
        """The memory that it takes, roughly."""
        return 1000 + 300 * len(self.authors) + 2 * len(self.message)


class Credits:
    """The credits of one branch's steps. Threads may share it; what was asked for is kept."""

    def __init__(self, repository: Repository, lineage: Lineage) -> None:
        self._repository = repository
        self._lineage = lineage
        self._kept = Once[tuple[str, str], Credit](_KEPT_BYTES, lambda c: c.memory_bytes)

    def credit(self, commit: str, path: str) -> Credit:
        """The credit for what the step *commit* brought to *path*.

        A commit that is no step of the branch brought what no step of it has: so a preview's.
        """
        if self._lineage.step_on_chain(commit) is None:
            return self._make(commit, path)  # Not kept: it may become a step.
        return self._kept.get((commit, path), lambda: self._make(commit, path))

    def _make(self, id: str, path: str) -> Credit:
        lineage, own = self._lineage, self._lineage.step_on_chain(id)
        step = self._repository.commit(id)
        return _credit(self._repository, step, path, lambda c: lineage.step_of(c) == own)


def authors_of_pushed(
    repository: Repository, versions: Iterable[tuple[str, str]]
) -> dict[str, list[str]]:
    """The names of those whose work somebody else merged or applied, by the name of the jobtype.

    *versions* are jobtypes' names, each with the commit of a step that nobody has read yet.
    Only the first are looked at, as far as LOOKS_LIMIT and MERGED_LIMIT go, and none is named
    where they are too many.
    """
    brought: dict[str, frozenset[str]] = {}
    found: dict[str, dict[str, str]] = {}
    looks = 0
    for name, id in versions:
        step = repository.commit(id)
        if id not in brought:
            brought[id] = _brought(repository, step)
        looks += len(brought[id])
        if looks > LOOKS_LIMIT:
            break
        authors = _pushed_authors(repository, step, name, brought[id])
        if len(step.parents) > 1 or any(a.key != step.committer.person.key for a in authors):
            found.setdefault(name, {}).update((a.key, a.name or a.email) for a in authors)
    return {name: list(authors.values()) for name, authors in found.items() if authors}


def _brought(repository: Repository, step: Commit) -> frozenset[str]:
    """The commits that *step* brought, or MERGED_LIMIT and one of them."""
    if len(step.parents) < 2:
        return frozenset((step.id,))
    commits = repository.commits(step.id, step.parents[0], MERGED_LIMIT + 1)
    return frozenset(commit.id for commit in commits)


def _pushed_authors(
    repository: Repository, step: Commit, name: str, brought: frozenset[str]
) -> Sequence[Person]:
    """Those who wrote what *step*, which brought those commits, has of jobtype *name*."""
    if len(brought) > MERGED_LIMIT:
        return ()
    if len(brought) == 1:
        return people_of([step])
    credit = _credit(repository, step, layout.jobtype_path(name), brought.__contains__)
    return () if credit.is_cut else credit.authors


def _credit(repository: Repository, step: Commit, path: str, is_new: IsNew) -> Credit:
    touching = Touching(repository, is_new, path)
    authors = list(people_of(touching.commits(step)) or people_of([step]))
    note = merge_note(step)
    return Credit(
        commit=step.id,
        date=step.author.when,
        authors=tuple(authors[:AUTHORS_LIMIT]),
        is_cut=touching.is_cut or len(authors) > AUTHORS_LIMIT,
        merged_by=_merger(step, authors),
        subject=step.subject,
        message=step.message.strip()[:MESSAGE_LIMIT],
        pull_request=note.pull_request,
        branch=note.branch,
    )


def first_names(names: Sequence[str]) -> str:
    """The first AUTHORS_SHOWN *names*, and the number of the others."""
    more = len(names) - AUTHORS_SHOWN
    return ", ".join(names[:AUTHORS_SHOWN]) + (f" and {more} more" if more > 0 else "")


def people_of(commits: Iterable[Commit]) -> list[Person]:
    """Those who wrote *commits*, in order, each once."""
    found: dict[str, Person] = {}
    for commit in commits:
        for person in (commit.author.person, *co_authors(commit)):
            found.setdefault(person.key, person)
    return list(found.values())


def _merger(step: Commit, authors: list[Person]) -> Person | None:
    """Who merged or applied *step*, None where that is one of *authors*, or a program."""
    by = (step.author if len(step.parents) > 1 else step.committer).person
    known = {author.key for author in authors}
    return None if by.key in known or by.email in _MACHINES or not by.key else by
