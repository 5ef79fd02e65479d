"""Why a version was withdrawn: what the commit that withdrew it says."""

from __future__ import annotations

from gitstore.catalogue.marks import Mark
from gitstore.errors import StoreError
from gitstore.format.layout import escaped
from gitstore.git.commit_text import parse_commit
from gitstore.git.commits import Commit
from gitstore.git.merge_message import merge_note
from gitstore.git.trees import Objects, RawObjects

_REASON_LIMIT = 300
"""Characters of a reason in a sentence."""


def withdrawal_subject(name: str, number: int) -> str:
    """The subject of the commit of a withdrawal whose reason nobody gave."""
    return f"{name}: withdraw version {number}"


def withdrawal_reason(objects: Objects, mark: Mark, number: int) -> str | None:
    """The reason that the step of *mark* gives for withdrawing *number*; None if it gives none.

    Of a merge it is the title of the pull request, else the subject of the last commit that was
    merged.
    """
    commit = _find_commit(objects, mark.commit)
    if commit is None:
        return None
    subject: str | None = commit.subject
    if len(commit.parents) > 1:
        merged = _find_commit(objects, commit.parents[1])
        subject = merge_note(commit).title or (merged.subject if merged else subject)
    return None if subject == withdrawal_subject(mark.name, number) else subject or None


def because(reason: str | None) -> str:
    """The end of a sentence about a withdrawn version."""
    return f": {escaped(reason)[:_REASON_LIMIT]}" if reason else ""


def _find_commit(objects: Objects, id: str) -> Commit | None:
    if not isinstance(objects, RawObjects):  # A folder on disk has no commits.
        return None
    try:
        return parse_commit(id, objects.read_raw(id))
    except StoreError:
        return None
