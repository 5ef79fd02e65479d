"""What happened to a jobtype's versions, as JSON: their stories, and blame."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar

from flask import Blueprint, Response
from pydantic import Field

from api.rest import story_models as models
from api.rest.payloads import Payload
from api.rest.story_payloads import date_payload, origin_payload, person_payload, story_payload
from api.web.bodies import read_body
from api.web.parts import catalogue, require_served, store
from api.web.query import Query, Whole, next_link, read_query
from api.web.resource import Operation, Resource, Routes, add_routes
from api.web.responses import json_response, ok
from gitstore.branch.blame import Lines
from gitstore.branch.stories import PAGE
from gitstore.branch.whose import TEXT_LIMIT, find_origins
from gitstore.errors import BadRequest
from gitstore.format.layout import parse_number, shown
from gitstore.format.schema import Model, Text

blueprint = Blueprint("stories", __name__)
blaming = Blueprint("blaming", __name__)
"""The routes that run Git, within the limit of reviews."""

PAGE_LIMIT = 500
"""Stories, or steps of events, in one answer."""


class HistoryQuery(Query):
    """What part of a history is asked for."""

    before: Whole | None = Field(None, ge=0, description="Only versions with lower numbers")
    limit: Whole = Field(PAGE, ge=1, le=PAGE_LIMIT, description="How many stories at most")


class History(Resource):
    """The stories of a jobtype's versions."""

    operations: ClassVar = {
        "get": Operation(list[models.StoryAnswer], errors=(404,), query=HistoryQuery),
    }

    def get(self, jobtype: str) -> Response:
        """List the versions, newest first, with those that are out of service."""
        query = read_query(HistoryQuery)
        page = store().stories(jobtype, query.before, query.limit, catalogue())
        response = ok([story_payload(story) for story in page.stories])
        if page.next is not None:
            response.headers.add(*next_link(before=page.next))
        return response


class VersionHistory(Resource):
    """The story of one version."""

    operations: ClassVar = {
        "get": Operation(models.StoryAnswer, errors=(404,), query=Query),
    }

    def get(self, jobtype: str, number: int) -> Response:
        """Tell who made the version and why, what it changed, and what became of it."""
        story = store().story(jobtype, number, catalogue())
        return ok(story_payload(story), story.credit.commit)


_LINES = re.compile(r"([0-9]+)(?:-([0-9]+))?")


class BlameQuery(Query):
    """Which lines are asked for."""

    lines: str | None = Field(
        None,
        description="The lines, such as 110-130 or 110; all of them where it is left out",
        json_schema_extra={"pattern": "^[1-9][0-9]*(-[1-9][0-9]*)?$"},
    )


class Blame(Resource):
    """Who wrote each line of a version's code."""

    operations: ClassVar = {
        "get": Operation(list[models.BlameAnswer], errors=(404, 413, 503), query=BlameQuery),
    }

    def get(self, jobtype: str, number: int) -> Response:
        """Tell for each line of code.py who wrote it, since when it is there, and until when."""
        require_served()
        first, last = _parse_lines(read_query(BlameQuery).lines)
        return ok([_blame_row(lines) for lines in store().blame(jobtype, number, first, last)])


def _parse_lines(text: str | None) -> tuple[int, int | None]:
    """The first and the last line that *text* names; None is for the end of the file."""
    if text is None:
        return 1, None
    match = _LINES.fullmatch(text)
    first = parse_number(match[1]) if match else 0
    last = parse_number(match[2]) if match and match[2] else first
    if not 1 <= first <= last:
        raise BadRequest(f"lines is {shown(text)!r}; write it as 110-130, or as 110", "lines")
    return first, last


def _blame_row(lines: Lines) -> Payload:
    return {
        "first": lines.first,
        "last": lines.last,
        "commit": lines.commit.id,
        "author": person_payload(lines.commit.author.person),
        "date": date_payload(lines.commit.author.when),
        "subject": lines.commit.subject,
        "came_in": lines.came_in,
        "changed_in": lines.changed_in,
    }


class WhoseBody(Model):
    """The body of the question whose lines a text names."""

    text: Annotated[Text, Field(max_length=TEXT_LIMIT)] = Field(
        description="A traceback, or <jobtype>_<class>_v<number>.py:<line>"
    )


class Whose(Resource):
    """The lines of versions that a traceback names."""

    operations: ClassVar = {
        "post": Operation(list[models.OriginAnswer], takes=WhoseBody, commits=False),
    }

    def post(self) -> Response:
        """Tell who wrote the lines that a traceback names. It changes nothing."""
        require_served()
        origins = find_origins(store(), read_body(WhoseBody).text)
        return json_response([origin_payload(origin) for origin in origins])


_ITEM = "/jobtypes/<jobtype>"
_VERSION = f"{_ITEM}/versions/<number:number>"
ROUTES: Routes = (
    (f"{_ITEM}/history", History),
    (f"{_VERSION}/history", VersionHistory),
)
BLAMING: Routes = ((f"{_VERSION}/blame", Blame), ("/whose", Whose))
add_routes(blueprint, ROUTES)
add_routes(blaming, BLAMING)
