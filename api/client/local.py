"""The answers of a repository on this machine's disk."""

from __future__ import annotations

from api.client.answers import of_payload
from api.client.source import ListedJobtype, ShownChange, ShownVersion
from api.client.versions import rollback_advice, write_version
from api.client.writing import local_writer, require_own
from api.rest.models import (
    ApprovalsAnswer,
    ChangeRow,
    CommentAnswer,
    DiffAnswer,
    JobtypeAnswer,
    MergedAnswer,
)
from api.rest.payloads import Payload, diff_payload, jobtype_payload
from api.rest.review_payloads import (
    approvals_payload,
    change_payload,
    change_row,
    comment_payload,
    merged_payload,
)
from api.rest.story_models import OriginAnswer, StoryAnswer
from api.rest.story_payloads import origin_payload, story_payload
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.upstream_state import state_file
from gitstore.branch.whose import find_origins
from gitstore.branch.writing import Writer
from gitstore.edits.jobtypes import restore, withdraw
from gitstore.edits.rollback import roll_back
from gitstore.errors import NotFound, Refused


class LocalSource:
    """The repository and branch of *store*."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._reviews = Reviews(store)

    def jobtypes(self) -> list[ListedJobtype]:
        """The jobtypes by name."""
        catalogue = self._store.catalogue()
        rows: list[Payload] = []
        for jobtype in catalogue.jobtypes():
            release = catalogue.find_newest(jobtype)
            rows.append(
                {
                    "id": jobtype.id,
                    "name": jobtype.name,
                    "version": release.version.number if release else None,
                    "classname": release.meta.classname if release else None,
                    "description": release.meta.description if release else None,
                }
            )
        return of_payload(list[ListedJobtype], rows)

    def history(self, key: str) -> list[StoryAnswer]:
        """The stories of the versions of the jobtype *key*, newest first."""
        stories = self._store.stories(key, limit=None).stories
        return of_payload(list[StoryAnswer], list(map(story_payload, stories)))

    def story(self, key: str, number: int) -> StoryAnswer:
        """The story of one version."""
        return of_payload(StoryAnswer, story_payload(self._store.story(key, number)))

    def version(self, key: str, number: int | None) -> ShownVersion:
        """The version of that number, None for the newest in service."""
        catalogue = self._store.catalogue()
        release = catalogue.newest(key) if number is None else catalogue.release(key, number)
        meta = catalogue.contents.objects.read_blob(release.directory.meta_blob).decode()
        jobtype = of_payload(JobtypeAnswer, jobtype_payload(catalogue, release))
        return ShownVersion(jobtype, release.version.commit, meta)

    def diff_text(self, key: str, old: int, new: int) -> str:
        """The unified diff between two versions."""
        return self._store.diff(key, old, new)[0]

    def diff(self, key: str, old: int, new: int) -> DiffAnswer:
        """What differs between two versions."""
        return of_payload(DiffAnswer, diff_payload(self._store.compare(key, old, new)))

    def whose(self, text: str) -> list[OriginAnswer]:
        """Where the lines come from that *text* names."""
        return of_payload(
            list[OriginAnswer], list(map(origin_payload, find_origins(self._store, text)))
        )

    def changes(self) -> list[ChangeRow]:
        """The changes by branch."""
        return of_payload(list[ChangeRow], list(map(change_row, self._reviews.changes())))

    def change(self, branch: str) -> ShownChange:
        """The change on *branch*, and what merging it would make."""
        review = self._reviews.review(branch)
        payload = change_payload(review, self._reviews.diff(review))
        return of_payload(ShownChange, payload | self._discussed(branch))

    def withdraw(self, key: str, number: int, reason: str) -> list[str]:
        """Take a version out of service."""
        # What comes back was accepted once, and taking a bad version away must not fail.
        edit = withdraw(key, number)
        return write_version(self._store, edit, key, number, reason, is_checked=False)

    def restore(self, key: str, number: int, reason: str | None) -> list[str]:
        """Put a version back into service."""
        return write_version(self._store, restore(key, number), key, number, reason)

    def roll_back(self, key: str, number: int, reason: str) -> list[str]:
        """Make a new version of an old one."""
        if not self._store.repository.is_bare:
            raise Refused("\n".join(rollback_advice(self._store, key, number, reason)))
        return write_version(self._store, roll_back(key, number), key, number, reason)

    def _discussed(self, branch: str) -> Payload:
        """What people say about the change on *branch*, unless they do so upstream."""
        if state_file(self._store.repository).exists():
            return {"comments": None, "approvals": None}
        discussion = self._reviews.discussion
        return {
            "comments": list(map(comment_payload, discussion.comments(branch).entries)),
            "approvals": approvals_payload(discussion.approvals(branch)),
        }

    def merge(
        self, branch: str, commit: str | None, delete_branch: bool, subject: str | None
    ) -> MergedAnswer:
        """Merge the change on *branch* at *commit*, None for where it is now."""
        require_own(self._store)
        seen = commit or self._tip(branch)
        merged = self._reviews.merge(branch, Writer(message=subject), delete_branch, seen)
        return of_payload(MergedAnswer, merged_payload(branch, merged))

    def _tip(self, branch: str) -> str | None:
        """The id of the change's last commit; None if its branch is gone."""
        try:
            return self._reviews.change(branch).commit.id
        except NotFound:
            return None

    def comment(
        self, branch: str, text: str, commit: str | None, path: str | None, line: int | None
    ) -> CommentAnswer:
        """Comment on the change on *branch*, as the person at this machine."""
        entry = self._reviews.discussion.comment(
            branch, local_writer(self._store), text, commit, path, line
        )
        return of_payload(CommentAnswer, comment_payload(entry))

    def approve(self, branch: str, commit: str) -> ApprovalsAnswer:
        """Approve the change on *branch* at *commit*, as the person at this machine."""
        discussion = self._reviews.discussion
        discussion.approve(branch, local_writer(self._store), commit)
        return of_payload(ApprovalsAnswer, approvals_payload(discussion.approvals(branch)))
