"""Merging a change into the served branch, and deleting it: who may, and what must hold."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gitstore.branch.access import EVERYBODY, Access, Role, branch_refusal, require_access
from gitstore.branch.changes import (
    HEADS,
    ChangeRow,
    check_change,
    missing_change,
    read_change,
    require_acceptable,
)
from gitstore.branch.discussion import Discussion
from gitstore.branch.growth import growth_of_merge
from gitstore.branch.merges import find_merge, merge_of, what_moved
from gitstore.branch.store import Store
from gitstore.branch.writing import SERVICE, Writer
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import by_steps
from gitstore.errors import Forbidden, Moved, NotFound, PreconditionRequired, Refused
from gitstore.git.commits import trimmed
from gitstore.git.merge_message import MERGED


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge that is done: its commit, and whether the change's branch is deleted."""

    commit: str
    deleted: bool


@dataclass(frozen=True, slots=True)
class _Merge:
    """A merge of *change* (None: its branch is gone) by *commit*; *is_new* if made just now.

    If it isn't, and the branch is there, *commit* is the served one, which contains the change.
    """

    change: ChangeRow | None
    commit: str
    is_new: bool


class Merging:
    """Merges and deletes the changes of one store, each of at most *jobtypes_limit* jobtypes."""

    def __init__(self, store: Store, jobtypes_limit: int, discussion: Discussion) -> None:
        self._store = store
        self._require_approvals = discussion.require_approvals
        self._repository = store.repository
        self._jobtypes_limit = jobtypes_limit

    def merge(self, branch: str, writer: Writer, delete_branch: bool, seen: str | None) -> Merged:
        """Merge the change on *branch*; see Reviews.merge."""
        if self._store.protect and seen is None:
            raise PreconditionRequired(
                "the served branch is protected, so a merge says which commit was looked at: send"
                ' {"commit": ...} with the id, or If-Match with the ETag, that GET of the change'
                " gave"
            )
        merge = self._store.writing.land(lambda: self._try_merge(branch, writer, seen))
        if merge.change is None:
            return Merged(merge.commit, deleted=True)
        commit, refusal = merge.commit, None
        if not merge.is_new:
            # That may read the whole history, and so happens after the turn among the writers.
            commit = merge_of(self._repository, merge.commit, merge.change.commit.id)
            # A change that somebody else merged is still not for everyone to delete.
            refusal = self._deletion_refusal(branch, writer.access)
        deletes = delete_branch and refusal is None
        return Merged(commit, deletes and self._delete_merged(merge.change))

    def _delete_merged(self, change: ChangeRow) -> bool:
        """Delete the branch of a merged change; False if it has newer commits by now."""
        try:
            self._delete(change.branch, change.commit.id)
        except Moved:
            return False
        return True

    def _try_merge(self, branch: str, writer: Writer, seen: str | None) -> _Merge | None:
        """Merge the commit that *branch* is at now; None if the served branch moved meanwhile."""
        try:
            change = read_change(self._store, branch)
        except NotFound:
            return _Merge(None, self._merged_earlier(branch, seen), is_new=False)
        commit = change.commit.id
        if seen not in (None, commit):
            raise Moved(what_moved(self._repository, branch, seen, commit))
        base = self._store.catalogue()
        tip = base.history.tip
        if tip is None:
            raise Refused("the served branch has no commit yet; push it first")
        if self._repository.is_ancestor(commit, tip):
            return _Merge(change, tip, is_new=False)
        merge = self._make_merge(base, tip, change, writer)
        if not self._store.writing.move(base, merge, writer.access):
            return None
        return _Merge(change, merge, is_new=True)

    def _make_merge(self, base: Catalogue, tip: str, change: ChangeRow, writer: Writer) -> str:
        """The id of a new merge commit of *change* into *tip*, which no ref has yet."""
        merge, growth = growth_of_merge(self._repository, base, change.commit.id)
        access = self._merging_access(writer.access)
        require_acceptable(check_change(self._store, growth, self._jobtypes_limit), access)
        require_access(access, by_steps(growth.base, growth.steps))
        self._require_four_eyes(change, writer.access)
        self._require_approvals(change, writer.access)
        subject = writer.message or f"Merge {change.branch}: {change.commit.subject}"
        message = f"{subject}\n\n{MERGED}{change.branch}\n"
        parents = (tip, change.commit.id)
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
            raise missing_change(self._store, branch)
        merged = merge.parents[1:]
        if seen not in (None, *merged):
            raise Moved(
                f"the branch {branch} was merged in {merge.id} and deleted, and was not at {seen}"
                f" then, but at {', '.join(merged)}"
            )
        return merge.id

    def _merging_access(self, access: Access) -> Access:
        """*access*; on a protected branch, users without a token have the role write."""
        if self._store.protect and access is EVERYBODY:
            return replace(access, role=Role.WRITE)
        return access

    def _require_four_eyes(self, change: ChangeRow, access: Access) -> None:
        """Raise if, on a protected branch, the last user who pushed a change would merge it."""
        if not self._store.protect or access is EVERYBODY or access.role >= Role.ADMIN:
            return
        branch = change.branch
        pusher = self._repository.last_mover(HEADS + branch, change.commit.id)
        if pusher is None or trimmed(pusher) == trimmed(access.name):
            who = f"{access.name} pushed" if pusher else "nobody knows who pushed"
            raise Forbidden(f"{who} the last commit of {branch}; somebody else must merge it")

    def delete(self, branch: str, access: Access) -> None:
        """Delete the change on *branch*, if there is one; see Reviews.delete."""
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
