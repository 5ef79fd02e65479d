"""Writing to the served branch: take the turn, read the tip, apply, check, commit, move the ref."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TypeVar

from gitstore.branch.access import EVERYBODY, Access, direct_refusal, require_access
from gitstore.branch.reading import ServedBranch
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import Difference, difference, union
from gitstore.catalogue.steps import read_steps, step_between
from gitstore.checks.settings import Checks
from gitstore.checks.tree import check_tree
from gitstore.edits.edit import Edit, Edited
from gitstore.edits.readback import check_written
from gitstore.errors import BadRequest, Busy, Invalid, Moved, Protected, StorageFailed
from gitstore.git.commits import Signature
from gitstore.git.locks import Turns
from gitstore.git.stale_locks import StaleLocks
from gitstore.rules import Problem, errors_among

T = TypeVar("T")

SERVICE = Signature("Jobtype repository", "jobtypes@localhost")
"""The committer of every commit made here, and the author where no other is known."""

MESSAGE_LIMIT = 1000
"""Characters of the message that a writer gives, such as in the header X-Commit-Message."""

Outlet = Callable[[str | None, str], None]
"""Takes a step from one commit to another, or raises; see Upstream.publish."""

Precondition = Callable[[Catalogue], None]
"""Looks at the catalogue before a write, and raises if the write must not go on."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and the commit's message (None: the edit's own subject).

    The message stands below the subject of an edit that keeps its own.
    """

    access: Access = EVERYBODY
    message: str | None = None

    @property
    def signature(self) -> Signature:
        """The author of the commits."""
        if self.access is EVERYBODY:
            return SERVICE
        return Signature(self.access.name, self.access.email)


@dataclass(frozen=True, slots=True)
class Written:
    """A write: the catalogues *before* and *after* it, the same one if nothing differs."""

    before: Catalogue
    after: Catalogue


class _Discarded(Exception):
    """Ends the making of objects that nobody is to keep."""


class BranchWriter:
    """Writes to one served branch.

    *outlet* is where a write goes before the branch moves: the upstream. *note* gets the
    name of each event (commit, conflict ...). A protected branch moves by merges, and by
    admins. *limit_s* is how long a write may lose races before it gives up.
    """

    def __init__(
        self,
        served: ServedBranch,
        checks: Checks,
        is_protected: bool,
        locks: StaleLocks,
        note: Callable[[str], None],
    ) -> None:
        self.outlet: Outlet | None = None
        self.limit_s = 30.0
        self._served = served
        self._repository = served.repository
        self._checks = checks
        self._is_protected = is_protected
        self._locks = locks
        self._note = note
        self._turns = Turns(served.repository.git_dir / "jobtypes")

    def write(
        self,
        edits: Sequence[Edit],
        writer: Writer,
        precondition: Precondition | None = None,
        is_checked: bool = True,
    ) -> Written:
        """Apply *edits*, each a commit, and move the branch to the last; all or nothing.

        *is_checked* False is for edits that only bring back what was accepted before.

        Raises:
            Invalid: the validator refuses the result.
            Forbidden: *writer* may not change this.
            Busy: other writers were faster for too long.
        """
        refusal = direct_refusal(writer.access) if self._is_protected else None
        if refusal:
            raise Protected(f"{refusal}; push a branch and merge that")

        def attempt() -> Written | None:
            written = self.prepare(edits, writer, precondition, is_checked)
            return written if self._publish(written, writer.access) else None

        return self.land(attempt)

    def _publish(self, written: Written, access: Access) -> bool:
        """Move the branch to what was written; False if the branch is elsewhere by now."""
        tip = written.after.history.tip
        if written.after is written.before or tip is None:
            return True
        if not self.move(written.before, tip, access):
            return False
        self._served.adopt(written.before, written.after)
        return True

    def land(self, attempt: Callable[[], T | None], ref: str | None = None) -> T:
        """The result of *attempt*, which moves *ref*, None for the branch.

        *attempt* is called again while it gives None: it lost a race.

        Raises:
            Busy: other writers were faster for too long.
        """
        # Turns save lost races. With an outlet there are none: nobody waits for another's network.
        turn = self._turns.turn(self.limit_s) if self.outlet is None else nullcontext(True)
        with turn as has_come:
            give_up = time.monotonic() + self.limit_s
            while has_come:
                landed = attempt()
                if landed is not None:
                    return landed
                self._note("conflict")
                self._locks.remove(ref or self._served.ref)
                if time.monotonic() > give_up:
                    break
                time.sleep(random.uniform(0, 0.02))
        raise Busy("other writers kept the branch busy; try again")

    def prepare(
        self,
        edits: Sequence[Edit],
        writer: Writer,
        precondition: Precondition | None = None,
        is_checked: bool = True,
        onto: Catalogue | None = None,
    ) -> Written:
        """Like `write`, but the branch stays where it is.

        The commits go on from *onto*, None for the branch as it is.
        """
        base = catalogue = onto or self._served.catalogue()
        if precondition:
            precondition(base)
        differences: list[Difference] = []
        # Objects go to disk at the end of the block: a refused write leaves none.
        with self._repository.together():
            for edit in edits:
                edited = edit(catalogue)
                if edited is None:
                    continue
                last, catalogue = catalogue, self._commit(catalogue, edited, writer, is_checked)
                # A difference takes longer with every jobtype, so only make it where needed.
                if writer.access.is_limited:
                    differences.append(difference(last, catalogue))
            if writer.access.is_limited:
                require_access(writer.access, union(differences))
        return Written(base, catalogue)

    def check(
        self, edits: Sequence[Edit], onto: Catalogue | None = None
    ) -> tuple[Catalogue, Catalogue, tuple[Problem, ...]]:
        """The catalogues before and after *edits*, and what is wrong with them; nothing is kept."""
        before = after = onto or self._served.catalogue()
        problems: list[Problem] = []
        try:
            with self._repository.together():
                for edit in edits:
                    if (edited := edit(after)) is not None:
                        problems += self._check(after, edited)
                        after = self._commit(after, edited, Writer(), is_checked=False)
                raise _Discarded
        except Invalid as error:
            problems += error.problems
        except _Discarded:
            pass
        return before, after, tuple(problems)

    def _check(self, base: Catalogue, edited: Edited) -> list[Problem]:
        """What is wrong with the tree that comes of *edited*, also where that is a warning."""
        if not edited.is_checked:
            return []
        tree = self._repository.write_tree(base.history.tree, edited.files)
        return check_tree(self._repository, tree, base, self._checks, touched=edited.jobtypes)

    def _commit(
        self, base: Catalogue, edited: Edited, writer: Writer, is_checked: bool
    ) -> Catalogue:
        """The catalogue at a new commit with *edited*; *base* where nothing differs."""
        repository, history = self._repository, base.history
        tree = repository.write_tree(history.tree, edited.files)
        if tree == history.tree and not edited.trailers:
            after = base
        else:
            if is_checked and edited.is_checked:
                problems = check_tree(repository, tree, base, self._checks, touched=edited.jobtypes)
                _require_none(errors_among(problems))
            message = _message(edited, writer)
            parents = (history.tip,) if history.tip else ()
            commit = repository.write_commit(tree, parents, message, writer.signature, SERVICE)
            after = base.extend([step_between(repository, history.tree, tree, commit, message)])
        _require_none(check_written(after, edited))
        return after

    def move(self, base: Catalogue, commit: str, access: Access) -> bool:
        """Move the branch from *base*'s tip to *commit*; False if it is elsewhere by now."""
        old, by = base.history.tip, Signature(access.name, access.email)
        try:
            if self.outlet is None:
                self._repository.move(self._served.ref, old, commit, by, "rest")
            else:
                self.outlet(old, commit)
                self._catch_up(old, commit, by)
        except Moved:
            if not self._has_come_back(old, commit):
                return False
        self._note("commit")
        return True

    def _catch_up(self, old: str | None, commit: str, by: Signature) -> None:
        """Move the branch from *old* to *commit*, which upstream has by now.

        Nothing is written again: upstream would get a second commit.

        Raises:
            StorageFailed: the branch can't be moved; the message says what upstream has.
        """

        def attempt() -> bool | None:
            try:
                self._repository.move(self._served.ref, old, commit, by, "rest")
            except Moved:
                return self._has_come_back(old, commit) or None
            return True

        landed = (
            f"Upstream has the commit {commit}, and the next fetch brings it: don't write again"
        )
        try:
            self.land(attempt)
        except Busy:
            raise StorageFailed(f"the branch here stayed locked. {landed}") from None
        except StorageFailed as error:
            raise type(error)(f"{error}. {landed}") from error

    def _has_come_back(self, old: str | None, commit: str) -> bool:
        """Whether a fetch from upstream, which took *commit*, moved the branch there already."""
        tip = self._repository.tip(self._served.ref)
        if self.outlet is None or tip is None or tip == old:
            return False
        return self._repository.is_ancestor(commit, tip)

    def follow(self, commit: str, by: Signature, why: str) -> None:
        """Move the branch to *commit*, which was made elsewhere.

        The catalogue is made first: a commit that can't be numbered can't be served.

        Raises:
            Refused: the served commit is not on the first-parent chain of *commit*.
            Moved: somebody else moved the branch meanwhile.
        """
        served, repository = self._served, self._repository
        last = served.last_tip()
        base: Catalogue | None = None
        if last is not None and repository.tip(served.ref) is None:
            # The branch was lost, and comes back.
            repository.check_growth(last, commit)
            new = served.build(commit)
        else:
            base = served.catalogue()
            new = base.extend(read_steps(repository, base.history.tip, commit))
        repository.move(served.ref, base.history.tip if base else None, commit, by, why)
        served.adopt(base, new)
        served.keep_index()


def _require_none(errors: Collection[Problem]) -> None:
    if errors:
        raise Invalid(errors)


def require_message(message: str, name: str, field: str = "") -> None:
    """Raise unless *message*, which the sender knows as *name*, can be a commit's.

    Raises:
        BadRequest: it is too long, or holds control characters.
    """
    if len(message) > MESSAGE_LIMIT:
        raise BadRequest(f"{name} is over {MESSAGE_LIMIT} characters; shorten it", field)
    if any(not (c.isprintable() or c == "\t") for c in message):
        raise BadRequest(f"{name} holds a control character; remove it", field)


def _message(edited: Edited, writer: Writer) -> str:
    """The commit's message: the trailers are its last paragraph, which is never its first."""
    message = (writer.message or edited.subject).strip()
    if edited.keeps_subject and writer.message:
        message = f"{edited.subject}\n\n{message}"
    trailers = "\n".join(edited.trailers)
    return f"{message}\n\n{trailers}\n" if trailers else f"{message}\n"
