"""GET /api/v1/openapi.json: the description of the API, made of what the service runs on.

Paths come from the tables of routes, sentences from the views' docstrings, schemas from
the models. This module says which models and statuses belong to which view.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from typing import ClassVar, get_args

from flask import Blueprint, Response
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema

from api.config import PREFIX
from api.openapi import examples, fields, other_routes
from api.rest import (
    changes,
    comments,
    events,
    files,
    jobtypes,
    overviews,
    rollbacks,
    software,
    stories,
    tokens,
)
from api.rest.changes import MergeBody
from api.rest.models import ErrorAnswer, ProposedAnswer
from api.web.address import public_base
from api.web.query import Query
from api.web.resource import Bytes, Operation, Routes, View, add_routes
from api.web.responses import JSON, PYTHON, ok
from gitstore.branch.writing import MESSAGE_LIMIT

blueprint = Blueprint("openapi", __name__)

Schema = dict[str, object]


_COMMON = (400, 401, 403, 500)
_WRITING = (408, 502, 503, 507)
_BODY = (413, 415)
_PREVIEW = (404, 409, 413, 503)

_PLACES: Mapping[str, tuple[str, Schema, str]] = {
    "jobtype": ("The jobtype's name, or its id in digits", {"type": "string"}, "Blender"),
    "software": (
        "The software's name, slashes and all, or its id in digits",
        {"type": "string"},
        "blender",
    ),
    "version": (
        "The version's string, slashes and all, or its id in digits",
        {"type": "string"},
        "4.2",
    ),
    "branch": ("The change's branch, slashes and all", {"type": "string"}, "fix-tiles"),
    "name": ("The token's name", {"type": "string"}, "ci"),
    "comment": ("The comment's number", {"type": "integer", "minimum": 0}, "1"),
    "number": (
        "The version's number",
        {"type": "integer", "minimum": 0},
        "1",
    ),
    "old": ("The number of the earlier version", {"type": "integer", "minimum": 0}, "1"),
    "new": ("The number of the later version", {"type": "integer", "minimum": 0}, "2"),
    "path": ("The file's path in its directory, slashes and all", {"type": "string"}, "code.py"),
}
_HEADERS: Mapping[str, str] = {
    "ETag": "Strong: the same for the same body, on all servers",
    "Cache-Control": "Always no-cache",
    "X-Mirror": "With a mirror: in-step, pending or away, where the master's tables are",
    "X-Git-Commit": "The commit that made the version, where it is about one",
    "Link": "The next part of the list, as rel=next, where there is one",
    "Accept-Ranges": "bytes: a part can be asked for",
    "Content-Range": "Which part of the file this is",
    "X-Request-Id": "The request's id, as it stands in the log",
    "Retry-After": "Seconds after which a retry may help",
    "WWW-Authenticate": "How a token can be sent",
}
_READ_HEADERS = ("ETag", "Cache-Control", "X-Git-Commit")
_STATUS_HEADERS = {
    206: ("Content-Range", "Accept-Ranges"),
    401: ("WWW-Authenticate",),
    416: ("Content-Range",),
    503: ("Retry-After",),
}
_SOMETIMES = {"X-Git-Commit", "X-Mirror", "Retry-After", "Link"}
_SAYS = {
    202: "With an upstream and writes = review: it became a branch there, for review",
    204: "Done, or there was nothing to do",
    304: "If-None-Match has this ETag",
}
_DESCRIPTION = """\
Jobtypes and software for render agents, as PyFarm serves them, out of a Git repository.
Each path is answered with and without a slash at its end. HEAD is answered wherever GET is,
and OPTIONS everywhere. Any path can be read below /preview/<ref> as if that branch were merged."""


class OpenApi(View):
    """This description."""

    operations: ClassVar = {"get": Operation(dict)}

    def get(self) -> Response:
        """Describe the API in the form of OpenAPI 3.1."""
        return ok(description(public_base()))


OWN_ROUTES: Routes = (("/openapi.json", OpenApi),)
TAGGED: Mapping[str, Routes] = {
    "jobtypes": (*jobtypes.ROUTES, *rollbacks.ROUTES),
    "history": (*stories.ROUTES, *stories.BLAMING),
    "files": files.ROUTES,
    "software": software.ROUTES,
    "changes": (*changes.ROUTES, *comments.ROUTES),
    "events": events.ROUTES,
    "overviews": (*overviews.ROUTES, *overviews.SEARCH_ROUTES),
    "tokens": tokens.ROUTES,
    "description": OWN_ROUTES,
}
"""Every route below /api/v1, by what it is about."""
_TAGS_BESIDE = tuple(other.tag for other in other_routes.ALL)


@cache
def description(url: str = "") -> Schema:
    """The whole description, as JSON's values; *url* is the public one, empty for any."""
    refs, components = _schemas()
    paths = {
        _template(path): _path_item(path, view, tag, refs)
        for tag, routes in TAGGED.items()
        for path, view in routes
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Jobtype repository",
            "version": version("jobtype-repository"),
            "description": _DESCRIPTION,
        },
        "servers": [{"url": f"{url}{PREFIX}"}],
        "tags": [{"name": tag} for tag in dict.fromkeys((*TAGGED, *_TAGS_BESIDE))],
        "security": [{}, {"bearer": []}, {"basic": []}],
        "paths": paths | other_routes.paths(refs, url),
        "components": {
            **components,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic"},
            },
        },
    }


