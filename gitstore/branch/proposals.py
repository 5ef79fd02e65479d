"""Writes that become a branch of upstream's, for review there, where the served branch follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gitstore.branch.upstream import Upstream
from gitstore.branch.writing import Precondition, Writer, Written
from gitstore.catalogue.difference import difference
from gitstore.edits.edit import Edit
from gitstore.format.layout import ref_component


@dataclass(frozen=True, slots=True)
class Proposed:
    """A write that waits for review: upstream's *branch*, and its last *commit*."""

    branch: str
    commit: str


def propose(
    upstream: Upstream,
    edits: Sequence[Edit],
    writer: Writer,
    precondition: Precondition | None = None,
    is_checked: bool = True,
) -> Written | Proposed:
    """Push *edits* to a new branch of upstream's; Written where nothing differs.

    Raises:
        Invalid, Forbidden: see BranchWriter.write.
        RemoteFailed: see Upstream.push.
    """
    written = upstream.store.writing.prepare(edits, writer, precondition, is_checked)
    commit = written.after.history.tip
    if written.after is written.before or commit is None:
        return written
    subject = difference(written.before, written.after).subject()
    branch = f"jobtypes/{ref_component(subject)}/{commit[:10]}"
    upstream.push(commit, branch)
    return Proposed(branch, commit)
