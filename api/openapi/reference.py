"""GET /api/v1/: the description of the API as a page for people. It needs no JavaScript."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Blueprint, Response

from api.config import PREFIX
from api.openapi.document import description
from api.web.parts import require_served
from api.web.resource import Resource, Routes, add_routes
from api.web.responses import JSON

blueprint = Blueprint("reference", __name__)

_METHODS = ("get", "post", "put", "delete")

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type in words, and the model that its link leads to, None for none."""

    words: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a body, or a parameter: its name, its type, and what it means."""

    name: str
    kind: Kind
    description: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, what that says, the type of its body, and an example of that."""

    status: str
    description: str
    kind: Kind | None = None
    example: str = ""


@dataclass(frozen=True, slots=True)
class Route:
    """A method of a path. *anchor* is the end of a link to it; errors have but their statuses."""

    method: str
    path: str
    anchor: str
    summary: str
    parameters: Sequence[Field]
    body: Reply | None
    replies: Sequence[Reply]
    errors: Sequence[str]


@dataclass(frozen=True, slots=True)
class Chapter:
    """The routes about one thing."""

    name: str
    routes: Sequence[Route]


@dataclass(frozen=True, slots=True)
class Model:
    """An object in bodies, and its fields."""

    name: str
    description: str
    fields: Sequence[Field]


@cache
def chapters() -> tuple[Chapter, ...]:
    """All routes, by what they are about."""
    described: Any = description()
    routes = [
        (operation["tags"][0], _route(path, method, item, operation))
        for path, item in described["paths"].items()
        for method, operation in item.items()
        if method in _METHODS
    ]
    tags = [tag["name"] for tag in described["tags"]]
    return tuple(Chapter(tag, tuple(r for own, r in routes if own == tag)) for tag in tags)


@cache
def models() -> tuple[Model, ...]:
    """All objects in bodies, by name."""
    return tuple(
        Model(name, schema.get("description", ""), tuple(_fields(schema)))
        for name, schema in sorted(_schemas().items())
        if "properties" in schema
    )


def _schemas() -> Mapping[str, Json]:
    described: Any = description()
    schemas: Mapping[str, Json] = described["components"]["schemas"]
    return schemas


def _route(path: str, method: str, item: Json, operation: Json) -> Route:
    # Only paths outside the API name the servers that they are below.
    whole = path if "servers" in item else PREFIX + path
    parameters = [*item["parameters"], *operation["parameters"]]
    replies = [_reply(status, reply) for status, reply in operation["responses"].items()]
    body = operation.get("requestBody")
    return Route(
        method=method.upper(),
        path=whole,
        anchor=operation["operationId"],
        summary=operation["summary"],
        parameters=[_parameter(parameter) for parameter in parameters],
        body=_reply("", body) if body else None,
        replies=[reply for reply in replies if reply.status < "400"],
        errors=[reply.status for reply in replies if reply.status >= "400"],
    )


def _parameter(parameter: Json) -> Field:
    return Field(
        parameter["name"],
        _kind(parameter["schema"]),
        parameter.get("description", ""),
        parameter["in"],
    )


def _reply(status: str, reply: Json) -> Reply:
    described = reply.get("description", "")
    for kind, content in reply.get("content", {}).items():
        if kind != JSON or "schema" not in content:
            return Reply(status, described, Kind(kind))
        example = json.dumps(content["example"], indent=2, ensure_ascii=False)
        return Reply(status, described, _kind(content["schema"]), example)
    return Reply(status, described)


def _fields(schema: Json) -> Iterator[Field]:
    for name, field in schema["properties"].items():
        yield Field(name, _kind(field), field.get("description", ""))


def _kind(schema: Json) -> Kind:
    """The type that *schema* describes, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        referred = _schemas()[name]
        return Kind(name, name) if "properties" in referred else _kind(referred)
    if "anyOf" in schema:
        kinds = [_kind(part) for part in schema["anyOf"]]
        return Kind(" or ".join(k.words for k in kinds), next((k.model for k in kinds), None))
    if "enum" in schema:
        return Kind(" or ".join(map(str, schema["enum"])))
    if "const" in schema:
        return Kind(str(schema["const"]).lower())
    if schema.get("type") == "array":
        items = _kind(schema.get("items", {}))
        return Kind(f"list of {items.words}", items.model)
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        values = _kind(schema["additionalProperties"])
        return Kind(f"object with {values.words}", values.model)
    return Kind(str(schema.get("type", "any value")))


class ApiPage(Resource):
    """The page."""

    def get(self) -> Response:
        """Describe the API on a page for people."""
        # Pages are loaded when the first browser asks for one.
        from api.pages.rendering import page

        require_served()
        return page("api.html", chapters=chapters(), models=models())


ROUTES: Routes = (("/", ApiPage),)
add_routes(blueprint, ROUTES)
