"""What people say about a change before it is merged: comments, and approvals.

An approval names the commit that was looked at, so the next push leaves it behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gitstore.branch.access import EVERYBODY, Access, Role
from gitstore.branch.changes import HEADS, ChangeRow, read_change
from gitstore.branch.merges import what_moved
from gitstore.branch.review_log import TEXT_LIMIT, Entry, ReviewLog, Thread, new_entry
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.errors import BadRequest, Forbidden, Moved, NotFound, ReadOnly
from gitstore.format.layout import escaped, is_text, shown
from gitstore.git.blame import count_lines
from gitstore.git.commits import trimmed

if TYPE_CHECKING:
    from gitstore.catalogue.difference import Difference


class UnknownPlace(NotFound):
    """A file or a line that a change does not have; *field* says which of them."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Approvals:
    """The approvals of a change at *commit*, its last one.

    *required* is how many a merge needs. *counted* are those that count: one of each person, for
    this commit, and of nobody who pushed the change. *others* are the rest. *pushers* are None
    where nobody knows who pushed it; then none counts.
    """

    commit: str
    required: int
    counted: tuple[Entry, ...]
    others: tuple[Entry, ...]
    pushers: frozenset[str] | None

    @property
    def missing(self) -> int:
        """How many more a merge needs."""
        return max(0, self.required - len(self.counted))


def may_take_back(access: Access, entry: Entry) -> bool:
    """Whether *access* may take *entry* back: its author may, and an admin."""
    is_own = access.role >= Role.WRITE and entry.is_by(access.name)
    return is_own or not access.is_limited


