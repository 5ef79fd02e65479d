"""What the system can do with a repository: the use cases.

Reading is ``catalogue()``; every write goes through ``write()``, which puts a change
against the tip, checks it, commits it and moves the ref, from the top again if somebody
else was faster. Writes that wait for their turn at the same time are made one on top of the
other, written together, and move the ref once.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import nullcontext, suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from gitstore.branch.access import EVERYBODY, Access, direct_refusal
from gitstore.branch.batches import Batches
from gitstore.branch.tags import publish
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents
from gitstore.catalogue.difference import Difference, by_steps, difference, union
from gitstore.catalogue.history import History, Jobtype, Step, Version
from gitstore.catalogue.index import Index
from gitstore.catalogue.steps import read_steps, step_between
from gitstore.checks.extras import unseen
from gitstore.checks.settings import Checks
from gitstore.checks.tree import check_tree
from gitstore.edits.jobtypes import Change, Edit
from gitstore.edits.readback import check_written
from gitstore.errors import (
    Busy,
    Damaged,
    Forbidden,
    Invalid,
    Moved,
    Problem,
    Refused,
    errors_among,
)
from gitstore.format import layout
from gitstore.git.commits import Commit, Signature
from gitstore.git.file_watch import Watch, Watched
from gitstore.git.locks import Turns, file_lock
from gitstore.git.repository import Repository
from gitstore.git.stale_locks import StaleLocks

_LOG = logging.getLogger(__name__)

T = TypeVar("T")

SERVICE = Signature("Jobtype repository", "jobtypes@localhost")
"""Who commits, and who is the author where no other is known."""

_FIRST_PAUSES_S = (0, 0.02, 0.1)
"""How long a ref that has been written about is waited for, before it is called lost."""

INDEX_STEPS = 500
"""Steps after which the index on disk is written again."""

Progress = Callable[[int, int], None]
"""Told how many steps of how many are read."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes, and the message that is to stand in the commit (None: one is written)."""

    access: Access = EVERYBODY
    message: str | None = None

    @property
    def signature(self) -> Signature:
        """The author of the commits."""
        if self.access is EVERYBODY:
            return SERVICE
        return Signature(self.access.name, self.access.email)


Outlet = Callable[[str | None, str], None]
"""Takes a step from one commit to another, or raises; see Upstream.publish."""


@dataclass(slots=True, eq=False)
class _Order:
    """A write that is wanted, and what came of it: the catalogue that it *made*, or an *error*.

    *before* and the changes may look at whatever their thread has for itself (the request it
    answers), so they run in its *context*.
    """

    changes: Sequence[Change]
    writer: Writer
    before: Callable[[Catalogue], None] | None
    checked: bool
    context: Context = field(default_factory=copy_context)
    made: Catalogue | None = None
    error: Exception | None = None

    def try_on(self, base: Catalogue, prepare: Callable[[Catalogue, _Order], Catalogue]) -> None:
        """See what comes of it on *base*. That is forgotten when it is tried again."""
        self.made = self.error = None
        try:
            self.made = self.context.run(prepare, base, self)
        except Exception as error:
            self.error = error


@dataclass(frozen=True, slots=True)
class Growth:
    """What moving a branch would add to *base*: the *steps*, of which the last has *tree*."""

    base: Catalogue
    tree: str
    steps: tuple[Step, ...]

    @property
    def jobtypes(self) -> frozenset[str]:
        """The names of the jobtypes that the steps change; nothing was validated for it."""
        return frozenset(name for step in self.steps for name in step.jobtypes)

    def excess(self, limit: int) -> str:
        """How the steps change more jobtypes than the *limit*, empty if they don't.

        Told before anything is checked, which takes milliseconds for each jobtype.
        """
        changed = len(self.jobtypes)
        return f"changes {changed} jobtypes; {limit} is the limit" if changed > limit else ""


@dataclass(frozen=True, slots=True)
class Push:
    """What a push would do: the catalogue after it, what differs, what is wrong."""

    after: Catalogue
    difference: Difference
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class LogRow:
    """A version in the history of a jobtype: what *commit* made it, and its *state* now.

    *before* is the number of the version before it, None for the first.
    """

    version: Version
    commit: Commit
    state: str
    before: int | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """Some of the *total* versions of a jobtype, newest first: those from *start* to *end*."""

    rows: tuple[LogRow, ...]
    start: int
    end: int
    total: int


