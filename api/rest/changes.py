"""Review without a forge: the changes on pushed branches, and merging them."""

from __future__ import annotations

from typing import ClassVar

from flask import Blueprint, Response, request

from api.rest import models
from api.rest.models import CommitId
from api.rest.review_payloads import change_payload, change_row, merged_payload
from api.web import auth
from api.web.bodies import read_optional_body
from api.web.merging import merge_change, require_merges_here
from api.web.parts import parts
from api.web.resource import Operation, Routes, View, add_routes
from api.web.responses import deleted, encode, etag_of, ok, written
from api.web.writes import writer
from gitstore.branch.reviews import Review, Reviews
from gitstore.errors import Moved
from gitstore.format.layout import shown
from gitstore.format.schema import Model

blueprint = Blueprint("changes", __name__)


class MergeBody(Model):
    """The body of a merge. *commit* is the one that was looked at: no other is merged."""

    commit: CommitId | None = None
    delete_branch: bool = False


def _reviews() -> Reviews:
    return parts().reviews


def _reviewed(branch: str) -> tuple[Review, str]:
    """What a reviewer sees of the change on *branch*, and its difference."""
    review = _reviews().review(branch)
    return review, _reviews().diff(review)


class Changes(View):
    """Every branch but the served one."""

    operations: ClassVar = {
        "get": Operation(list[models.ChangeRow], errors=(503,)),
    }

    def get(self) -> Response:
        """List the changes by branch, each with its last commit."""
        return ok([change_row(row) for row in _reviews().changes()])


class Change(View):
    """The change on one branch."""

    operations: ClassVar = {
        "get": Operation(models.ChangeAnswer, errors=(404, 413, 503)),
        "delete": Operation(status=(204,), errors=(409,), commits=False),
    }

    def get(self, branch: str) -> Response:
        """Show its commits, files and difference, and what merging it would make."""
        return ok(change_payload(*_reviewed(branch)))

    def delete(self, branch: str) -> Response:
        """Delete the branch."""
        _reviews().delete(branch, auth.current())
        return deleted()


class Merge(View):
    """Merging the change on one branch."""

    operations: ClassVar = {
        "post": Operation(
            models.MergedAnswer, (200,), (404, 409, 428), takes=MergeBody, tag_of="the change"
        ),
    }

    def post(self, branch: str) -> Response:
        """Merge it; merging what is merged already says so again."""
        body = read_optional_body(MergeBody)
        require_merges_here()
        seen = _seen(branch, body)
        merged = merge_change(branch, writer(), body.delete_branch, seen)
        return written(merged_payload(branch, merged), 200, merged.commit)


def _seen(branch: str, body: MergeBody) -> str | None:
    """The commit that the sender of a merge looked at, by its *body* or its If-Match.

    Raises:
        Moved: the change is no longer the one in If-Match.
    """
    tags = request.if_match
    if not tags or tags.star_tag:
        return body.commit
    review, diff = _reviewed(branch)
    # A proxy that compresses a response weakens its tag. The content is the same.
    if not tags.contains_weak(etag_of(encode(change_payload(review, diff)))):
        row = review.row
        raise Moved(
            f"the branch {branch} moved, or what merging it makes: look again. It is at"
            f" {row.commit.id} now: {shown(row.commit.subject)}"
        )
    return body.commit or review.row.commit.id


ROUTES: Routes = (
    ("/changes/", Changes),
    ("/changes/<slashed:branch>", Change),
    ("/changes/<slashed:branch>/merge", Merge),
)
add_routes(blueprint, ROUTES)
