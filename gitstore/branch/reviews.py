"""Changes under review: all branches but the served one, what they would make, merging.

A *change* is any branch pushed to the service. A preview is the catalogue as it would
be with a branch merged; nothing is moved for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from gitstore.branch import pulls
from gitstore.branch.access import EVERYBODY, Access, Role, branch_refusal, require_access
from gitstore.branch.growth import Growth
from gitstore.branch.merges import MERGED, find_merge, merge_of, what_moved
from gitstore.branch.store import Store
from gitstore.branch.writing import SERVICE, Writer
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import Difference, by_steps, difference, others
from gitstore.catalogue.entries import Jobtype
from gitstore.catalogue.history import History
from gitstore.catalogue.layered import Layered
from gitstore.catalogue.preview import preview_number
from gitstore.catalogue.steps import step_between
from gitstore.errors import (
    Forbidden,
    Invalid,
    MergeConflict,
    Moved,
    NotFound,
    PreconditionRequired,
    Refused,
)
from gitstore.format import layout
from gitstore.format.layout import JOBTYPES_LIMIT
from gitstore.git.commits import Commit, trimmed
from gitstore.git.overlay import Merge, Overlay
from gitstore.git.single_flight import Once
from gitstore.rules import Problem, errors_among

HEADS = "refs/heads/"
COMMITS_SHOWN = 250
OUTCOMES_BYTES = 8 * 1024 * 1024
"""What would come of merges: kept, because checking may take long, and people look again."""
PREVIEWS_BYTES = 8 * 1024 * 1024

Place = Callable[[], AbstractContextManager[None]]

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


def _made(growth: Growth) -> Difference:
    return difference(growth.base, growth.base.extend(growth.steps))


def _outcome_bytes(outcome: Outcome) -> int:
    """The memory that *outcome* takes, roughly."""
    texts = sum(len(p.path) + len(p.message) + len(p.field) for p in outcome.problems)
    made = len(outcome.made.versions) + len(outcome.made.touched) + len(outcome.made.files)
    return 1000 + 300 * (len(outcome.problems) + made) + 2 * texts


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


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge that is done: its commit, and whether the change's branch is gone."""

    commit: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class _Preview:
    """A preview, and the memory that it needs in addition to the catalogue's, roughly."""

    catalogue: Catalogue
    size: int


class _Previews:
    """The previews of one tip, by the commit that is merged."""

    def __init__(self, tip: str | None) -> None:
        self.tip = tip
        self.kept = Once[str, _Preview](PREVIEWS_BYTES, lambda made: made.size)


