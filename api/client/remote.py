"""The answers of a service, over its REST API."""

from __future__ import annotations

from typing import TypeVar

from api.client.address import quoted
from api.client.answers import of_body
from api.client.errors import ServiceRefused
from api.client.source import ListedJobtype, ShownChange, ShownVersion
from api.client.transport import Reply, Service
from api.client.versions import unchanged
from api.config import PREFIX
from api.rest.models import (
    ApprovalsAnswer,
    ChangeAnswer,
    ChangeRow,
    CommentAnswer,
    DiffAnswer,
    JobtypeAnswer,
    JobtypeRow,
    MergedAnswer,
    NewestAnswer,
    ProposedAnswer,
)
from api.rest.story_models import OriginAnswer, StoryAnswer
from gitstore.branch.stories import State
from gitstore.branch.whose import abridged
from gitstore.catalogue.difference import Difference, NewVersions
from gitstore.format.layout import is_id, parse_id

T = TypeVar("T")

PAGE = 200
"""Stories in one answer."""

ANY = "*/*"
TEXT = "text/plain"

ACCEPTED = 202
FORBIDDEN = 403
"""Where changes are reviewed upstream, nobody comments here."""


class RemoteSource:
    """The repository that *service* serves."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def _as(self, model: type[T], body: bytes) -> T:
        return of_body(model, body, self._service.base)

    def _get(self, model: type[T], path: str) -> T:
        return self._as(model, self._service.get(path).body)

    def _post(self, model: type[T], path: str, body: object) -> T:
        return self._as(model, self._service.send("POST", path, body).body)

    def jobtypes(self) -> list[ListedJobtype]:
        """The jobtypes by name."""
        newest = {row.id: row for row in self._get(list[NewestAnswer], f"{PREFIX}/newest")}
        return [
            _listed(row, newest.get(row.id))
            for row in self._get(list[JobtypeRow], f"{PREFIX}/jobtypes/")
        ]

    def history(self, key: str) -> list[StoryAnswer]:
        """The stories of the versions of the jobtype *key*, newest first."""
        pages = self._service.pages(f"{_jobtype(key)}/history", limit=PAGE)
        return [story for page in pages for story in self._as(list[StoryAnswer], page)]

    def story(self, key: str, number: int) -> StoryAnswer:
        """The story of one version."""
        return self._get(StoryAnswer, f"{_jobtype(key)}/versions/{number}/history")

    def version(self, key: str, number: int | None) -> ShownVersion:
        """The version of that number, None for the newest in service."""
        path = _jobtype(key)
        reply = self._service.get(path if number is None else f"{path}/versions/{number}")
        jobtype = self._as(JobtypeAnswer, reply.body)
        meta = self._service.get(f"{path}/versions/{jobtype.version}/files/meta.yaml", accept=ANY)
        return ShownVersion(jobtype, reply.commit, meta.body.decode(errors="replace"))

    def diff_text(self, key: str, old: int, new: int) -> str:
        """The unified diff between two versions."""
        reply = self._service.get(f"/diff/{quoted(key)}/{old}..{new}", accept=TEXT)
        return reply.body.decode(errors="replace")

    def diff(self, key: str, old: int, new: int) -> DiffAnswer:
        """What differs between two versions."""
        return self._get(DiffAnswer, f"{_jobtype(key)}/diff/{old}..{new}")

    def whose(self, text: str) -> list[OriginAnswer]:
        """Where the lines come from that *text* names."""
        return self._post(list[OriginAnswer], f"{PREFIX}/whose", {"text": abridged(text)})

    def changes(self) -> list[ChangeRow]:
        """The changes by branch."""
        return self._get(list[ChangeRow], f"{PREFIX}/changes/")

    def change(self, branch: str) -> ShownChange:
        """The change on *branch*, and what merging it would make."""
        path = _change(branch)
        change = self._get(ChangeAnswer, path)
        try:
            comments = tuple(self._get(list[CommentAnswer], f"{path}/comments"))
            approvals = self._get(ApprovalsAnswer, f"{path}/approvals")
        except ServiceRefused as error:
            if error.status != FORBIDDEN:
                raise
            return ShownChange(**dict(change), comments=None, approvals=None)
        return ShownChange(**dict(change), comments=comments, approvals=approvals)

    def withdraw(self, key: str, number: int, reason: str) -> list[str]:
        """Take a version out of service."""
        name = self._name(key)
        if self.story(key, number).state == State.WITHDRAWN:
            return [unchanged(name, number, is_withdrawn=True)]
        done = self._write("DELETE", f"{_jobtype(key)}/versions/{number}", None, reason)
        return self._proposed(done) or _told(Difference(withdrawn=((name, number),)))

    def restore(self, key: str, number: int, reason: str | None) -> list[str]:
        """Put a version back into service."""
        name = self._name(key)
        if self.story(key, number).state == State.IN_SERVICE:
            return [unchanged(name, number, is_withdrawn=False)]
        done = self._write("POST", f"{_jobtype(key)}/versions/{number}/restore", {}, reason)
        return self._proposed(done) or _told(Difference(restored=((name, number),)))

    def roll_back(self, key: str, number: int, reason: str) -> list[str]:
        """Make a new version of an old one."""
        done = self._write("POST", f"{_jobtype(key)}/rollback", {"version": number}, reason)
        if proposed := self._proposed(done):
            return proposed
        made = self._as(JobtypeAnswer, done.body)
        before = self.story(key, made.version).before
        return _told(Difference((NewVersions(made.name, (made.version,), before),)))

    def merge(
        self, branch: str, commit: str | None, delete_branch: bool, subject: str | None
    ) -> MergedAnswer:
        """Merge the change on *branch* at *commit*, None for where it is now."""
        body: dict[str, object] = {"delete_branch": delete_branch}
        if seen := commit or self._tip(branch):
            body["commit"] = seen
        done = self._write("POST", f"{_change(branch)}/merge", body, subject)
        return self._as(MergedAnswer, done.body)

    def _tip(self, branch: str) -> str | None:
        """The id of the change's last commit; None if its branch is gone."""
        return next((row.commit for row in self.changes() if row.branch == branch), None)

    def comment(
        self, branch: str, text: str, commit: str | None, path: str | None, line: int | None
    ) -> CommentAnswer:
        """Comment on the change on *branch*, on a file of it, or on a line of the file."""
        body = {"text": text, "commit": commit, "path": path, "line": line}
        return self._post(CommentAnswer, f"{_change(branch)}/comments", body)

    def approve(self, branch: str, commit: str) -> ApprovalsAnswer:
        """Approve the change on *branch* at *commit*; all approvals of it."""
        return self._post(ApprovalsAnswer, f"{_change(branch)}/approvals", {"commit": commit})

    def _name(self, key: str) -> str:
        """The name of the jobtype *key*, which exists."""
        self._service.get(f"{_jobtype(key)}/versions/")
        if not is_id(key):
            return key
        rows = self._get(list[JobtypeRow], f"{PREFIX}/jobtypes/")
        return next((row.name for row in rows if row.id == parse_id(key)), key)

    def _write(self, method: str, path: str, body: object, reason: str | None) -> Reply:
        return self._service.send(method, path, body, {} if reason is None else message(reason))

    def _proposed(self, reply: Reply) -> list[str]:
        """What to say of a write that waits for review; nothing of one that is done."""
        if reply.status != ACCEPTED:
            return []
        change = self._as(ProposedAnswer, reply.body)
        more = f"; open a pull request: {change.review}" if change.review else ""
        return [f"it waits for review, on the branch {change.branch}{more}"]


def message(text: str) -> dict[str, str]:
    """The header by which *text* becomes a commit's message."""
    is_plain = text.isascii() and text.isprintable() and not text.lower().startswith("utf-8'")
    return {"X-Commit-Message": text if is_plain else f"UTF-8''{quoted(text)}"}


def _told(made: Difference) -> list[str]:
    return list(made.sentences())


def _jobtype(key: str) -> str:
    return f"{PREFIX}/jobtypes/{quoted(key)}"


def _change(branch: str) -> str:
    return f"{PREFIX}/changes/{quoted(branch, '/')}"


def _listed(row: JobtypeRow, newest: NewestAnswer | None) -> ListedJobtype:
    return ListedJobtype(
        id=row.id,
        name=row.name,
        version=newest.version if newest else None,
        classname=newest.classname if newest else None,
        description=newest.description if newest else None,
    )
