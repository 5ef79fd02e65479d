"""What commands ask of a repository of jobtypes, wherever it is.

The answers are the models of the REST API, so they are the same from a disk and from a service.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from pydantic import Field

from api.rest.models import (
    Answer,
    ApprovalsAnswer,
    ChangeAnswer,
    ChangeRow,
    CommentAnswer,
    DiffAnswer,
    Id,
    JobtypeAnswer,
    MergedAnswer,
)
from api.rest.story_models import OriginAnswer, StoryAnswer


class ListedJobtype(Answer):
    """A jobtype as a list for people has it; *version* is the newest one in service."""

    id: Id
    name: str
    version: Id | None = Field(description="The newest version in service; null if there is none")
    classname: str | None
    description: str | None


class ShownVersion(NamedTuple):
    """A version: the jobtype object, the commit that made it, and the text of its meta.yaml."""

    jobtype: JobtypeAnswer
    commit: str
    meta: str


class ShownChange(ChangeAnswer):
    """A change with what people say about it; null where it is reviewed upstream."""

    comments: tuple[CommentAnswer, ...] | None
    approvals: ApprovalsAnswer | None


class Source(Protocol):
    """A repository of jobtypes, asked by the keys and names that the user writes.

    All methods raise StoreError with a sentence for the user.
    """

    def jobtypes(self) -> list[ListedJobtype]:
        """The jobtypes by name."""

    def history(self, key: str) -> list[StoryAnswer]:
        """The stories of the versions of the jobtype *key*, newest first."""

    def story(self, key: str, number: int) -> StoryAnswer:
        """The story of one version."""

    def version(self, key: str, number: int | None) -> ShownVersion:
        """The version of that number, None for the newest in service."""

    def diff_text(self, key: str, old: int, new: int) -> str:
        """The unified diff between two versions."""

    def diff(self, key: str, old: int, new: int) -> DiffAnswer:
        """What differs between two versions."""

    def whose(self, text: str) -> list[OriginAnswer]:
        """Where the lines come from that *text* names."""

    def changes(self) -> list[ChangeRow]:
        """The changes by branch."""

    def change(self, branch: str) -> ShownChange:
        """The change on *branch*, and what merging it would make."""

    def withdraw(self, key: str, number: int, reason: str) -> list[str]:
        """What it made to take a version out of service, as sentences."""

    def restore(self, key: str, number: int, reason: str | None) -> list[str]:
        """What it made to put a version back into service, as sentences."""

    def roll_back(self, key: str, number: int, reason: str) -> list[str]:
        """What it made to make a new version of an old one, as sentences."""

    def merge(
        self, branch: str, commit: str | None, delete_branch: bool, subject: str | None
    ) -> MergedAnswer:
        """Merge the change on *branch* at *commit*, None for where it is now."""

    def comment(
        self, branch: str, text: str, commit: str | None, path: str | None, line: int | None
    ) -> CommentAnswer:
        """Comment on the change on *branch*, on a file of it, or on a line of the file."""

    def approve(self, branch: str, commit: str) -> ApprovalsAnswer:
        """Approve the change on *branch* at *commit*; all approvals of it."""