class Reviews:
    """What can be done with the changes of one store.

    *waiting* is held while a preview is waited for that is not at hand, *place* while it
    is computed. A change of more than *jobtypes_limit* jobtypes is not checked.
    """

    def __init__(
        self,
        store: Store,
        place: Place = nullcontext,
        waiting: Place = nullcontext,
        jobtypes_limit: int = JOBTYPES_LIMIT,
    ) -> None:
        self._store = store
        self._jobtypes_limit = jobtypes_limit
        self._outcomes = Once[tuple[str | None, str], Outcome](OUTCOMES_BYTES, _outcome_bytes)
        self._place = place
        self._waiting = waiting
        self._repository = store.repository
        self._previews = _Previews(None)

    # Previews

    def preview(self, name: str) -> Catalogue:
        """The catalogue as it would be with *name* merged into the served branch.

        *name* is a branch, a pull request (``pull/7``, see pulls.py), a tag or a commit.

        Raises:
            NotFound: there is no such thing.
            MergeConflict: it doesn't merge.
        """
        tip, commit = self._store.catalogue().history.tip, self.resolve(name)
        previews = self._previews
        if previews.tip != tip:
            # Those of the tip before are not asked for any more, and keep all of it in memory.
            previews = self._previews = _Previews(tip)
        kept = previews.kept
        with nullcontext() if kept.at_hand(commit) else self._waiting():
            return kept.get(commit, lambda: self._make_preview(tip, commit)).catalogue

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

    def _make_preview(self, tip: str | None, commit: str) -> _Preview:
        with self._place():
            base = self._store.at(tip)
            merge = self._merged(tip, commit)
            growth = self._growth(base, merge, commit)
            merged = _renumbered(base.history, base.history.extend(growth.steps))
        # In addition to its objects, it may get an index of the jobtypes by id, and copies of
        # the long lists of versions that it changes.
        changed = [merged.jobtypes[name] for name in growth.jobtypes if name in merged.jobtypes]
        size = 4000 + sum(map(len, merge.objects.values())) + 100 * len(merged.jobtypes)
        size += sum(1000 + 8 * len(jobtype.versions) for jobtype in changed)
        return _Preview(Catalogue(merged, growth.base.contents), size)

    def _merged(self, tip: str | None, commit: str) -> Merge:
        if tip is None:
            return Merge(self._repository.commit(commit).tree, {})
        return self._repository.merge(tip, commit)

    def _growth(self, base: Catalogue, merge: Merge, commit: str) -> Growth:
        """What *merge*, of *commit*, adds to *base*, which then knows its objects, too."""
        over = Overlay(self._repository, merge.objects)
        step = step_between(over, base.history.tree, merge.tree, commit)
        return Growth(Catalogue(base.history, base.contents.over(over)), merge.tree, (step,))

    # Changes

    def changes(self) -> list[ChangeRow]:
        """Every branch but the served one, by name; none whose name is not UTF-8.

        No URL could name it. A ref that is no branch is left out, too.
        """
        return self.changes_page(0, None)[0]

    def changes_page(self, start: int, count: int | None) -> tuple[list[ChangeRow], int]:
        """As changes, *count* of them from *start* on, None for all; and how many there are."""
        branches = [
            (ref.removeprefix(HEADS), commit)
            for ref, commit in sorted(self._repository.branches().items())
            if ref != self._store.ref and layout.is_text(ref)
        ]
        end = None if count is None else start + count
        rows = [
            ChangeRow(branch, self._repository.commit(commit))
            for branch, commit in branches[start:end]
        ]
        return rows, len(branches)

    def change(self, branch: str) -> ChangeRow:
        """The change on *branch*.

        Raises:
            NotFound: there is none.
        """
        ref = HEADS + branch
        commit = None if ref == self._store.ref else self._repository.tip(ref)
        if commit is None:
            raise NotFound(f"there is no change on a branch {branch}")
        fault = self._repository.branch_fault(ref, commit)
        if fault is not None:
            raise NotFound(f"the branch {branch} is no change: it {fault}; delete it")
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
        key = (base.history.tip, commit)
        return self._outcomes.get(key, lambda: self._make_outcome(base, commit))

    def _make_outcome(self, base: Catalogue, commit: str) -> Outcome:
        try:
            growth = self._growth(base, self._merged(base.history.tip, commit), commit)
        except MergeConflict as conflict:
            return Outcome(Difference(), (), conflict.paths)
        problems = self._check(growth)
        return Outcome(_made(growth), tuple(problems), ())

    def _check(self, growth: Growth) -> list[Problem]:
        excess = growth.excess(self._jobtypes_limit)
        if excess:
            says = f"the change {excess}. Bring it in parts."
            return [Problem("change-jobtypes", layout.JOBTYPES, says)]
        return self._store.check_growth(growth)

    def merge(
        self, branch: str, writer: Writer, delete_branch: bool, seen: str | None = None
    ) -> Merged:
        """Merge the change on *branch*; what came of it, now or earlier.

        *seen* is the commit that the caller looked at: no other is merged. A branch that has
        newer commits than those merged is kept. So is one that was merged earlier, if *writer* may
        not delete it.

        Raises:
            NotFound: there is no such branch, nor was one merged lately.
            PreconditionRequired: the served branch is protected, and *seen* is None.
            Moved: the branch is not at *seen*.
            MergeConflict, Invalid, Forbidden: why it can't be merged as it is.
            Busy: other writers were faster for too long.
        """
        if self._store.protect and seen is None:
            raise PreconditionRequired(
                "the served branch is protected, so a merge says which commit was looked at: send"
                ' {"commit": ...} with the id, or If-Match with the ETag, that GET of the change'
                " gave"
            )
        row, merge, is_new = self._store.writing.land(lambda: self._try_merge(branch, writer, seen))
        if row is None:
            return Merged(merge, deleted=True)
        # What is merged is kept. Merged by somebody else, it is still not for everyone to delete.
        may_delete = is_new or self._deletion_refusal(row.branch, writer.access) is None
        return Merged(merge, delete_branch and may_delete and self._is_deleted(row))

    def _is_deleted(self, row: ChangeRow) -> bool:
        """Delete the branch of a change that is merged; False if it has gone on meanwhile."""
        try:
            self._delete(row.branch, row.commit.id)
        except Moved:
            return False
        return True

    def _try_merge(
        self, branch: str, writer: Writer, seen: str | None
    ) -> tuple[ChangeRow | None, str, bool] | None:
        """Merge what *branch* is at now: the change, None if it is gone, the merge's id, and
        whether it was made now.

        None where the served branch moved meanwhile.
        """
        try:
            row = self.change(branch)
        except NotFound:
            return None, self._merged_earlier(branch, seen), False
        if seen not in (None, row.commit.id):
            raise Moved(what_moved(self._repository, branch, seen, row.commit.id))
        base = self._store.catalogue()
        tip = base.history.tip
        if tip is None:
            raise Refused("the served branch has no commit yet; push it first")
        if self._repository.is_ancestor(row.commit.id, tip):
            return row, merge_of(self._repository, tip, row.commit.id), False
        merge = self._make_merge(base, tip, row, writer)
        return (row, merge, True) if self._store.writing.move(base, merge, writer.access) else None

    def _make_merge(self, base: Catalogue, tip: str, row: ChangeRow, writer: Writer) -> str:
        merge = self._merged(tip, row.commit.id)
        growth = self._growth(base, merge, row.commit.id)
        access = self._judged(writer.access)
        _check_problems(self._check(growth), access)
        require_access(access, by_steps(growth.base, growth.steps))
        self._check_four_eyes(row, writer.access)
        subject = writer.message or f"Merge {row.branch}: {row.commit.subject}"
        message = f"{subject}\n\n{MERGED}{row.branch}\n"
        parents = (tip, row.commit.id)
        assert base.history.tree
        self._repository.write_merge(merge, base.history.tree)
        return self._repository.write_commit(
            growth.tree, parents, message, writer.signature, SERVICE
        )

    def _merged_earlier(self, branch: str, seen: str | None) -> str:
        """The last merge of a branch of that name, which is gone.

        Raises:
            NotFound: none was merged lately.
            Moved: it was not at *seen* when it was merged.
        """
        tip = self._store.catalogue().history.tip
        merge = find_merge(self._repository, tip, branch) if tip else None
        if merge is None:
            raise NotFound(f"there is no change on a branch {branch}")
        merged = merge.parents[1:]
        if seen not in (None, *merged):
            raise Moved(
                f"the branch {branch} was merged in {merge.id} and deleted, and was not at {seen}"
                f" then, but at {', '.join(merged)}"
            )
        return merge.id

    def _judged(self, access: Access) -> Access:
        """*access*; on a protected branch, those who can't be told apart are a `write` user."""
        if self._store.protect and access is EVERYBODY:
            return replace(access, role=Role.WRITE)
        return access

    def _check_four_eyes(self, row: ChangeRow, access: Access) -> None:
        """On a protected branch, the last pusher of a change does not merge it."""
        if not self._store.protect or access is EVERYBODY or access.role >= Role.ADMIN:
            return
        pusher = self._repository.last_mover(HEADS + row.branch, row.commit.id)
        if pusher is None or trimmed(pusher) == trimmed(access.name):
            who = f"{access.name} pushed" if pusher else "nobody knows who pushed"
            raise Forbidden(f"{who} the last commit of {row.branch}; somebody else must merge it")

    def delete(self, branch: str, access: Access) -> None:
        """Delete the change on *branch*, if there is one."""
        if access.role < Role.WRITE:
            raise Forbidden(f"{access.name} may only read")
        ref = HEADS + branch
        tip = None if ref == self._store.ref else self._repository.tip(ref)
        if tip is None:
            return
        refusal = self._deletion_refusal(branch, access)
        if refusal:
            raise Forbidden(refusal)
        self._delete(branch, tip)

    def _deletion_refusal(self, branch: str, access: Access) -> str | None:
        return branch_refusal(access, branch, self._repository.first_mover(HEADS + branch))

    def _delete(self, branch: str, tip: str) -> None:
        try:
            self._repository.delete_ref(HEADS + branch, tip)
        except Moved:
            if self._repository.tip(HEADS + branch) is None:
                return  # Somebody else was faster.
            raise Moved(f"{branch} has newer commits; look at them first") from None


