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
    list_by_state,
    list_changes,
    read_change,
)
from gitstore.branch.discussion import Discussion
from gitstore.branch.merging import Merged, Merging
from gitstore.branch.outcomes import COMMITS_SHOWN, Outcome, make_outcome
from gitstore.branch.previews import Previews, Slot
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import Difference
from gitstore.errors import NotFound, StoreError
from gitstore.format.layout import JOBTYPES_LIMIT
from gitstore.git.commits import Commit
from gitstore.git.single_flight import Once
from gitstore.git.tree_diff import FileDiff

OUTCOMES_BYTES = 8 * 1024 * 1024
"""How much memory outcomes may take: to check takes long, and people look again."""


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
        return self._outcomes.get(
            key, lambda: make_outcome(self._store, base, commit, self._jobtypes_limit)
        )

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
