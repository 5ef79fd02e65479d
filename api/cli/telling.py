"""The story of a version in words: as a row of a table, and line by line."""

from __future__ import annotations

from collections.abc import Iterator

from api.cli.output import day
from api.rest.story_models import PersonAnswer, StoryAnswer
from gitstore.branch.credits import first_names
from gitstore.branch.stories import State

STORY_HEADINGS = ("VERSION", "COMMIT", "DATE", "AUTHORS", "STATE", "SUBJECT")


def story_row(story: StoryAnswer) -> tuple[str, ...]:
    """The row of a version, below STORY_HEADINGS."""
    made = (str(story.number), story.commit[:10], day(story.date), _people(story))
    return (*made, _state(story), story.subject)


def story_lines(story: StoryAnswer) -> Iterator[str]:
    """Yield the lines that tell all about a version, what its commit says last."""
    yield f"{story.jobtype} version {story.number}: {_state(story)}"
    facts = {
        "commit": story.commit,
        "date": day(story.date),
        "authors": ", ".join(map(person_text, story.authors)),
        "merged by": person_text(story.merged_by) if story.merged_by else None,
        "pushed by": story.pushed_by,
        "pull request": story.pull_request,
        "branch": story.branch,
        "version before": None if story.before is None else str(story.before),
        "files": ", ".join(f"{file.status} {file.path}" for file in story.files),
        "meta.yaml": ", ".join(story.fields),
        "requirements": ", ".join(story.requirements),
    }
    yield from (f"{name}: {fact}" for name, fact in facts.items() if fact)
    yield ""
    yield from (f"    {line}".rstrip() for line in story.message.splitlines())


def person_text(person: PersonAnswer) -> str:
    """A person with the address."""
    return f"{person.name} <{person.email}>" if person.name else person.email


def _people(story: StoryAnswer) -> str:
    """The authors, as many as a table has room for, and who merged."""
    shown = first_names([author.name or author.email for author in story.authors])
    by = story.merged_by
    return f"{shown} (merged by {by.name or by.email})" if by else shown


def _state(story: StoryAnswer) -> str:
    out = story.out_of_service
    reason = out.reason if out and story.state is State.WITHDRAWN else None
    return f"{story.state}: {reason}" if reason else str(story.state)
