"""Changes under review: branches beside the served one, what they would make, merging.

A *change* is any branch pushed to the service. A preview is the catalogue as it would
be with a branch merged; nothing is moved for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import lru_cache

from gitstore.access import EVERYBODY, Access, Role
from gitstore.catalogue import Catalogue
from gitstore.difference import Difference, difference
from gitstore.errors import (
    Forbidden,
    Invalid,
    MergeConflict,
    Moved,
    NotFound,
    Problem,
    Refused,
    errors_among,
)
from gitstore.layout import NUMBER_LIMIT
from gitstore.repository import Commit
from gitstore.store import SERVICE, Store, Writer, check_access
from gitstore.validation import check_tree
from gitstore.versions import History, Jobtype

HEADS = "refs/heads/"
COMMITS_SHOWN = 250
PREVIEW_FIRST = NUMBER_LIMIT + 1
"""Would-be versions are numbered from here, where no released version ever is."""
PREVIEW_BITS = 30

Place = Callable[[], AbstractContextManager[None]]

_PULL = re.compile(r"(?:pull|merge-requests)/[0-9]+")
_ID = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change in the list of changes: its branch and its last commit."""

    branch: str
    commit: Commit


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would come of a merge: what it makes, what is wrong with that.

    *conflicts* are the files in which it conflicts; where there are any, nothing is made.
    """

    made: Difference
    problems: tuple[Problem, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """A change, looked at: what it holds and what would come of merging it.

    *merged* is whether it is in the served branch already.
    """

    row: ChangeRow
    commits: tuple[Commit, ...]
    files: tuple[tuple[str, str], ...]
    diff: str
    outcome: Outcome
    merged: bool


class Reviews:
    """What can be done with the changes of one store.

    *place* is held while a preview is computed that is not at hand.
    """

    def __init__(self, store: Store, place: Place = nullcontext) -> None:
        self._store = store
        self._place = place
        self._repository = store.repository
        self._preview = lru_cache(64)(self._make_preview)

    # Previews

    def preview(self, name: str) -> Catalogue:
        """The catalogue as it would be with *name* merged into the served branch.

        *name* is a branch, ``pull/7``, ``merge-requests/7``, a tag or a commit.

        Raises:
            NotFound: there is no such thing.
            MergeConflict: it doesn't merge.
        """
        base = self._store.catalogue()
        return self._preview(base.history.tip, self.resolve(name))

    def resolve(self, name: str) -> str:
        """The commit that *name* means.

        Raises:
            NotFound: it means none.
        """
        for ref in _candidates(name):
            if self._repository.tip(ref) is not None:
                return self._repository.resolve(ref).id
        if _ID.fullmatch(name):
            return self._repository.resolve(name).id
        raise NotFound(f"there is no branch, pull request, tag or commit {name}")

    def _make_preview(self, tip: str | None, commit: str) -> Catalogue:
        with self._place():
            base = self._store.at(tip)
            tree = self._merged(tip, commit)
            step = self._repository.step(base.history.tree, tree, commit)
        return Catalogue(_renumbered(base.history, base.history.extend([step])), base.contents)

    def _merged(self, tip: str | None, commit: str) -> str:
        if tip is None:
            return self._repository.commit(commit).tree
        return self._repository.merged_tree(tip, commit)

    # Changes

    def changes(self) -> list[ChangeRow]:
        """Every branch but the served one, by name."""
        refs = self._repository.refs(HEADS)
        return [
            ChangeRow(ref.removeprefix(HEADS), self._repository.commit(commit))
            for ref, commit in sorted(refs.items())
            if ref != self._store.ref
        ]

    def change(self, branch: str) -> ChangeRow:
        """The change on *branch*.

        Raises:
            NotFound: there is none.
        """
        ref = HEADS + branch
        commit = None if ref == self._store.ref else self._repository.tip(ref)
        if commit is None:
            raise NotFound(f"there is no change on a branch {branch}")
        return ChangeRow(branch, self._repository.commit(commit))

    def review(self, branch: str) -> Review:
        """The change on *branch*, looked at."""
        row = self.change(branch)
        base = self._store.catalogue()
        tip = base.history.tip
        if tip is None:
            raise NotFound("the served branch has no commit yet; push it first")
        repository = self._repository
        fork = repository.merge_base(tip, row.commit.id)
        old = repository.commit(fork).tree if fork else None
        outcome = self.outcome(row.commit.id)
        return Review(
            row=row,
            commits=tuple(repository.commits(row.commit.id, tip, COMMITS_SHOWN)),
            files=tuple(repository.changed_paths(old, row.commit.tree)),
            diff=repository.diff(old, row.commit.tree),
            outcome=outcome,
            merged=fork == row.commit.id,
        )

    def outcome(self, commit: str) -> Outcome:
        """What would come of merging *commit* into the served branch."""
        base = self._store.catalogue()
        try:
            tree = self._merged(base.history.tip, commit)
        except MergeConflict as conflict:
            return Outcome(Difference(), (), conflict.paths)
        step = self._repository.step(base.history.tree, tree, commit)
        problems = check_tree(self._repository, tree, base, self._store.checks)
        return Outcome(difference(base, base.extend([step])), tuple(problems), ())

    def merge(self, branch: str, writer: Writer, delete_branch: bool) -> str:
        """Merge the change on *branch*; the id of the merge commit, or of an earlier one.

        Raises:
            MergeConflict, Invalid, Forbidden: why it can't be merged as it is.
        """
        row = self.change(branch)
        while True:
            base = self._store.catalogue()
            tip = base.history.tip
            if tip is None:
                raise Refused("the served branch has no commit yet; push it first")
            if self._repository.is_ancestor(row.commit.id, tip):
                merge = self._merge_of(tip, row.commit.id)
                break
            merge = self._try_merge(base, tip, row, writer)
            if self._store.move(base, merge, writer.access):
                self._store.note("commit")
                break
        if delete_branch:
            self._delete(row)
        return merge

    def _try_merge(self, base: Catalogue, tip: str, row: ChangeRow, writer: Writer) -> str:
        tree = self._merged(tip, row.commit.id)
        errors = errors_among(check_tree(self._repository, tree, base, self._store.checks))
        if errors:
            raise Invalid(errors)
        step = self._repository.step(base.history.tree, tree, row.commit.id)
        check_access(writer.access, difference(base, base.extend([step])))
        self._check_four_eyes(row, writer.access)
        subject = writer.message or f"Merge {row.branch}: {row.commit.subject}"
        parents = (tip, row.commit.id)
        return self._repository.write_commit(
            tree, parents, f"{subject}\n", writer.signature, SERVICE
        )

    def _check_four_eyes(self, row: ChangeRow, access: Access) -> None:
        """On a protected branch, whoever pushed a change last does not merge it himself."""
        if not self._store.protect or access is EVERYBODY or access.role >= Role.ADMIN:
            return
        pusher = self._repository.last_mover(HEADS + row.branch, row.commit.id)
        if pusher is None or pusher == access.name:
            who = f"{access.name} pushed" if pusher else "nobody knows who pushed"
            raise Forbidden(f"{who} the last commit of {row.branch}; somebody else must merge it")

    def _merge_of(self, tip: str, commit: str) -> str:
        """The step that brought *commit* into the served branch, *tip* if none says so."""
        id: str | None = tip
        while id is not None:
            found = self._repository.commit(id)
            if commit in (found.id, *found.parents[1:]):
                return id
            id = found.parents[0] if found.parents else None
        return tip

    def delete(self, branch: str, access: Access) -> None:
        """Delete the change on *branch*, if there is one."""
        if access.role < Role.WRITE:
            raise Forbidden(f"{access.name} may only read")
        try:
            self._delete(self.change(branch))
        except NotFound:
            return

    def _delete(self, row: ChangeRow) -> None:
        try:
            self._repository.delete_ref(HEADS + row.branch, row.commit.id)
        except Moved:
            if self._repository.tip(HEADS + row.branch) is None:
                return  # Somebody else was faster.
            raise Moved(f"{row.branch} has newer commits; look at them first") from None


def _candidates(name: str) -> Iterator[str]:
    if _PULL.fullmatch(name):
        yield f"refs/upstream/{name}/head"
        yield f"refs/{name}/head"
    yield f"refs/heads/{name}"
    yield f"refs/upstream/heads/{name}"
    yield f"refs/tags/{name}"


def preview_number(tree: str) -> int:
    """The number of a would-be version: the same for the same code, never a released one's."""
    return PREVIEW_FIRST + (int(tree, 16) >> (len(tree) * 4 - PREVIEW_BITS))


def _renumbered(base: History, merged: History) -> History:
    """*merged*, one step after *base*, with that step's versions numbered as previews."""
    jobtypes = {name: _preview_of(jobtype, base) for name, jobtype in merged.jobtypes.items()}
    return replace(merged, jobtypes=jobtypes)


def _preview_of(jobtype: Jobtype, base: History) -> Jobtype:
    versions = tuple(
        replace(v, number=preview_number(v.tree)) if v.step > base.counters.steps else v
        for v in jobtype.versions[-1:]
    )
    return replace(jobtype, versions=jobtype.versions[:-1] + versions)