def _candidates(name: str) -> Iterator[str]:
    yield from pulls.candidates(name)
    yield f"refs/heads/{name}"
    yield f"refs/upstream/heads/{name}"
    yield f"refs/tags/{name}"
    yield f"refs/upstream/tags/{name}"


def _check_problems(problems: Sequence[Problem], access: Access) -> None:
    """Refuse what a push would be refused for.

    Raises:
        Invalid: there are errors.
        Forbidden: there are warnings, and it is not for *access* to pass them.
    """
    errors = errors_among(problems)
    if errors:
        raise Invalid(errors)
    if problems and not access.passes_warnings:
        says = "; ".join(map(str, problems))
        raise Forbidden(f"{says}. Fix it, or ask an admin to merge it")


def _renumbered(base: History, merged: History) -> History:
    """*merged*, one step after *base*, with that step's versions numbered as previews.

    It shares with *base* what doesn't differ: many are kept.
    """
    new = {
        name: _preview_of(jobtype, base) for name, jobtype in others(merged.jobtypes, base.jobtypes)
    }
    gone = base.jobtypes.keys() - merged.jobtypes.keys()
    shared = {
        field: getattr(base, field)
        for field in ("withdrawn", "software", "software_ids", "version_ids", "ended")
        if getattr(base, field) == getattr(merged, field)
    }
    # Nobody asks a preview for the next number.
    return replace(
        merged, jobtypes=Layered(base.jobtypes, gone, new), numbers=base.numbers, **shared
    )


def _preview_of(jobtype: Jobtype, base: History) -> Jobtype:
    versions = tuple(
        replace(v, number=preview_number(v.tree)) if v.step > base.counters.steps else v
        for v in jobtype.versions[-1:]
    )
    return replace(jobtype, versions=jobtype.versions[:-1] + versions)
