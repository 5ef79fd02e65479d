"""The stories of versions as JSON, for REST and for the command line."""

from __future__ import annotations

from datetime import datetime

from api.rest.payloads import Payload
from gitstore.branch.credits import Credit
from gitstore.branch.stories import State, Story
from gitstore.branch.whose import Origin
from gitstore.format.layout import printable
from gitstore.git.commits import Person


def person_payload(person: Person) -> Payload:
    """A person."""
    return {"name": person.name, "email": person.email}


def date_payload(when: datetime | None) -> str | None:
    """A date."""
    return when.isoformat() if when else None


def credit_payload(credit: Credit) -> Payload:
    """A commit, and who made what it brought."""
    return {
        "commit": credit.commit,
        "date": date_payload(credit.date),
        "authors": [person_payload(person) for person in credit.authors],
        "subject": credit.subject,
    }


def story_payload(story: Story) -> Payload:
    """The story of a version."""
    credit, diff = story.credit, story.diff
    return {
        **credit_payload(credit),
        "jobtype": printable(story.name),
        "number": story.number,
        "before": story.before,
        "state": story.status.state,
        "out_of_service": _out_of_service(story),
        "authors_complete": not credit.is_cut,
        "merged_by": person_payload(credit.merged_by) if credit.merged_by else None,
        "pushed_by": story.pushed_by,
        "message": credit.message,
        "pull_request": credit.pull_request,
        "branch": credit.branch,
        "files": [{"status": file.status, "path": file.path} for file in diff.files],
        "files_total": diff.files_total,
        "fields": diff.fields,
        "requirements": diff.requirements,
        "size": diff.size_bytes,
    }


def _out_of_service(story: Story) -> Payload | None:
    status = story.status
    if status.state is State.IN_SERVICE:
        return None
    return {
        "reason": status.reason,
        "by": [person_payload(person) for person in status.by],
        "date": date_payload(status.date),
        "commit": status.commit,
    }


def origin_payload(origin: Origin) -> Payload:
    """Where a line of a version's code comes from."""
    frame, lines, story, changed = origin.frame, origin.lines, origin.story, origin.changed
    brought = story.credit if story and lines and lines.came_in is not None else None
    commit = lines.commit if lines and story else None
    merger = brought.merged_by if brought else None
    return {
        "jobtype": printable(frame.jobtype),
        "version": frame.number,
        "line": frame.line,
        "text": origin.text.rstrip("\r") if commit else None,
        "author": person_payload(commit.author.person) if commit else None,
        "date": date_payload(commit.author.when) if commit else None,
        "commit": commit.id if commit else None,
        "subject": commit.subject if commit else None,
        "came_in": lines.came_in if lines and commit else None,
        "merged_by": person_payload(merger) if merger else None,
        "pull_request": brought.pull_request if brought else None,
        "changed_in": changed.number if changed else None,
        "changed_by": [person_payload(p) for p in changed.credit.authors] if changed else [],
        "changed_subject": changed.credit.subject if changed else None,
        "fault": None if commit else origin.fault,
    }
