"""Writes that become a branch, for review, where the served branch is not to be written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
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
from gitstore.errors import Forbidden, Moved, Refused
from gitstore.format.layout import ref_component
from gitstore.git.commits import Signature

NUMBERS_TRIED = 1000
"""How many branches of one name there may be at a time."""


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
        Refused: there are too many such branches.
    """
    written = upstream.store.writing.prepare(edits, writer, precondition, is_checked)
    commit = written.after.history.tip
    if written.after is written.before or commit is None:
        return written
    if not is_for_person:
        subject = difference(written.before, written.after).subject()
        branch = f"jobtypes/{ref_component(subject)}/{commit[:10]}"
        upstream.push(commit, branch)
        return Proposed(branch, commit)
    known = upstream.branches()
    for branch in _branches(written, writer.access):
        if branch not in known:
            with suppress(Moved):  # Somebody has made it since the last fetch.
                upstream.push(commit, branch)
                return Proposed(branch, commit)
    raise _too_many(writer.access)


def _branches(written: Written, access: Access) -> Iterator[str]:
    """Yield ``web/<user>/<jobtype>-<n>`` for each n."""
    subject = difference(written.before, written.after).subject()
    user = "anybody" if access is EVERYBODY else access.name
    name = f"web/{ref_component(user)}/{ref_component(subject)}"
    yield from (f"{name}-{number}" for number in range(1, NUMBERS_TRIED + 1))


def _too_many(access: Access) -> Refused:
    return Refused(f"{access.name} has {NUMBERS_TRIED} such branches; merge or delete some")


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
        Refused: there are too many such branches.
    """
    written = store.writing.prepare(edits, writer, precondition, is_checked)
    commit = written.after.history.tip
    if written.after is written.before or commit is None:
        return written
    access, log = writer.access, ReviewLog(store.repository, store.writing)
    for branch in _branches(written, access):
        # What was said of an earlier change is not about this one.
        is_free = store.repository.tip(HEADS + branch) is None and not log.read(branch).last
        if is_free and _made(store, HEADS + branch, commit, access):
            return Proposed(branch, commit)
    raise _too_many(access)


def _made(store: Store, ref: str, commit: str, access: Access) -> bool:
    """Whether *ref* was made just now, at *commit*; False if somebody else was faster."""
    try:
        store.repository.move(ref, None, commit, Signature(access.name, access.email), "web")
    except Moved:
        return False
    return True


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
