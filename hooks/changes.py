"""What the client of a good push of another branch reads: what merging it would make."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from urllib.parse import quote

from gitstore.branch.changes import HEADS
from gitstore.branch.outcomes import Outcome, make_outcome
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.format.layout import escaped, is_text
from gitstore.rules import errors_among
from hooks.faults import note_fault
from hooks.messages import LINES_SHOWN, PROBLEMS_SHOWN, made_lines, problem_lines
from hooks.progress import Progress
from hooks.updates import Update

BRANCHES_SHOWN = 5
CONFLICTS_SHOWN = 10
TRIES_SHOWN = 3


def branch_name(ref: str) -> str:
    """The name of branch *ref* as it can stand in a message."""
    return escaped(ref.removeprefix(HEADS))


@dataclass(frozen=True)
class Talk:
    """What is said about the branches of one push, which is taken in any case.

    *moved* is where the push moves the served branch, None if it doesn't. *url* is the service's,
    empty without one, and without links. A change of more than *jobtypes_limit* jobtypes is not
    checked.
    """

    store: Store
    moved: str | None
    url: str
    jobtypes_limit: int
    progress: Progress

    def lines(self, updates: Sequence[Update]) -> Iterator[str]:
        """Yield the lines about *updates*, of which the first BRANCHES_SHOWN are looked at."""
        looked_at = updates[:BRANCHES_SHOWN]
        for update in looked_at:
            try:
                yield from list(self._update_lines(update, len(looked_at)))
            except Exception:
                # The push is good, whatever goes wrong with words about it.
                note_fault(self.store.repository.git_dir, "pre-receive")
                branch = branch_name(update.ref)
                yield f"{branch} is taken; what merging it makes could not be computed."
        if more := len(updates) - len(looked_at):
            list_url = f"; see {self.url}/changes/" if self.url else ""
            yield f"... and {more} more branches, which were not looked at{list_url}"

    @property
    def _served(self) -> str:
        return branch_name(self.store.ref)

    def _update_lines(self, update: Update, count: int) -> Iterator[str]:
        base = self._base
        tip = base.history.tip
        branch = branch_name(update.ref)
        if update.deletes:
            yield from self._deletion_lines(update, tip)
        elif tip is not None and self.store.repository.is_ancestor(update.new, tip):
            yield f"{branch} has nothing that {self._served} lacks."
        else:
            yield from self._outcome_lines(base, update, count)
            if tip is None:
                yield f"{self._served} has no commit yet; push it first."
            elif self.url and is_text(update.ref):
                yield "Review it:"
                yield f"  {self.url}/changes/{quote(update.ref.removeprefix(HEADS))}"

    def _deletion_lines(self, update: Update, tip: str | None) -> Iterator[str]:
        branch = branch_name(update.ref)
        if tip is not None and self.store.repository.is_ancestor(update.old, tip):
            yield f"{branch} is deleted; {self._served} has all of it."
            return
        yield f"{branch} is deleted, and was not merged. To have it back:"
        yield f"    git push origin {escaped(shlex.quote(f'{update.old}:{update.ref}'))}"

    @cached_property
    def _base(self) -> Catalogue:
        """What the branches would be merged into."""
        if self.moved is None:
            return self.store.catalogue()
        growth = self.store.growth(self.moved)
        return growth.base.extend(growth.steps)

    def _outcome_lines(self, base: Catalogue, update: Update, count: int) -> Iterator[str]:
        progress = self.progress.counting("checking", "jobtypes")
        outcome = make_outcome(self.store, base, update.new, self.jobtypes_limit, progress)
        branch = branch_name(update.ref)
        if outcome.conflicts:
            yield from self._conflict_lines(branch, outcome.conflicts)
            return
        if errors_among(outcome.problems):
            yield f"{branch} is taken; {self._served} would refuse this:"
        elif outcome.problems:
            yield f"{branch} is taken, with a warning:"
        yield from problem_lines(outcome.problems, PROBLEMS_SHOWN // count)
        yield f"Merging {branch} into {self._served} would make:"
        yield from made_lines(outcome.made.sentences(), LINES_SHOWN // count, "  ")
        if self.url and is_text(update.ref):
            yield from self._try_lines(update.ref, outcome)

    def _conflict_lines(self, branch: str, paths: Sequence[str]) -> Iterator[str]:
        yield f"{branch} is taken, with a warning: it conflicts with {self._served} in"
        yield from (f"  {escaped(path)}" for path in paths[:CONFLICTS_SHOWN])
        if len(paths) > CONFLICTS_SHOWN:
            yield f"  ... and {len(paths) - CONFLICTS_SHOWN} more"
        yield f"Merge {self._served} into it, and push again:"
        yield f"    git pull --no-rebase origin {escaped(shlex.quote(self._served))}"

    def _try_lines(self, ref: str, outcome: Outcome) -> Iterator[str]:
        above = f"{self.url}/preview/{quote(ref.removeprefix(HEADS))}/api/v1/jobtypes"
        for name, number in outcome.tries[:TRIES_SHOWN]:
            yield f"Try {name}, as version {number}:"
            yield f"  {above}/{quote(name)}"
        if len(outcome.tries) > TRIES_SHOWN:
            yield "  ... and the others in the same way"
