"""Merges in the history of the served branch, and branches that moved before they were merged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from gitstore.errors import NotFound
from gitstore.format.layout import shown
from gitstore.git.commits import Commit
from gitstore.git.merge_message import MERGED
from gitstore.git.repository import Repository

STEPS_SEARCHED = 250
"""How many steps back to look for the merge of a deleted branch."""

COMMITS_COUNTED = 250
SUBJECTS_SHOWN = 5
"""How many commits that are new to a reviewer are counted, and how many are named."""


def merge_of(repository: Repository, tip: str, commit: str) -> str:
    """The step that brought *commit* into the branch at *tip*; *tip* if no step did."""
    steps = _steps_back(repository, tip)
    return next((s.id for s in steps if commit in (s.id, *s.parents[1:])), tip)


def find_merge(repository: Repository, tip: str, branch: str) -> Commit | None:
    """The newest of the last steps to *tip* that merged a branch of that name."""
    steps = islice(_steps_back(repository, tip), STEPS_SEARCHED)
    trailer = f"{MERGED}{branch}"
    return next((s for s in steps if trailer in s.message.splitlines()[1:]), None)


def _steps_back(repository: Repository, tip: str) -> Iterator[Commit]:
    id: str | None = tip
    while id is not None:
        commit = repository.commit(id)
        yield commit
        id = commit.parents[0] if commit.parents else None


def what_moved(repository: Repository, branch: str, seen: str, now: str) -> str:
    """A sentence about the move of *branch* from commit *seen* to commit *now*."""
    message = f"the branch {branch} moved: look again. You looked at {seen}; it is at {now}"
    try:
        seen = repository.resolve(seen).id
    except NotFound:
        return f"{message}, and there is no commit {seen} here"
    newer = repository.commits(now, seen, COMMITS_COUNTED)
    many = f"{COMMITS_COUNTED} or more" if len(newer) == COMMITS_COUNTED else str(len(newer))
    what = "commit that is" if len(newer) == 1 else "commits that are"
    subjects = "; ".join(shown(commit.subject) for commit in newer[:SUBJECTS_SHOWN])
    gone = "" if repository.is_ancestor(seen, now) else ", and what you saw is not in it"
    message += f", with {many} {what} new to you{gone}"
    return f"{message}: {subjects}" if subjects else message
