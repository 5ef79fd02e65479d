"""Changes, comments and approvals as JSON, for REST and for the command line."""

from __future__ import annotations

from dataclasses import asdict

from api.rest.payloads import Payload
from api.rest.story_payloads import date_payload
from gitstore.branch.changes import ChangeRow
from gitstore.branch.discussion import Approvals
from gitstore.branch.merging import Merged
from gitstore.branch.review_log import Entry
from gitstore.branch.reviews import Review
from gitstore.format.layout import printable
from gitstore.git.commits import Commit
from gitstore.rules import Problem


def change_row(row: ChangeRow) -> Payload:
    """A change as the list of changes shows it."""
    return {"branch": row.branch, **_commit(row.commit)}


def _commit(commit: Commit) -> Payload:
    return {
        "commit": commit.id,
        "author": commit.author.name,
        "email": commit.author.email,
        "date": date_payload(commit.author.when),
        "subject": commit.subject,
    }


def change_payload(review: Review, diff: str) -> Payload:
    """A change, and what merging it would make; *diff* is its difference."""
    outcome = review.outcome
    return {
        **change_row(review.row),
        "merged": review.merged,
        "mergeable": not outcome.conflicts,
        "conflicts": list(map(printable, outcome.conflicts)),
        "makes": list(outcome.made.sentences()),
        "versions": {
            printable(version.name): list(version.numbers) for version in outcome.made.versions
        },
        "problems": list(map(_problem, outcome.problems)),
        "commits": list(map(_commit, review.commits)),
        "files": [{"status": status, "path": path} for status, path in review.files],
        "diff": diff,
    }


def _problem(problem: Problem) -> Payload:
    return {
        "path": printable(problem.path),
        "line": problem.line,
        "severity": problem.severity,
        "rule": problem.rule,
        "message": printable(problem.message),
    }


def merged_payload(branch: str, merged: Merged) -> Payload:
    """A merge that is done."""
    return {"branch": branch, "merged": True, **asdict(merged)}


def comment_payload(entry: Entry) -> Payload:
    """A comment as it goes over the wire."""
    return {
        "id": entry.number,
        "commit": entry.commit,
        "path": entry.path,
        "line": entry.line,
        "text": entry.text,
        **_who(entry),
    }


def _who(entry: Entry) -> Payload:
    return {"author": entry.author, "email": entry.email, "date": entry.date}


def approvals_payload(approvals: Approvals) -> Payload:
    """The approvals of a change as they go over the wire, those that count first."""
    rows = [(entry, True) for entry in approvals.counted]
    rows += [(entry, False) for entry in approvals.others]
    return {
        "commit": approvals.commit,
        "required": approvals.required,
        "missing": approvals.missing,
        "approvals": [_approval(entry, counts) for entry, counts in rows],
    }


def _approval(entry: Entry, counts: bool) -> Payload:
    return {"commit": entry.commit, **_who(entry), "counts": counts}
