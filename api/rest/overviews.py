"""Answers about all jobtypes at once: the newest versions, a search, and who requires what."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, ClassVar, NamedTuple

from flask import Blueprint, Response
from pydantic import BeforeValidator, Field

from api.rest import models, payloads
from api.web.parts import catalogue as current
from api.web.parts import is_preview, require_served, store
from api.web.query import Query, Switch, read_query
from api.web.resource import Operation, Resource, Routes, add_routes
from api.web.responses import JSON, encode, etag_of, is_known, not_modified, ok, tag_headers
from api.web.streams import LARGE_BYTES, sends, stream
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.requiring import required_by
from gitstore.catalogue.search import Where, search
from gitstore.edits.software import software_version
from gitstore.format.layout import shown
from gitstore.format.schema import refusal
from gitstore.git.single_flight import Once

blueprint = Blueprint("overviews", __name__)
searching = Blueprint("searching", __name__)

_NEWEST_BYTES = 16 * 1024 * 1024
"""The memory for lists of newest versions. Also longer ones are made once for all who wait."""

_newest = Once[tuple[str | None, bool], "Body"](_NEWEST_BYTES, lambda body: len(body.data))


class Body(NamedTuple):
    """A body in JSON, and its entity tag."""

    data: bytes
    tag: str


class NewestQuery(Query):
    """The parameters of the list of newest versions."""

    code: Switch = Field(False, description="Whether to show the code, too")


class Newest(Resource):
    """All jobtypes with their newest versions."""

    operations: ClassVar = {
        "get": Operation(list[models.NewestAnswer], errors=(503,), query=NewestQuery),
    }

    def get(self) -> Response:
        """List the newest version in service of every jobtype, by name."""
        body = _body(current(), read_query(NewestQuery).code)
        headers = tag_headers(body.tag, None)
        size = len(body.data)
        # What fits in memory goes on whole, so that the cache has it for the next poll.
        if size > LARGE_BYTES and is_known(body.tag):
            return not_modified(headers)
        return stream([body.data], size, JSON, headers, sends(size))


def _body(catalogue: Catalogue, has_code: bool) -> Body:
    """The body of the list, which is computed once for all who ask at the same time."""
    history = catalogue.history

    def make() -> Body:
        releases = (catalogue.find_newest(jobtype) for jobtype in catalogue.jobtypes())
        rows = [payloads.newest_payload(catalogue, r, has_code) for r in releases if r]
        data = encode(rows)
        return Body(data, etag_of(data))

    # A preview has a tip that other previews may share.
    return make() if is_preview() else _newest.get((history.tip, has_code), make)


def _parse_places(text: object) -> object:
    """What is searched, out of a list with commas."""
    if not isinstance(text, str):
        return text
    names = text.split(",")
    unknown = [name for name in names if name not in set(Where)]
    if unknown:
        known = ", ".join(Where)
        raise refusal(f"holds {shown(unknown[0])!r}; it is a list with commas of {known}")
    return frozenset(map(Where, names))


class SearchQuery(Query):
    """The parameters of a search."""

    q: str = Field(
        min_length=1, max_length=100, description="The text to look for, in upper or lower case"
    )
    places: Annotated[
        frozenset[Where], BeforeValidator(_parse_places, json_schema_input_type=str)
    ] = Field(
        frozenset(Where),
        alias="in",
        description="Where to look, with commas: code, meta (for meta.yaml), name",
        json_schema_extra={"default": ",".join(Where)},
    )


class Search(Resource):
    """A search in the newest versions."""

    operations: ClassVar = {
        "get": Operation(models.SearchAnswer, errors=(503,), query=SearchQuery),
    }

    def get(self) -> Response:
        """Find a text in the newest versions in service, within limits of time and number."""
        query = read_query(SearchQuery)
        found = search(current(), query.q, query.places)
        return ok({"matches": [asdict(match) for match in found.matches], "cut": found.cut})


class RequiredByQuery(Query):
    """The parameters of the list of jobtypes that require a software."""

    version: str | None = Field(
        None, description="The version of the software to compare with: its string or its id"
    )


class RequiredBy(Resource):
    """The jobtypes that require a software."""

    operations: ClassVar = {
        "get": Operation(list[models.RequiringAnswer], errors=(404,), query=RequiredByQuery),
    }

    def get(self, software: str) -> Response:
        """List the newest versions in service that require the software, by jobtype."""
        catalogue, key = current(), read_query(RequiredByQuery).version
        entry = catalogue.software_entry(software)
        version = None if key is None else software_version(catalogue, entry, key)
        return ok([payloads.requiring_row(r) for r in required_by(catalogue, entry, version)])


class Difference(Resource):
    """The difference between two versions."""

    operations: ClassVar = {
        "get": Operation(models.DiffAnswer, errors=(404, 413, 503), query=Query),
    }

    def get(self, jobtype: str, old: int, new: int) -> Response:
        """Show what differs between two versions: files, fields and requirements."""
        require_served()
        diff = store().compare(jobtype, old, new)
        return ok(payloads.diff_payload(diff), diff.commit)


SEARCH_ROUTES: Routes = (
    ("/search", Search),
    ("/jobtypes/<jobtype>/diff/<number:old>..<number:new>", Difference),
)
ROUTES: Routes = (
    ("/newest", Newest),
    ("/software/<slashed:software>/required_by", RequiredBy),
)
add_routes(blueprint, ROUTES)
add_routes(searching, SEARCH_ROUTES)
