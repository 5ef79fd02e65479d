"""What can be done with the changes of a store: look at one, preview, merge and delete it."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from gitstore.branch.access import Access
from gitstore.branch.changes import (
    ChangeList,
    ChangeRow,
    check_change,
    list_by_state,
    list_changes,
    read_change,
)
from gitstore.branch.credits import people_of
from gitstore.branch.discussion import Discussion
from gitstore.branch.growth import growth_of_merge
from gitstore.branch.merging import Merged, Merging
from gitstore.branch.previews import Previews, Slot
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import Difference, difference
from gitstore.errors import MergeConflict, NotFound, StoreError
from gitstore.format.layout import JOBTYPES_LIMIT
from gitstore.git.commits import Commit, Person
from gitstore.git.single_flight import Once
from gitstore.git.tree_diff import FileDiff
from gitstore.rules import Problem, errors_among

COMMITS_SHOWN = 250
OUTCOMES_BYTES = 8 * 1024 * 1024
"""How much memory outcomes may take: to check takes long, and people look again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would come of a merge: what it makes, and what is wrong with that.

    *conflicts* are the files in which it conflicts; if there are any, nothing is made. *authors*
    wrote its last commits.
    """

    made: Difference
    problems: tuple[Problem, ...]
    conflicts: tuple[str, ...]
    authors: tuple[Person, ...] = ()

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
        made += len(self.authors)
        return 1000 + 300 * (len(self.problems) + made) + 2 * texts


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer sees of a change: its commits and files, and what a merge would make.

    *merged* is whether it is in the served branch already, *old* the tree where it left it, None
    if they have no commit in common.
    """

    row: ChangeRow
    commits: tuple[Commit, ...]
    files: tuple[tuple[str, str], ...]
    outcome: Outcome
    merged: bool
    old: str | None


class Reviews:
    """The changes of one store.

    *slot* and *waiting* are held while a preview is computed, and waited for. A change of
    more than *jobtypes_limit* jobtypes is not checked.
    """

    def __init__(
        self,
        store: Store,
        slot: Slot = nullcontext,
        waiting: Slot = nullcontext,
        jobtypes_limit: int = JOBTYPES_LIMIT,
    ) -> None:
        self._store = store
        self._jobtypes_limit = jobtypes_limit
        self._outcomes = Once[tuple[str | None, str], Outcome](OUTCOMES_BYTES, lambda o: o.size)
        self._previews = Previews(store, slot, waiting)
        self.discussion = Discussion(store, self._made)
        self._merging = Merging(store, jobtypes_limit, self.discussion)

    def preview(self, name: str) -> Catalogue:
        """The catalogue as it would be with *name* merged into the served branch.

        *name* is a branch, a pull request (``pull/7``, see pulls.py), a tag or a commit.

        Raises:
            NotFound: there is no such thing.
            MergeConflict: it doesn't merge.
        """
        return self._previews.preview(name)

    def resolve(self, name: str) -> str:
        """The commit that *name*, as for preview, means.

        Raises:
            NotFound: it means none.
        """
        return self._previews.resolve(name)

    def changes(self) -> list[ChangeRow]:
        """Every change, by name; see list_changes."""
        return self.changes_page(0, None)[0]

    def changes_page(self, start: int, count: int | None) -> tuple[list[ChangeRow], int]:
        """*count* changes from *start* on, None for all; and the number of all changes."""
        return list_changes(self._store, start, count)

    def changes_by_state(self, is_merged: bool, start: int, count: int) -> ChangeList:
        """*count* changes from *start* on that are merged, or that wait; see list_by_state."""
        return list_by_state(self._store, is_merged, start, count)

    def glance(self, rows: Iterable[ChangeRow], limit_s: float) -> list[Outcome | None]:
        """The outcomes of *rows*; None for those that can't be computed, or not within *limit_s*.

        What was computed is remembered, so the next look shows more.
        """
        end = time.monotonic() + limit_s
        tip = self._store.catalogue().history.tip
        outcomes: list[Outcome | None] = []
        for row in rows:
            id, outcome = row.commit.id, None
            if self._outcomes.at_hand((tip, id)) or time.monotonic() < end:
                with suppress(StoreError):
                    outcome = self.outcome(id)
            outcomes.append(outcome)
        return outcomes

    def change(self, branch: str) -> ChangeRow:
        """The change on *branch*.

        Raises:
            NotFound: there is none.
        """
        return read_change(self._store, branch)

    def review(self, branch: str) -> Review:
        """What a reviewer sees of the change on *branch*."""
        row = self.change(branch)
        tip = self._store.catalogue().history.tip
        if tip is None:
            raise NotFound("the served branch has no commit yet; push it first")
        repository = self._store.repository
        fork = repository.merge_base(tip, row.commit.id)
        old = repository.commit(fork).tree if fork else None
        outcome = self.outcome(row.commit.id)
        return Review(
            row=row,
            commits=tuple(repository.commits(row.commit.id, tip, COMMITS_SHOWN)),
            files=tuple(repository.changed_paths(old, row.commit.tree)),
            outcome=outcome,
            merged=fork == row.commit.id,
            old=old,
        )

    def diff(self, review: Review) -> str:
        """The unified diff of a change."""
        return self._store.repository.diff(review.old, review.row.commit.tree)

    def file_diffs(self, review: Review) -> tuple[FileDiff, ...]:
        """The files that a change changes, with their lines."""
        return self._store.repository.file_diffs(review.old, review.row.commit.tree)

    def outcome(self, commit: str) -> Outcome:
        """What would come of merging *commit* into the served branch."""
        base = self._store.catalogue()
        key = (base.history.tip, commit)
        return self._outcomes.get(key, lambda: self._make_outcome(base, commit))

    def _make_outcome(self, base: Catalogue, commit: str) -> Outcome:
        try:
            _, growth = growth_of_merge(self._store.repository, base, commit)
        except MergeConflict as conflict:
            return Outcome(Difference(), (), conflict.paths, self._authors(base, commit))
        problems = check_change(self._store, growth, self._jobtypes_limit)
        made = difference(growth.base, growth.base.extend(growth.steps))
        return Outcome(made, tuple(problems), (), self._authors(base, commit))

    def _authors(self, base: Catalogue, commit: str) -> tuple[Person, ...]:
        tip = base.history.tip
        if tip is None:
            return ()
        newest_first = self._store.repository.commits(commit, tip, COMMITS_SHOWN)
        return tuple(people_of(reversed(newest_first)))

    def _made(self, commit: str) -> Difference | None:
        """What merging *commit* would make, None where it conflicts."""
        outcome = self.outcome(commit)
        return None if outcome.conflicts else outcome.made

    def merge(
        self, branch: str, writer: Writer, delete_branch: bool, seen: str | None = None
    ) -> Merged:
        """Merge the change on *branch*; the merge, made now or earlier.

        *seen* is the commit that the caller looked at: no other is merged. A branch that has
        newer commits than the merged ones is kept. A branch that was merged earlier is kept, too,
        if *writer* may not delete it.

        Raises:
            NotFound: there is no such branch, nor was one merged lately.
            PreconditionRequired: the served branch is protected, and *seen* is None.
            Moved: the branch is not at *seen*.
            MergeConflict, Invalid, Forbidden: why it can't be merged as it is.
            Busy: other writers were faster for too long.
        """
        return self._merging.merge(branch, writer, delete_branch, seen)

    def delete(self, branch: str, access: Access) -> None:
        """Delete the change on *branch*, if there is one.

        Raises:
            Forbidden: *access* may not delete it.
            Moved: it has newer commits.
        """
        self._merging.delete(branch, access)
