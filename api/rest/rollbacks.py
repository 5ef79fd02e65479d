"""Versions that come back: an old one as a new one, and a withdrawn one as it was."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import ClassVar
from urllib.parse import quote

from flask import Blueprint, Response
from pydantic import Field

from api.rest import models, payloads
from api.rest.jobtypes import newest_answer, respond_newest
from api.web.address import base_url
from api.web.bodies import read_body, read_optional_body
from api.web.resource import Operation, Resource, Routes, add_routes
from api.web.responses import written
from api.web.writes import write
from gitstore.branch.writing import Written
from gitstore.edits.jobtypes import restore
from gitstore.edits.rollback import roll_back
from gitstore.errors import Invalid, Protected
from gitstore.format.schema import Model

blueprint = Blueprint("rollbacks", __name__)


class RollbackBody(Model):
    """The body of a rollback."""

    version: int = Field(ge=1, description="The number of the version that comes back")


class RestoreBody(Model):
    """The body of a restore: an object without fields."""


class Rollback(Resource):
    """Rolling a jobtype back."""

    operations: ClassVar = {
        "post": Operation(
            models.JobtypeAnswer, (201,), (404, 409), RollbackBody, tag_of="the jobtype"
        ),
    }

    def post(self, jobtype: str) -> Response:
        """Make a new version with all files of an older one."""
        number = read_body(RollbackBody).version
        edit = roll_back(jobtype, number)
        try:
            with _named_by_file():
                respond = respond_newest(jobtype)
                return write(edit, represent=newest_answer(jobtype), respond=respond)
        except Protected as error:
            page = f"{base_url()}/jobtypes/{quote(jobtype, safe='')}/{number}/rollback"
            raise Protected(f"{error}, or have it reviewed from {page}") from None


class Restoration(Resource):
    """Putting a withdrawn version back into service."""

    operations: ClassVar = {
        "post": Operation(
            models.JobtypeAnswer, (200,), (404, 409), RestoreBody, tag_of="the jobtype"
        ),
    }

    def post(self, jobtype: str, number: int) -> Response:
        """Put the version back into service; it says the same of one that is in service."""
        read_optional_body(RestoreBody)

        def respond(done: Written) -> Response:
            release = done.after.release(jobtype, number)
            payload = payloads.jobtype_payload(done.after, release)
            return written(payload, 200, release.version.commit)

        with _named_by_file():
            edit = restore(jobtype, number)
            return write(edit, represent=newest_answer(jobtype), respond=respond)


@contextmanager
def _named_by_file() -> Iterator[None]:
    """Have a refusal name file and line: what is wrong there is no field of the body."""
    try:
        yield
    except Invalid as error:
        placed = (replace(p, field="", path=p.where, line=None) for p in error.problems)
        raise Invalid(placed) from None


_ITEM = "/jobtypes/<jobtype>"
ROUTES: Routes = (
    (f"{_ITEM}/rollback", Rollback),
    (f"{_ITEM}/versions/<number:number>/restore", Restoration),
)
add_routes(blueprint, ROUTES)
