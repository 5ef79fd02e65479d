"""The bodies of answers about what happened: stories, blame, events."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from api.rest.models import Answer, CommitId, Id, Time
from gitstore.branch.stories import State
from gitstore.catalogue.events import Kind

Date = Annotated[Time | None, Field(description="When, in ISO 8601, in its author's time zone")]


class PersonAnswer(Answer):
    """A person, by what a commit says of them."""

    name: str = Field(description="Their name")
    email: str = Field(description="Their address; empty if the commit has none")


class ChangedFile(Answer):
    """A file that differs from the version before."""

    status: Literal["A", "D", "M"] = Field(
        description="Added, deleted or modified, in Git's letters"
    )
    path: str = Field(description="Where it is in the version's directory")


class OutOfServiceAnswer(Answer):
    """Why a version is not in service."""

    reason: str | None = Field(
        description="Why it was withdrawn, or what is wrong with it; null if nobody said why"
    )
    by: tuple[PersonAnswer, ...] = Field(
        description="Who withdrew the version or deleted the jobtype; empty if it is broken"
    )
    date: Date = Field(description="When; null if it is broken, as it came so")
    commit: CommitId | None = Field(description="The commit that did it; null if it is broken")


class CommitCredit(Answer):
    """What a commit of the served branch says, and who made what it brought."""

    commit: CommitId = Field(description="The commit of the served branch")
    date: Date = Field(description="When it was authored, in ISO 8601, in its author's time zone")
    authors: tuple[PersonAnswer, ...] = Field(
        description="Who wrote it: of a merge, the authors of the commits that it brought and that"
        " changed the jobtype, in the order of the commits. Co-authored-by counts"
    )
    subject: str = Field(description="The first line of the commit's message")


class StoryAnswer(CommitCredit):
    """The story of a version: who made it and why, what it changed, and what became of it."""

    jobtype: str = Field(description="What the jobtype was called when the version came")
    number: int = Field(ge=1, description="The version's number")
    before: int | None = Field(description="The number of the version before it; null: the first")
    state: State = Field(description="What the version is now")
    out_of_service: OutOfServiceAnswer | None = Field(
        description="Why it is not in service; null if it is"
    )
    authors_complete: bool = Field(description="Whether all authors are listed")
    merged_by: PersonAnswer | None = Field(
        description="Who merged or applied it; null if that is an author, or a program"
    )
    pushed_by: str | None = Field(
        description="The token that brought it, if this service's reflog still knows; else null"
    )
    message: str = Field(description="The commit's message; of a long one, the beginning")
    pull_request: str | None = Field(
        description="The pull request that the message names, such as #7 or !7; else null"
    )
    branch: str | None = Field(description="The merged branch that the message names; else null")
    files: tuple[ChangedFile, ...] = Field(
        description="The files that differ from the version before, 100 at most"
    )
    files_total: int = Field(ge=0, description="How many files differ")
    fields: tuple[str, ...] = Field(description="The fields of meta.yaml that differ")
    requirements: tuple[str, ...] = Field(
        description="The software whose requirement is new, gone or different"
    )
    size: int | None = Field(
        description="How many bytes all files of the version have; null if they are too many"
    )


class BlameAnswer(Answer):
    """Lines of code.py, one after the other, with one origin."""

    first: int = Field(ge=1, description="The number of the first line")
    last: int = Field(ge=1, description="The number of the last line")
    commit: CommitId = Field(description="The commit that wrote them, perhaps on a merged branch")
    author: PersonAnswer = Field(description="Who wrote that commit")
    date: Date = Field(description="When that commit was authored")
    subject: str = Field(description="The first line of that commit's message")
    came_in: int | None = Field(
        description="The number of the version in which they came; null if it is not known"
    )
    changed_in: int | None = Field(
        description="The number of the first later version without them; null if there is none"
    )


class OriginAnswer(Answer):
    """Where a line of a version's code.py comes from; null for what is not known."""

    jobtype: str = Field(description="The jobtype")
    version: int = Field(description="The number of the version that ran")
    line: int = Field(description="The number of the line in its code.py")
    text: str | None = Field(description="The line")
    author: PersonAnswer | None = Field(description="Who wrote it")
    date: Date = Field(description="When it was written, in ISO 8601, in its author's time zone")
    commit: CommitId | None = Field(description="The commit that wrote it")
    subject: str | None = Field(description="The first line of that commit's message")
    came_in: int | None = Field(description="The number of the version in which it came")
    merged_by: PersonAnswer | None = Field(description="Who merged that version")
    pull_request: str | None = Field(description="The pull request of that version")
    changed_in: int | None = Field(
        description="The number of the first later version without it; null if there is none"
    )
    changed_by: tuple[PersonAnswer, ...] = Field(description="Who wrote that later version")
    changed_subject: str | None = Field(description="What its commit says")
    fault: str | None = Field(description="Why nothing is known of the line; null if all is well")


class EventSoftwareVersion(Answer):
    """A version of a software in an event."""

    version: str = Field(description="The version's string")
    id: Id | None = Field(description="Its id")
    rank: int = Field(description="Its rank")


class EventAnswer(CommitCredit):
    """Something that a step of the served branch brought."""

    event: Kind = Field(description="What happened")
    jobtype: str | None = Field(
        description="The jobtype, by its name after the step, or before it of a rename; else null"
    )
    software: str | None = Field(
        description="The software, by its name after the step, or before it of a rename; else null"
    )
    id: Id = Field(description="The id of the jobtype or the software")
    number: int | None = Field(
        description="The version that came, was withdrawn or was restored; else null"
    )
    state: Literal["in service", "broken"] | None = Field(
        description="Whether a version that came can be served; null for other events"
    )
    reason: str | None = Field(description="Why a version was withdrawn; null if nobody said why")
    renamed_to: str | None = Field(description="The new name; null if it was not renamed")
    versions: tuple[EventSoftwareVersion, ...] | None = Field(
        description="A software's versions by rank; null if it is gone or was only renamed"
    )


class EventsAnswer(Answer):
    """What came after a cursor."""

    events: tuple[EventAnswer, ...] = Field(description="The events, in the order to apply them")
    next: CommitId = Field(description="The cursor: send it as since to get what comes afterwards")