class Discussion:
    """Comments on the changes of one store, and approvals of them.

    *makes* says what merging a commit would make, None where it conflicts.
    """

    def __init__(self, store: Store, makes: Callable[[str], Difference | None]) -> None:
        self._store = store
        self._repository = store.repository
        self._makes = makes
        self._log = ReviewLog(store.repository, store.writing)

    def comments(self, branch: str) -> Thread:
        """The comments on the change on *branch*, which may be merged and deleted by now.

        Raises:
            NotFound: there is no such change, and nobody ever commented on one.
            ReadOnly: changes are reviewed upstream.
        """
        self._require_here()
        thread = self._log.read(branch)
        if not thread.last:
            read_change(self._store, branch)
        return Thread(thread.of("comment"), thread.last, thread.unread)

    def comment(
        self,
        branch: str,
        writer: Writer,
        text: str,
        commit: str | None = None,
        path: str | None = None,
        line: int | None = None,
    ) -> Entry:
        """Comment on the change on *branch*, on a file of it, or on a line of the file.

        *commit* is the one that *writer* looked at, None for the last.

        Raises:
            NotFound: there is no such change.
            BadRequest: the text can't be.
            UnknownPlace: the change has no such file or line.
            Moved: the change has *commit* no more.
            Forbidden, ReadOnly: they may not comment, or not here.
        """
        self._require_writer(writer.access)
        change = read_change(self._store, branch)
        tip = change.commit.id
        if commit is not None and not self._contains(tip, commit):
            raise Moved(what_moved(self._repository, branch, commit, tip))
        if not text.strip():
            raise BadRequest("the comment is empty; write something", "text")
        if not is_text(text):
            raise BadRequest("the comment holds bytes that are no text; write UTF-8", "text")
        if len(text) > TEXT_LIMIT:
            raise BadRequest(f"the comment is over {TEXT_LIMIT} characters; shorten it", "text")
        entry = new_entry("comment", branch, commit or tip, writer)
        if path is None and line is not None:
            raise UnknownPlace("a line needs the path of its file", "path")
        if path is not None:
            self._require_place(entry.commit, path, line)
        entry = entry.model_copy(update={"path": path, "line": line, "text": text})
        return self._log.add(entry, writer)

    def take_back_comment(self, branch: str, number: int, writer: Writer) -> None:
        """Delete the comment of that number, if there is one.

        Raises:
            Forbidden: somebody else wrote it, and *writer* is no admin.
        """
        self._require_writer(writer.access)
        for entry in self._log.read(branch).of("comment"):
            if entry.number == number:
                if not may_take_back(writer.access, entry):
                    raise Forbidden(f"{entry.author} wrote it; only they or an admin may delete it")
                self._log.take_back(entry, writer)

    def approvals(self, branch: str) -> Approvals:
        """The approvals of the change on *branch*.

        Raises:
            NotFound: there is no such change.
            ReadOnly: changes are reviewed upstream.
        """
        self._require_here()
        return self._approvals(read_change(self._store, branch))

    def _approvals(self, change: ChangeRow) -> Approvals:
        commit = change.commit.id
        movers = self._repository.movers(HEADS + change.branch)
        counted: dict[str, Entry] = {}
        others = []
        for entry in self._log.read(change.branch).of("approval"):
            name = trimmed(entry.author)
            is_new = movers is not None and name not in movers and name not in counted
            if is_new and entry.commit == commit:
                counted[name] = entry
            else:
                others.append(entry)
        required = self._store.approvals_required
        return Approvals(commit, required, tuple(counted.values()), tuple(others), movers)

    def approve(self, branch: str, writer: Writer, commit: str) -> Entry:
        """Approve the change on *branch* at *commit*; to do so again changes nothing.

        Raises:
            NotFound: there is no such change.
            Moved: the change is at another commit.
            Forbidden, ReadOnly: they may not approve it, or not here.
        """
        access = writer.access
        self._require_writer(access)
        change = read_change(self._store, branch)
        if commit != change.commit.id:
            raise Moved(what_moved(self._repository, branch, commit, change.commit.id))
        movers = self._repository.movers(HEADS + branch)
        if movers is not None and trimmed(access.name) in movers and access is not EVERYBODY:
            raise Forbidden(
                f"{access.name} pushed to {escaped(branch)}; somebody else must approve it"
            )
        self._require_own(access, commit)
        for entry in self._log.read(branch).of("approval"):
            if entry.commit == commit and entry.is_by(access.name):
                return entry
        return self._log.add(new_entry("approval", branch, commit, writer), writer)

    def _require_own(self, access: Access, commit: str) -> None:
        """Raise unless *access* may touch all jobtypes that merging *commit* would change."""
        if not access.only:
            return
        made = self._makes(commit)
        if made is None:
            raise Forbidden(f"the change conflicts, so {access.name} can't approve it yet")
        for refusal in access.limit_refusals(made, "approve changes of"):
            raise Forbidden(refusal)

    def take_back_approval(self, branch: str, writer: Writer) -> None:
        """Take back the approvals that *writer* gave the change on *branch*, if there are any."""
        self._require_writer(writer.access)
        for entry in self._log.read(branch).of("approval"):
            if entry.is_by(writer.access.name):
                self._log.take_back(entry, writer)

    def require_approvals(self, change: ChangeRow, access: Access) -> None:
        """Raise Forbidden if *change* has fewer approvals than its merge by *access* needs.

        Admins need none. Where users can't be told apart, as without tokens, everybody does.
        """
        required = self._store.approvals_required
        if not required or (access is not EVERYBODY and access.role >= Role.ADMIN):
            return
        approvals = self._approvals(change)
        if approvals.missing:
            needs = f"{escaped(change.branch)} has {len(approvals.counted)} of {required} approvals"
            unknown = ", and nobody knows who pushed it" if approvals.pushers is None else ""
            raise Forbidden(
                f"{needs} at {change.commit.id}{unknown}; somebody who pushed none of it must"
                " approve that commit, or an admin merge it"
            )

    def _require_here(self) -> None:
        if self._store.writing.outlet is not None:
            raise ReadOnly(
                "this service follows an upstream; comment on changes and approve them there"
            )

    def _require_writer(self, access: Access) -> None:
        self._require_here()
        if access.role < Role.WRITE:
            raise Forbidden(f"{access.name} may only read")

    def _contains(self, tip: str, commit: str) -> bool:
        try:
            return self._repository.is_ancestor(self._repository.resolve(commit).id, tip)
        except NotFound:
            return False

    def _require_place(self, commit: str, path: str, line: int | None) -> None:
        """Raise UnknownPlace unless *commit* has a file at *path*, and that line in it."""
        repository = self._repository
        id: str | None = repository.commit(commit).tree
        is_file = False
        for name in path.split("/"):
            entry = repository.entries(id).get(name) if id else None
            is_file = entry is not None and entry.is_file
            id = entry.id if entry and (entry.is_tree or entry.is_file) else None
        if not is_file or id is None:
            raise UnknownPlace(f"the change has no file {shown(path)} at {commit}", "path")
        if line is not None:
            count = count_lines(repository.read_blob(id))
            if not 1 <= line <= count:
                raise UnknownPlace(f"{shown(path)} has {count} lines, and no line {line}", "line")