Refs = Mapping[type[BaseModel], Schema]


def _schemas() -> tuple[Refs, dict[str, object]]:
    """A reference for each model, and the components that they refer to."""
    given = [*_given_models(), *examples.ANSWERS, ErrorAnswer]
    wanted = [(model, "serialization") for model in given]
    wanted += [(model, "validation") for model in examples.BODIES]
    found, definitions = models_json_schema(
        wanted,  # type: ignore[arg-type]  # a list of pairs, whose second is one of two words
        ref_template="#/components/schemas/{model}",
    )
    refs = {model: schema for (model, _), schema in found.items() if issubclass(model, BaseModel)}
    fields.describe(definitions["$defs"])
    return refs, {"schemas": definitions["$defs"]}


def _given_models() -> Iterator[type[BaseModel]]:
    views = dict.fromkeys(view for routes in TAGGED.values() for _, view in routes)
    for operation in (one for view in views for one in view.operations.values()):
        for model in (operation.gives, *get_args(operation.gives)):
            if isinstance(model, type) and issubclass(model, BaseModel):
                yield model


def _template(path: str) -> str:
    """*path* with its variables as OpenAPI writes them."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)


def _path_item(path: str, view: type[View], tag: str, refs: Refs) -> Schema:
    names = re.findall(r"<(?:\w+:)?(\w+)>", path)
    item: Schema = {"summary": _sentence(view), "parameters": [_parameter(n) for n in names]}
    for method, operation in view.operations.items():
        item[method] = {
            "tags": [tag],
            "operationId": f"{method}{view.__name__}{_alias(path, view)}",
            "summary": _sentence(getattr(view, method)),
            **_request(method, operation, refs),
            "responses": dict(_responses(method, operation, names, refs)),
        }
    return item


def _alias(path: str, view: type[View]) -> str:
    """What tells a view's second path from its first."""
    paths = [p for routes in TAGGED.values() for p, v in routes if v is view]
    return str(paths.index(path) + 1) if path != paths[0] else ""


def _sentence(documented: object) -> str:
    return (documented.__doc__ or "").strip().split("\n", 1)[0]


def _parameter(name: str) -> Schema:
    says, schema, example = _PLACES[name]
    value = int(example) if schema["type"] == "integer" else example
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": says,
        "schema": schema,
        "example": value,
    }


def _header(name: str, says: str, schema: Schema | None = None) -> Schema:
    schema = schema or {"type": "string"}
    return {"name": name, "in": "header", "description": says, "schema": schema}


_MESSAGE: Schema = {
    "type": "string",
    "maxLength": MESSAGE_LIMIT,
    "pattern": "^[\\t -~]*[!-~][\\t -~]*$",
}


def _request(method: str, operation: Operation, refs: Refs) -> Schema:
    parameters = list(_query(operation.query)) if operation.query else []
    if method == "get":
        says = "ETags that are known: one of them makes the answer a 304"
        return {"parameters": [*parameters, _header("If-None-Match", says)]}
    if operation.commits:
        parameters.append(_header("X-Commit-Message", "The message of the commit", _MESSAGE))
        if method != "post":
            says = "The ETag that a GET of this path had; else 412"
            parameters.append(_header("If-Match", says))
        elif operation.tag_of:
            status = 409 if operation.takes is MergeBody else 412
            says = f"The ETag that a GET of {operation.tag_of} had; else {status}"
            parameters.append(_header("If-Match", says))
    told: Schema = {"parameters": parameters}
    if operation.takes is not None:
        content = {"schema": refs[operation.takes], "example": examples.BODIES[operation.takes]}
        told["requestBody"] = {"required": True, "content": {JSON: content}}
    return told


