"""GET /api/v1/events: what the served branch brought after a commit, for those that follow it."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from typing import Annotated, ClassVar

from flask import Blueprint, Response, g
from pydantic import AfterValidator, Field

from api.rest.payloads import Payload
from api.rest.stories import PAGE_LIMIT
from api.rest.story_models import EventsAnswer
from api.rest.story_payloads import credit_payload
from api.web.parts import parts, require_served, store
from api.web.query import Query, Whole, next_link, read_query
from api.web.resource import Operation, Resource, Routes, add_routes
from api.web.responses import ok
from api.worker.ending import ENDING
from gitstore.branch.events import BEGINNING, Told
from gitstore.branch.stories import PAGE, State
from gitstore.catalogue.events import Kind
from gitstore.format.layout import printable, shown
from gitstore.format.schema import refusal

blueprint = Blueprint("events", __name__)

WAIT_LIMIT_S = 25
_LOOK_S = 0.2
"""How often a request that waits looks at the branch."""


def _check_cursor(text: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{40}", text):
        raise refusal(f"must be a commit, as next of an answer names it, not {shown(text)!r}")
    return text


Cursor = Annotated[
    str, AfterValidator(_check_cursor), Field(json_schema_extra={"pattern": "^[0-9a-f]{40}$"})
]


class EventsQuery(Query):
    """After which commit, how much, and how long to wait for it."""

    since: Cursor | None = Field(
        None,
        description="The cursor: next of the answer before. 40 zeros give all events from the"
        " first commit on. Without it there are no events, and next is the newest commit",
    )
    limit: Whole = Field(
        PAGE, ge=1, le=PAGE_LIMIT, description="How many steps with events at most; none is split"
    )
    wait: Whole = Field(
        0,
        ge=0,
        le=WAIT_LIMIT_S,
        description="How many seconds to wait for events if there are none",
    )


class Events(Resource):
    """What steps of the served branch brought."""

    operations: ClassVar = {
        "get": Operation(EventsAnswer, errors=(404, 410), query=EventsQuery),
    }

    def get(self) -> Response:
        """List what came after a commit, and the cursor for what comes next."""
        require_served()
        query = read_query(EventsQuery)
        if query.since is not None and query.wait:
            _wait_for_news(query.since, query.wait)
        served, news = store().news(query.since, query.limit)
        if not news.events:
            g.catalogue = served  # The common answer is kept in memory.
        response = ok({"events": [_payload(told) for told in news.events], "next": news.next})
        if not news.is_last:
            response.headers.add(*next_link(since=news.next))
        return response


def _wait_for_news(since: str, limit_s: int) -> None:
    """Wait until the branch is elsewhere than at *since*, if there is a place to wait."""
    until = time.monotonic() + limit_s
    with parts().limits.listening() as has_place:
        while has_place and (store().catalogue().history.tip or BEGINNING) == since:
            left_s = until - time.monotonic()
            if left_s <= 0 or ENDING.wait(min(left_s, _LOOK_S)):
                return


def _payload(told: Told) -> Payload:
    event, name = told.event, printable(told.event.name)
    is_new = event.kind is Kind.VERSION
    rows = told.versions
    return {
        **credit_payload(told.credit),
        "event": event.kind,
        "jobtype": None if told.is_software else name,
        "software": name if told.is_software else None,
        "id": event.id,
        "number": event.number,
        "state": (State.BROKEN if told.is_broken else State.IN_SERVICE) if is_new else None,
        "reason": told.reason,
        "renamed_to": printable(told.renamed_to) if told.renamed_to else None,
        "versions": None if rows is None else [asdict(row) for row in rows],
    }


ROUTES: Routes = (("/events", Events),)
add_routes(blueprint, ROUTES)
