"""Comments and approvals as they are kept in Git: files in the tree of one ref (docs/format.md).

Each entry is a file of its own, so what is damaged takes no other entry with it. Catalogue,
numbers and code never depend on the log.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gitstore.branch.writing import SERVICE, BranchWriter, Writer
from gitstore.errors import Damaged, Moved, NotFound, OutOfBounds, Refused
from gitstore.format.layout import escaped
from gitstore.git.commits import Signature, trimmed
from gitstore.git.repository import Repository
from gitstore.git.trees import Entry as TreeEntry

REF = "refs/reviews/log"

ENTRIES_LIMIT = 1000
"""Entries of one change, also those that were taken back."""

TEXT_LIMIT = 10_000
"""Characters of a comment."""

_ENTRY_LIMIT_BYTES = 128 * 1024
"""Larger files are none of ours."""

_FILE = re.compile(r"([0-9]{4})\.json")


class Entry(BaseModel):
    """A comment on a change, or an approval of it.

    *commit* is the change's commit that its author looked at, *line* a line of the file at *path*
    there. *number* counts the change's entries, and is not part of the file.
    """

    model_config = ConfigDict(frozen=True, strict=True)

    kind: Literal["comment", "approval"]
    branch: str
    commit: Annotated[str, Field(pattern="^[0-9a-f]{40}$")]
    author: str
    email: str
    date: str
    path: str | None = None
    line: int | None = None
    text: str = ""
    taken_back: str | None = None
    number: Annotated[int, Field(exclude=True)] = 0

    def is_by(self, name: str) -> bool:
        """Whether the person of that name wrote it."""
        return trimmed(self.author) == trimmed(name)


@dataclass(frozen=True, slots=True)
class Thread:
    """The entries of one change, oldest first.

    *last* is the highest number that was given, also to an entry that can't be read any more;
    *unread* is how many can't.
    """

    entries: tuple[Entry, ...] = ()
    last: int = 0
    unread: int = 0

    def of(self, kind: str) -> tuple[Entry, ...]:
        """The entries of that kind that were not taken back."""
        return tuple(e for e in self.entries if e.kind == kind and e.taken_back is None)


class ReviewLog:
    """The log of one repository. *writing* gives each write its turn."""

    def __init__(self, repository: Repository, writing: BranchWriter) -> None:
        self._repository = repository
        self._writing = writing

    def read(self, branch: str) -> Thread:
        """The entries of the change on *branch*; what is damaged is left out."""
        try:
            return self._read(self._tree(self._repository.tip(REF)), branch)
        except (Damaged, NotFound, OutOfBounds):
            return Thread(unread=1)

    def add(self, entry: Entry, writer: Writer) -> Entry:
        """Keep *entry*, which gets the next number; the entry with it.

        Raises:
            Refused: its change has too many.
        """

        def make(thread: Thread) -> Entry:
            if thread.last >= ENTRIES_LIMIT:
                raise Refused(
                    f"{entry.branch} has {thread.last} comments and approvals, and that is the"
                    " limit; push it as another branch"
                )
            return entry.model_copy(update={"number": thread.last + 1})

        return self._write(entry.branch, make, writer, f"{entry.kind} by {entry.author}")

    def take_back(self, entry: Entry, writer: Writer) -> None:
        """Leave nothing of *entry* in sight; the history of the log keeps it."""

        def make(thread: Thread) -> Entry:
            return entry.model_copy(update={"text": "", "taken_back": now()})

        self._write(entry.branch, make, writer, f"{entry.kind} by {entry.author} taken back")

    def _write(
        self, branch: str, make: Callable[[Thread], Entry], writer: Writer, what: str
    ) -> Entry:
        message = f"{escaped(branch)}: {escaped(what)}\n"
        repository = self._repository

        def attempt() -> Entry | None:
            tip = repository.tip(REF)
            tree = self._tree(tip)
            entry = make(self._read(tree, branch))
            path = f"{_folder(branch)}/{entry.number:04}.json"
            with repository.together():
                changed = repository.write_tree(tree, {path: _encoded(entry)})
                parents = (tip,) if tip else ()
                commit = repository.write_commit(
                    changed, parents, message, writer.signature, SERVICE
                )
            by = Signature(writer.access.name, writer.access.email)
            try:
                repository.move(REF, tip, commit, by, "review")
            except Moved:
                return None
            return entry

        return self._writing.land(attempt, REF)

    def _tree(self, tip: str | None) -> str | None:
        """The tree at *tip*, None before the first entry.

        Raises:
            Damaged: it can't be read.
        """
        try:
            return self._repository.commit(tip).tree if tip else None
        except NotFound:
            raise Damaged(f"{REF} is at no commit; restore it from a mirror") from None

    def _read(self, tree: str | None, branch: str) -> Thread:
        """The entries of *branch* in *tree*.

        Raises:
            Damaged: a folder can't be read.
        """
        for name in _folder(branch).split("/"):
            entry = self._repository.entries(tree).get(name) if tree else None
            tree = entry.id if entry and entry.is_tree else None
        return self._thread(self._repository.entries(tree), branch) if tree else Thread()

    def _thread(self, files: Mapping[str, TreeEntry], branch: str) -> Thread:
        entries, last, unread = [], 0, 0
        for name, file in sorted(files.items()):
            match = _FILE.fullmatch(name)
            if match is None:
                continue
            last = int(match[1])
            entry = self._entry(file, last)
            if entry is None or entry.branch != branch:
                unread += 1
            else:
                entries.append(entry)
        return Thread(tuple(entries), last, unread)

    def _entry(self, file: TreeEntry, number: int) -> Entry | None:
        try:
            header = self._repository.header(file.id)
            if header is None or header.kind != "blob" or header.size > _ENTRY_LIMIT_BYTES:
                return None
            entry = Entry.model_validate_json(self._repository.read_blob(file.id))
        except (Damaged, ValidationError):
            return None
        return entry.model_copy(update={"number": number})


def new_entry(kind: Literal["comment", "approval"], branch: str, commit: str, by: Writer) -> Entry:
    """An entry of *by*, now, about nothing yet but the whole change."""
    name, email = by.access.name, by.access.email
    return Entry(kind=kind, branch=branch, commit=commit, author=name, email=email, date=now())


def now() -> str:
    """The time, as entries have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _encoded(entry: Entry) -> bytes:
    values = entry.model_dump(exclude_none=True)
    return (json.dumps(values, indent=1, ensure_ascii=False) + "\n").encode()


def _folder(branch: str) -> str:
    """Where the entries of *branch* are: a name of any length or form has a folder."""
    digest = hashlib.sha256(branch.encode(errors="surrogateescape")).hexdigest()
    return f"{digest[:2]}/{digest[2:40]}"