def _query(model: type[Query]) -> Iterator[Schema]:
    """The parameters of a query."""
    described = model.model_json_schema()
    bounds = {f.alias or name: _bounds(f) for name, f in model.model_fields.items()}
    for name, schema in described.get("properties", {}).items():
        yield {
            "name": name,
            "in": "query",
            "description": schema.pop("description"),
            "required": name in described.get("required", ()),
            "schema": {key: value for key, value in schema.items() if key != "title"}
            | bounds[name],
        }


def _bounds(field: FieldInfo) -> Schema:
    """The bounds of a number, which pydantic leaves out where text is parsed first."""
    return {
        word: getattr(rule, name)
        for name, word in (("ge", "minimum"), ("le", "maximum"))
        for rule in field.metadata
        if hasattr(rule, name)
    }


def _responses(
    method: str, operation: Operation, names: list[str], refs: Refs
) -> Iterator[tuple[str, Schema]]:
    for status in operation.status:
        headers = _read_headers(operation) if method == "get" else ("X-Git-Commit", "X-Mirror")
        yield (
            str(status),
            _response(status, operation.gives, refs, headers if operation.gives else ()),
        )
    if method == "get":
        yield "304", _response(304, None, refs, _READ_HEADERS)
        errors = {*operation.errors, *_COMMON, *_PREVIEW}
    else:
        is_merge = operation.takes is MergeBody
        if operation.commits and not is_merge:
            yield "202", _response(202, ProposedAnswer, refs)
        errors = {*operation.errors, *_COMMON, *_WRITING, *(_BODY if operation.takes else ())}
        if operation.commits and not is_merge and (method != "post" or operation.tag_of):
            errors.add(412)
    if "number" in names or "comment" in names:
        errors.add(404)  # What is no number is no path.
    for status in sorted(errors):
        yield str(status), _response(status, ErrorAnswer, refs)


def _read_headers(operation: Operation) -> tuple[str, ...]:
    is_list = operation.query is not None and "limit" in operation.query.model_fields
    return (*_READ_HEADERS, "Link") if is_list else _READ_HEADERS


def _response(status: int, gives: object, refs: Refs, headers: tuple[str, ...] = ()) -> Schema:
    says = _SAYS.get(status, HTTPStatus(status).phrase)
    names = (*headers, *_STATUS_HEADERS.get(status, ()), "X-Request-Id")
    response: Schema = {"description": says, "headers": {name: _answered(name) for name in names}}
    if gives is str:
        told: Schema = {"schema": {"type": "string"}, "example": examples.CODE}
        response["content"] = {PYTHON: told}
    elif isinstance(gives, Bytes):
        told = {"schema": {"type": "string"}, "example": gives.example}
        response["content"] = dict.fromkeys(gives.kinds, told)
    elif gives is not None:
        told = {"schema": _schema(gives, refs), "example": _example(gives, status)}
        response["content"] = {JSON: told}
    return response


def _answered(name: str) -> Schema:
    """The header *name* of an answer."""
    required = name not in _SOMETIMES
    return {"description": _HEADERS[name], "required": required, "schema": {"type": "string"}}


def _schema(gives: object, refs: Refs) -> Schema:
    if gives is dict:
        return {"type": "object"}
    if isinstance(gives, type) and issubclass(gives, BaseModel):
        return refs[gives]
    item = get_args(gives)[0]
    items: Schema = {"type": "integer", "minimum": 1} if item is int else refs[item]
    return {"type": "array", "items": items}


def _example(gives: object, status: int) -> object:
    if gives is dict:
        return {"openapi": "3.1.0"}
    if gives is ErrorAnswer:
        return examples.error(status)
    if isinstance(gives, type) and issubclass(gives, BaseModel):
        return examples.ANSWERS[gives]
    item = get_args(gives)[0]
    return [1, 2] if item is int else [examples.ANSWERS[item]]


add_routes(blueprint, OWN_ROUTES)
