"""Comments on changes, and approvals of them, over HTTP (docs/api.md)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from flask import Blueprint, Response
from pydantic import Field

from api.rest import models
from api.rest.models import CommitId
from api.rest.review_payloads import approvals_payload, comment_payload
from api.web import auth
from api.web.bodies import read_body
from api.web.parts import parts
from api.web.resource import Operation, Resource, Routes, add_routes
from api.web.responses import deleted, ok, written
from gitstore.branch.discussion import Discussion
from gitstore.branch.review_log import TEXT_LIMIT
from gitstore.branch.writing import Writer
from gitstore.format.schema import INTEGER_LIMIT, Model, Text

blueprint = Blueprint("comments", __name__)


class CommentBody(Model):
    """The body of a comment: on the change, on a file of it, or on a *line* of the file."""

    text: Annotated[Text, Field(min_length=1, max_length=TEXT_LIMIT)]
    commit: CommitId | None = None
    path: Text | None = None
    line: Annotated[int, Field(ge=1, le=INTEGER_LIMIT)] | None = None


class ApprovalBody(Model):
    """The body of an approval. *commit* is the one that was looked at."""

    commit: CommitId


def _discussion() -> Discussion:
    return parts().reviews.discussion


def writer() -> Writer:
    """Who sent this request."""
    return Writer(auth.current())


class Comments(Resource):
    """The comments on a change."""

    operations: ClassVar = {
        "get": Operation(list[models.CommentAnswer], errors=(404,)),
        "post": Operation(
            models.CommentAnswer, (201,), (404, 409), takes=CommentBody, commits=False
        ),
    }

    def get(self, branch: str) -> Response:
        """List the comments, oldest first; also those on a change that is merged and gone."""
        return ok([comment_payload(entry) for entry in _discussion().comments(branch).entries])

    def post(self, branch: str) -> Response:
        """Comment on the change, on a file of it, or on a line of the file."""
        body = read_body(CommentBody)
        entry = _discussion().comment(
            branch, writer(), body.text, body.commit, body.path, body.line
        )  # fmt: skip
        return written(comment_payload(entry))


class Comment(Resource):
    """One comment on a change."""

    operations: ClassVar = {
        "delete": Operation(status=(204,), commits=False),
    }

    def delete(self, branch: str, comment: int) -> Response:
        """Delete the comment, which only its author or an admin may do."""
        _discussion().take_back_comment(branch, comment, writer())
        return deleted()


class ChangeApprovals(Resource):
    """The approvals of a change."""

    operations: ClassVar = {
        "get": Operation(models.ApprovalsAnswer, errors=(404,)),
        "post": Operation(
            models.ApprovalsAnswer, (200,), (404, 409), takes=ApprovalBody, commits=False
        ),
        "delete": Operation(status=(204,), commits=False),
    }

    def get(self, branch: str) -> Response:
        """Show who approved the change, and how many approvals its merge needs."""
        return ok(approvals_payload(_discussion().approvals(branch)))

    def post(self, branch: str) -> Response:
        """Approve the change at the commit that was looked at."""
        _discussion().approve(branch, writer(), read_body(ApprovalBody).commit)
        return written(approvals_payload(_discussion().approvals(branch)), 200)

    def delete(self, branch: str) -> Response:
        """Take back the sender's approvals of the change."""
        _discussion().take_back_approval(branch, writer())
        return deleted()


_CHANGE = "/changes/<slashed:branch>"
ROUTES: Routes = (
    (f"{_CHANGE}/comments", Comments),
    (f"{_CHANGE}/comments/<number:comment>", Comment),
    (f"{_CHANGE}/approvals", ChangeApprovals),
)
add_routes(blueprint, ROUTES)