class Store:
    """One served branch of one repository.

    Threads share it; processes share the repository, and nothing but the ref passes
    between them. *outlet* is where a write goes before the branch moves: the upstream.
    *note* gets an event's name (commit, conflict, fetch ...), and
    counts it.
    *protect* is whether the branch moves by merges alone, and by admins.
    *write_limit_s* is how long a write may lose races before it gives up.
    """

    def __init__(
        self,
        path: Path | Repository,
        ref: str | None = None,
        checks: Checks | None = None,
        protect: bool = False,
    ) -> None:
        self.repository = path if isinstance(path, Repository) else Repository(path)
        self.ref = ref or self.repository.head_ref()
        self.checks = checks or Checks()
        self.protect = protect
        self.index = Index(self.repository.git_dir, self.ref)
        self.locks = StaleLocks(self.repository.git_dir)
        self.write_limit_s = 30.0
        self.outlet: Outlet | None = None
        self.note: Callable[[str], None] = lambda event: None
        self._seen = Watched[Catalogue](Watch(self.repository.git_dir, self.ref), self._read)
        self._catalogue: Catalogue | None = None
        self._indexed = 0
        self._tagged = 0
        self._reading = threading.Lock()
        self._turns = Turns(self.repository.git_dir / "jobtypes")
        self._batches = Batches[_Order](self._turns, self._make)

    # Reading

    def catalogue(self, progress: Progress | None = None) -> Catalogue:
        """What the branch says now."""
        return self._seen.get(progress)

    def _read(self, progress: Progress | None) -> Catalogue:
        """As catalogue, by reading the ref."""
        tip = self.repository.tip(self.ref)
        known = self._catalogue
        if known is not None and known.history.tip == tip:
            return known
        with self._reading:
            # Read again: the branch may have moved while another thread was here, and
            # what this one saw before may be older than what is known by now.
            tip = self.repository.tip(self.ref) or self._first_tip()
            known = self._catalogue
            is_first = known is None
            if known is None or known.history.tip != tip:
                self._catalogue = known = self._at(tip, known, progress)
        if is_first:
            self.keep_index()
        return known

    def _at(self, tip: str | None, known: Catalogue | None, progress: Progress | None) -> Catalogue:
        contents = known.contents if known else Contents(self.repository)
        if tip is None:
            return Catalogue(History(), contents)
        if known is None:
            kept = self.index.read() or History()
            self._indexed = kept.counters.steps
            known = Catalogue(kept, contents)
        try:
            return known.extend(read_steps(self.repository, known.history.tip, tip, progress))
        except Refused:
            if known.history.tip is not None and self._catalogue is not None:
                _LOG.error("%s was rewritten outside the service: read again", self.ref)
            self._indexed = 0
            return self.build(tip, contents, progress)

    def _first_tip(self) -> str | None:
        """Where the branch is by now, whose first commit may just be made; None without one.

        Raises:
            Damaged, StorageFailed: as _check_never_begun.
        """
        for pause_s in _FIRST_PAUSES_S:
            try:
                self._check_never_begun()
                return None
            except Damaged:
                # The reflog has the first commit a moment before the ref has it.
                time.sleep(pause_s)
                if tip := self.repository.tip(self.ref):
                    return tip
        self._check_never_begun()
        return None

    def last_tip(self) -> str | None:
        """The commit where the branch is, or was when it was last seen, before it was lost."""
        known = self._catalogue.history if self._catalogue else self.index.read() or History()
        return self.repository.tip(self.ref) or known.tip or self.repository.last_logged(self.ref)

    def _check_never_begun(self) -> None:
        """Tell a branch that has no commit yet from one that was lost.

        Taken for new, it would be numbered from 1 again, and agents keep what they once got.

        Raises:
            Damaged: it was there.
            StorageFailed: the repository itself is gone.
        """
        self.repository.require_readable()
        lost = self.last_tip()
        if lost is not None:
            raise Damaged(
                f"{self.ref} is gone, which was at {lost}; put it back:"
                f" git update-ref {self.ref} {lost}"
            )

    def build(
        self, tip: str, contents: Contents | None = None, progress: Progress | None = None
    ) -> Catalogue:
        """The catalogue at commit *tip*, from nothing."""
        empty = Catalogue(History(), contents or Contents(self.repository))
        return empty.extend(read_steps(self.repository, None, tip, progress))

    def keep_index(self) -> None:
        """Write the index again, if there are that many more steps than it has.

        The first read does so itself; later ones should not wait for it.
        """
        known = self._catalogue
        if known is not None and known.history.counters.steps - self._indexed >= INDEX_STEPS:
            self._indexed = known.history.counters.steps
            self.index.write(known.history)

    def rebuild_index(self, progress: Progress | None = None) -> Catalogue:
        """The catalogue, read from nothing and kept on disk."""
        if self.repository.tip(self.ref) is None:
            self._check_never_begun()
        self.index.delete()
        with self._reading:
            self._catalogue = None
            self._seen.forget()
        catalogue = self._read(progress)
        self.index.write(catalogue.history)
        return catalogue

    # Writing

    def write(
        self,
        changes: Sequence[Change],
        writer: Writer,
        before: Callable[[Catalogue], None] | None = None,
        checked: bool = True,
    ) -> Catalogue:
        """Make *changes*, each a commit, and move the branch to the last; all or nothing.

        *before* may look at the catalogue that is to be changed and raise. *checked*
        False is for changes that only bring back what was accepted before. Returns the
        catalogue at the new tip, or at the old one where there was nothing to do.

        Raises:
            Invalid: the validator refuses the result.
            Forbidden: it is not for this writer to change.
            Busy: other writers were faster for too long.
        """
        refusal = direct_refusal(writer.access) if self.protect else None
        if refusal:
            raise Forbidden(f"{refusal}; push a branch and merge that")
        order = _Order(changes, writer, before, checked)
        if self.outlet is not None:
            # Nobody waits for another's network.
            self._make([order])
        elif not self._batches.join(order, self.write_limit_s):
            raise self._busy()
        if order.error is not None:
            raise order.error
        assert order.made is not None
        return order.made

    def _make(self, orders: list[_Order]) -> None:
        """Make what *orders* want, one on top of the other, and move the branch once."""
        try:
            self._repeat(lambda: self._try_make(orders))
        except Exception as error:
            if len(orders) == 1:
                orders[0].error = error
                return
            # Nothing was moved. What one of them ran into is not for the others to bear.
            for order in orders:
                self._make([order])

    def _try_make(self, orders: list[_Order]) -> bool | None:
        """Try to; None where somebody else moved the branch."""
        base = now = self.catalogue()
        landing: list[_Order] = []
        with self.repository.together():
            for order in orders:
                order.try_on(now, self._prepare)
                if order.made is not None and order.made is not now:
                    now = order.made
                    landing.append(order)
        if not landing:
            return True
        try:
            if not self._move(base, now, landing[-1].writer):
                return None
        except Exception as error:
            # Who knows whether it moved: to try again could make all of it twice.
            for order in orders:
                order.error = error
        else:
            for _ in landing[1:]:
                self.note("commit")
        return True

    def land(self, attempt: Callable[[], T | None]) -> T:
        """What *attempt* gives, which moves the branch; repeated while it loses races, with None.

        Raises:
            Busy: other writers were faster for too long.
        """
        # One at a time saves lost races; but nobody waits for another's network.
        turn = self._turns.turn(self.write_limit_s) if self.outlet is None else nullcontext(True)
        with turn as has_come:
            if has_come:
                return self._repeat(attempt)
        raise self._busy()

    def _repeat(self, attempt: Callable[[], T | None]) -> T:
        """Like land, for a caller that already holds the turn."""
        give_up = time.monotonic() + self.write_limit_s
        while True:
            landed = attempt()
            if landed is not None:
                return landed
            self.note("conflict")
            self.locks.remove(self.ref)
            if time.monotonic() > give_up:
                raise self._busy()
            time.sleep(random.uniform(0, 0.02))

    def _busy(self) -> Busy:
        return Busy("other writers kept the branch busy; try again")

    def prepare(
        self,
        changes: Sequence[Change],
        writer: Writer,
        before: Callable[[Catalogue], None] | None = None,
        checked: bool = True,
    ) -> tuple[Catalogue, Catalogue]:
        """As write, but the branch stays: the catalogues before and after the changes."""
        base = self.catalogue()
        return base, self._prepare(base, _Order(changes, writer, before, checked))

    def _prepare(self, base: Catalogue, order: _Order) -> Catalogue:
        """The catalogue that *order* makes of *base*, all of it or nothing."""
        if order.before:
            order.before(base)
        catalogue, access = base, order.writer.access
        made: list[Difference] = []
        with self.repository.together():
            for change in order.changes:
                edit = change(catalogue)
                if edit is None:
                    continue
                last, catalogue = catalogue, self._commit(catalogue, edit, order)
                # To find out what differs takes the longer, the more jobtypes there are.
                if access.is_limited:
                    made.append(difference(last, catalogue))
            if access.is_limited:
                check_access(access, union(made))
        return catalogue

    def _commit(self, base: Catalogue, edit: Edit, order: _Order) -> Catalogue:
        repository, history, writer = self.repository, base.history, order.writer
        tree = repository.write_tree(history.tree, edit.changes)
        if tree == history.tree and not edit.trailers:
            after = base
        else:
            if order.checked and edit.checked:
                problems = check_tree(repository, tree, base, self.checks, touched=edit.jobtypes)
                _require_none(errors_among(problems))
            message = _message(writer.message or edit.subject, edit.trailers)
            parents = (history.tip,) if history.tip else ()
            commit = repository.write_commit(tree, parents, message, writer.signature, SERVICE)
            after = base.extend([step_between(repository, history.tree, tree, commit, message)])
        _require_none(check_written(after, edit))
        return after

    def move(self, base: Catalogue, commit: str, access: Access) -> bool:
        """Move the branch from *base*'s tip to *commit*; False if it is elsewhere by now."""
        moved = self._is_moved(base.history.tip, commit, Signature(access.name, access.email))
        if moved:
            self.note("commit")
        return moved

    def _is_moved(self, old: str | None, commit: str, by: Signature) -> bool:
        try:
            if self.outlet is not None:
                self.outlet(old, commit)
            self.repository.move(self.ref, old, commit, by, "rest")
        except Moved:
            # What upstream took may have come back with a fetch before we got here.
            tip = self.repository.tip(self.ref)
            return (
                self.outlet is not None
                and tip is not None
                and tip != old
                and (self.repository.is_ancestor(commit, tip))
            )
        return True

    def _move(self, base: Catalogue, new: Catalogue, writer: Writer) -> bool:
        tip = new.history.tip
        assert tip is not None
        if not self.move(base, tip, writer.access):
            return False
        self._adopt(base, new)
        return True

    def _adopt(self, base: Catalogue | None, new: Catalogue) -> None:
        """Know *new*, to which the branch was moved, if nothing later than *base* is known."""
        with self._reading:
            if self._catalogue is base:
                self._catalogue = new

    def follow(self, commit: str, by: Signature, why: str) -> None:
        """Move the branch to *commit*, which was made elsewhere.

        The catalogue is made first: what can't be numbered can't be served.

        Raises:
            Refused: what is served is not on its first-parent chain.
            Moved: the branch was moved by somebody else meanwhile.
        """
        last = self.last_tip()
        if last is not None and self.repository.tip(self.ref) is None:
            # The branch was lost, and comes back.
            self.repository.check_growth(last, commit)
            base, new = None, self.build(commit)
        else:
            base = self.catalogue()
            new = base.extend(read_steps(self.repository, base.history.tip, commit))
        self.repository.move(self.ref, base.history.tip if base else None, commit, by, why)
        self._adopt(base, new)
        self.keep_index()

    # The command line's and the hooks' questions

    def growth(self, new: str) -> Growth:
        """What moving the branch to commit *new* would add.

        Raises:
            Refused: the tip is not on the first-parent chain of *new*.
        """
        base = self.catalogue()
        steps = tuple(read_steps(self.repository, base.history.tip, new))
        return Growth(base, self.repository.commit(new).tree, steps)

    def growth_by(self, new: str) -> Growth:
        """What commit *new* of another branch has that the served one has not, as one step."""
        base = self.catalogue()
        tree = self.repository.commit(new).tree
        return Growth(base, tree, (step_between(self.repository, base.history.tree, tree, new),))

    def check_push(self, growth: Growth) -> Push:
        """What would come of moving the branch by *growth*."""
        base, steps = growth.base, growth.steps
        after = base.extend(steps)
        problems = check_tree(self.repository, growth.tree, base, self.checks, after=after.history)
        return Push(after, difference(base, after, steps), tuple(problems))

    def require_access(self, access: Access, growth: Growth) -> None:
        """Hold each step of *growth* against what *access* may change.

        Raises:
            Forbidden: one of them is not for them to make, even if a later one undoes it.
        """
        if access.is_limited:
            check_access(access, by_steps(growth.base, growth.steps))

    def unseen(self, growth: Growth) -> list[str]:
        """A sentence for each jobtype that *growth* gives files which no agent will see."""
        trees = (growth.base.history.tree, growth.tree)
        old, new = (self.repository.entries(tree) if tree else {} for tree in trees)
        below = (root.get(layout.JOBTYPES) for root in (old, new))
        before, after = (
            self.repository.entries(entry.id) if entry and entry.is_tree else {} for entry in below
        )
        return list(unseen(self.repository, before, after))

    def check_growth(self, growth: Growth) -> list[Problem]:
        """What is wrong with the last tree of *growth*, as a successor of its base."""
        return check_tree(growth.base.contents.objects, growth.tree, growth.base, self.checks)

    def check_against(self, new: str, base: Catalogue) -> list[Problem]:
        """What is wrong with commit *new*, as a successor of *base*."""
        tree = self.repository.commit(new).tree
        after = None
        with suppress(Refused):  # What does not go on from *base* is compared as one step.
            after = base.history.extend(read_steps(self.repository, base.history.tip, new))
        return check_tree(self.repository, tree, base, self.checks, after=after)

    def at(self, commit: str | None) -> Catalogue:
        """The catalogue at *commit* of this branch, None for the time before the first.

        Reads the history from nothing where *commit* is not a successor of the tip.
        """
        if commit is None:
            return Catalogue(History(), Contents(self.repository))
        base = self.catalogue()
        if base.history.tip == commit:
            return base
        try:
            return base.extend(read_steps(self.repository, base.history.tip, commit))
        except Refused:
            return self.build(commit, base.contents)

    def commit(self, id: str) -> Commit:
        """The commit *id*."""
        return self.repository.commit(id)

    def log(self, key: str) -> tuple[LogRow, ...]:
        """Every version of the jobtype of that name or id, newest first.

        Those of deleted jobtypes of that name are among them.

        Raises:
            NotFound: there never was one.
        """
        return self.log_page(key, None, None).rows

    def log_page(self, key: str, until: int | None, count: int | None) -> Log:
        """As log, but of the first *until* versions the last *count*; None for all.

        Raises:
            NotFound: there never was one.
        """
        catalogue = self.catalogue()
        ended = [j for j in catalogue.history.ended if j.name == key]
        current = catalogue.find_jobtype(key)
        jobtypes = ended if current is None and ended else [*ended, catalogue.jobtype(key)]
        made = [(jobtype, version) for jobtype in jobtypes for version in jobtype.versions]
        end = len(made) if until is None else min(until, len(made))
        start = 0 if count is None else max(0, end - count)
        numbers = [None, *(version.number for _, version in made[:end])]
        rows = [
            replace(self.log_row(catalogue, *made[place]), before=numbers[place])
            for place in range(start, end)
        ]
        return Log(tuple(rows[::-1]), start, end, len(made))

    def log_row(self, catalogue: Catalogue, jobtype: Jobtype, version: Version) -> LogRow:
        """What *catalogue* says of a version, without the one before it."""
        return LogRow(version, self.commit(version.commit), _state(catalogue, jobtype, version))

    def publish_tags(self) -> int:
        """Publish the versions that have no tag yet; how many there were."""
        history = self.catalogue().history
        with file_lock(self.repository.git_dir / "jobtypes" / "tags.lock"):
            made = publish(self.repository, history, self._tagged)
        self._tagged = history.counters.steps
        return made

    def diff(self, key: str, old: int, new: int) -> tuple[str, str]:
        """The unified diff between two versions of a jobtype, and the commit of the second.

        Raises:
            NotFound: there is no such jobtype or version; withdrawn ones are there.
        """
        catalogue = self.catalogue()
        jobtype = catalogue.jobtype(key)
        before, after = (catalogue.version(jobtype, number) for number in (old, new))
        return self.repository.diff(before.tree, after.tree), after.commit


def check_access(access: Access, made: Difference) -> None:
    """Refuse a change that is not for *access* to make.

    Raises:
        Forbidden: the message has every reason.
    """
    refusals = list(access.refusals(made))
    if refusals:
        raise Forbidden("; ".join(refusals))


def _require_none(errors: Collection[Problem]) -> None:
    if errors:
        raise Invalid(errors)


def _state(catalogue: Catalogue, jobtype: Jobtype, version: Version) -> str:
    if catalogue.history.jobtypes.get(jobtype.name) is not jobtype:
        return "deleted"
    if catalogue.history.is_withdrawn(jobtype.name, version.number):
        return "withdrawn"
    return "broken" if catalogue.fault(jobtype, version) else "in service"


def _message(subject: str, trailers: tuple[str, ...]) -> str:
    lines = [subject.strip(), *(["", *trailers] if trailers else [])]
    return "\n".join(lines) + "\n"
