"""Changes: all branches but the served one. A *change* is a branch under review."""

from __future__ import annotations

from dataclasses import dataclass

from gitstore.branch.access import Access
from gitstore.branch.growth import Growth
from gitstore.branch.store import Store
from gitstore.catalogue.steps import Progress
from gitstore.errors import Forbidden, Invalid, NotFound
from gitstore.format import layout
from gitstore.format.spelling import did_you_mean
from gitstore.git.commits import Commit
from gitstore.rules import Problem, errors_among

HEADS = "refs/heads/"


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change in the list of changes: its branch and its last commit."""

    branch: str
    commit: Commit


@dataclass(frozen=True, slots=True)
class ChangeList:
    """Some *rows* of the changes that wait, or of those that are merged, and how many are each."""

    rows: tuple[ChangeRow, ...]
    waiting: int
    merged: int


def list_by_state(store: Store, is_merged: bool, start: int, count: int) -> ChangeList:
    """*count* changes by name from *start* on that are merged, or that are not."""
    branches = _branches(store)
    tip = store.catalogue().history.tip
    tips = {commit for _, commit in branches}
    left = store.repository.unmerged(tips, tip) if tip else tips
    waiting = sum(commit in left for _, commit in branches)
    chosen = [(b, commit) for b, commit in branches if (commit not in left) == is_merged]
    rows = [ChangeRow(b, store.commit(commit)) for b, commit in chosen[start : start + count]]
    return ChangeList(tuple(rows), waiting, len(branches) - waiting)


def list_changes(store: Store, start: int, count: int | None) -> tuple[list[ChangeRow], int]:
    """*count* changes by name from *start* on, None for all; and the number of all changes.

    The list leaves out refs that are no branches, and branches whose names are not UTF-8,
    which no URL could name.
    """
    branches = _branches(store)
    end = None if count is None else start + count
    rows = [ChangeRow(branch, store.commit(commit)) for branch, commit in branches[start:end]]
    return rows, len(branches)


def _branches(store: Store) -> list[tuple[str, str]]:
    """Every change by name, with its last commit's id."""
    return [
        (ref.removeprefix(HEADS), commit)
        for ref, commit in sorted(store.repository.branches().items())
        if ref != store.ref and layout.is_text(ref)
    ]


def read_change(store: Store, branch: str) -> ChangeRow:
    """The change on *branch*.

    Raises:
        NotFound: there is none.
    """
    ref = HEADS + branch
    # The list leaves out names that are no text, and no commit's message could have one.
    is_change = ref != store.ref and layout.is_text(branch)
    commit = store.repository.tip(ref) if is_change else None
    if commit is None:
        raise missing_change(store, branch)
    fault = store.repository.branch_fault(ref, commit)
    if fault is not None:
        raise NotFound(f"the branch {branch} is no change: it {fault}; delete it")
    return ChangeRow(branch, store.commit(commit))


def missing_change(store: Store, branch: str) -> NotFound:
    """The error for a *branch* on which there is no change."""
    return NotFound(f"there is no change on a branch {branch}{near_change(store, branch)}")


def near_change(store: Store, name: str) -> str:
    """The end of a sentence about a missing *name*: the change that was probably meant."""
    return did_you_mean(name, (branch for branch, _ in _branches(store)))


def check_change(
    store: Store, growth: Growth, jobtypes_limit: int, progress: Progress | None = None
) -> list[Problem]:
    """What is wrong with a change that would add *growth*; see Store.check_growth."""
    excess = growth.excess(jobtypes_limit)
    if excess:
        message = f"the change {excess}. Bring it in parts."
        return [Problem("change-jobtypes", layout.JOBTYPES, message)]
    return store.check_growth(growth, progress)


def require_acceptable(problems: list[Problem], access: Access) -> None:
    """Raise if a push with *problems* would be refused.

    Raises:
        Invalid: there are errors.
        Forbidden: there are warnings, and *access* may not pass them.
    """
    errors = errors_among(problems)
    if errors:
        raise Invalid(errors)
    if problems and not access.passes_warnings:
        listed = "; ".join(map(str, problems))
        raise Forbidden(f"{listed}. Fix it, or ask an admin to merge it")
