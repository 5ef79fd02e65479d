"""Writes that become a branch, for review, where the served branch is not to be written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gitstore.branch.access import EVERYBODY, Access, Role
from gitstore.branch.changes import HEADS, read_change
from gitstore.branch.review_log import ReviewLog
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.branch.writing import Precondition, Writer, Written
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import difference
from gitstore.catalogue.steps import step_between
from gitstore.edits.edit import Edit
from gitstore.errors import Busy, Forbidden, Moved, Refused
from gitstore.format.layout import ref_component
from gitstore.git.commits import Signature

NUMBERS_TRIED = 1000
"""How many branches of one name there may be at a time."""

RACES_LOST = 10
"""How often others may be faster at making a branch, before a proposal gives up."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A write that waits for review: its *branch*, upstream's or ours, and its last *commit*."""

    branch: str
    commit: str


def propose(
    upstream: Upstream,
    edits: Sequence[Edit],
    writer: Writer,
    precondition: Precondition | None = None,
    is_checked: bool = True,
    is_for_person: bool = False,
) -> Written | Proposed:
    """Push *edits* to a new branch of upstream's; Written where nothing differs.

    The branch is ``jobtypes/<jobtype>/<short id>``; if it *is_for_person*, with a browser, it is
    the one that propose_here makes.

    Raises:
        Invalid, Forbidden: see BranchWriter.write.
        RemoteFailed: see Upstream.push.
        Refused: there are too many such branches, or another one is in the way.
    """
    written = upstream.store.writing.prepare(edits, writer, precondition, is_checked)
    commit = written.after.history.tip
    if written.after is written.before or commit is None:
        return written
    exists = upstream.branches().__contains__
    if not is_for_person:
        subject = difference(written.before, written.after).subject()
        branch = f"jobtypes/{ref_component(subject)}/{commit[:10]}"
        _require_room(branch, exists)
        upstream.push(commit, branch)
        return Proposed(branch, commit)

    def make(branch: str) -> bool:
        upstream.push(commit, branch)
        return True

    return Proposed(_make_branch(written, writer.access, exists, make), commit)


def _require_room(branch: str, exists: Callable[[str], bool]) -> None:
    """Raise Refused if *branch* can't be made because a branch of its first words *exists*."""
    words = branch.split("/")
    for above in ("/".join(words[:length]) for length in range(1, len(words))):
        if exists(above):
            raise Refused(
                f"the branch {above} is in the way: Git makes no branch {branch} next to it;"
                f" rename {above}, or delete it"
            )


def _make_branch(
    written: Written, access: Access, exists: Callable[[str], bool], make: Callable[[str], bool]
) -> str:
    """The first branch ``web/<user>/<jobtype>-<n>`` that does not exist and that *make* made.

    *make* gives False for a name that is not to be used, and raises Moved where it was not fast
    enough.

    Raises:
        Refused: there are too many such branches, or another one is in the way.
        Busy: others were faster again and again.
    """
    subject = difference(written.before, written.after).subject()
    user = "anybody" if access is EVERYBODY else access.name
    name = f"web/{ref_component(user)}/{ref_component(subject)}"
    _require_room(name, exists)
    lost = 0
    for branch in (f"{name}-{number}" for number in range(1, NUMBERS_TRIED + 1)):
        try:
            if not exists(branch) and make(branch):
                return branch
        except Moved:
            lost += 1
            if lost == RACES_LOST:
                message = f"no branch such as {branch} can be made: others make them, or stand in"
                raise Busy(f"{message} the way; look at the branches, and try again") from None
    raise Refused(f"{access.name} has {NUMBERS_TRIED} such branches; merge or delete some")


def propose_here(
    store: Store,
    edits: Sequence[Edit],
    writer: Writer,
    precondition: Precondition | None = None,
    is_checked: bool = True,
) -> Written | Proposed:
    """Make a new change of *edits*, on a branch ``web/<user>/<jobtype>-<n>``.

    Raises:
        Invalid, Forbidden: see BranchWriter.write.
        Refused: there are too many such branches, or another one is in the way.
    """
    written = store.writing.prepare(edits, writer, precondition, is_checked)
    commit = written.after.history.tip
    if written.after is written.before or commit is None:
        return written
    access, log = writer.access, ReviewLog(store.repository, store.writing)

    def exists(branch: str) -> bool:
        return store.repository.tip(HEADS + branch) is not None

    def make(branch: str) -> bool:
        # What was said of an earlier change is not about this one.
        if log.read(branch).last:
            return False
        by = Signature(access.name, access.email)
        store.repository.move(HEADS + branch, None, commit, by, "web")
        return True

    return Proposed(_make_branch(written, access, exists, make), commit)


def change_catalogue(store: Store, branch: str) -> Catalogue:
    """The catalogue at the last commit of the change on *branch*, as one step from the served one.

    Raises:
        NotFound: there is no such change.
    """
    commit = read_change(store, branch).commit
    base = store.catalogue()
    return base.extend(
        (step_between(store.repository, base.history.tree, commit.tree, commit.id),)
    )  # fmt: skip


def add_to_change(
    store: Store,
    branch: str,
    edits: Sequence[Edit],
    writer: Writer,
    precondition: Precondition | None = None,
    is_checked: bool = True,
) -> Proposed:
    """Add *edits* to the change on *branch*, as commits on top of its last one.

    Raises:
        NotFound: there is no such change.
        Invalid, Forbidden: see BranchWriter.write.
        Busy: others were faster for too long.
    """
    if writer.access.role < Role.WRITE:
        raise Forbidden(f"{writer.access.name} may only read")
    ref = HEADS + branch
    by = Signature(writer.access.name, writer.access.email)

    def attempt() -> Written | None:
        onto = change_catalogue(store, branch)
        written = store.writing.prepare(edits, writer, precondition, is_checked, onto)
        tip = written.after.history.tip
        if tip is not None and written.after is not written.before:
            try:
                store.repository.move(ref, onto.history.tip, tip, by, "web")
            except Moved:
                return None
        return written

    written = store.writing.land(attempt, ref)
    commit = written.after.history.tip
    assert commit is not None
    return Proposed(branch, commit)
