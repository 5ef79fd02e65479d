"""The routes outside of the API, for its description: paths from the root."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from pydantic import BaseModel

from api.config import GIT_PATH
from api.git_http import routes
from api.git_http.processes import SERVICES
from api.openapi import examples
from api.pages import diffs
from api.rest import health, models, schemas, webhooks
from gitstore.format.json_schema import FILES
from hooks.forges import FORGES

Schema = dict[str, object]
Refs = Mapping[type[BaseModel], Schema]
TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class OtherRoute:
    """One method of one path: what it says and may be asked, by status.

    An answer is a model, or the type of what is no JSON and an example of it. Errors are of
    the API's form, below Git's path in plain text.
    """

    path: str
    method: str
    tag: str
    summary: str
    answers: Mapping[int, type[BaseModel] | tuple[str, str]]
    errors: tuple[int, ...] = ()
    takes: str | None = None


def _says(view: Callable[..., object]) -> str:
    return (view.__doc__ or "").strip().split("\n", 1)[0]


_DIFF = "--- a/code.py\n+++ b/code.py\n"
_GIT_ERRORS = (401, 403, 503, 507)
ALL: tuple[OtherRoute, ...] = (
    OtherRoute("/health/live", "get", "health", _says(health.live), {200: models.LiveAnswer}),
    OtherRoute(
        *("/health/ready", "get", "health", _says(health.ready)),
        {200: models.ReadyAnswer, 503: models.UnreadyAnswer},
    ),
    OtherRoute(
        *("/health/upstream", "get", "health", _says(health.upstream)),
        {200: models.FollowingAnswer, 503: models.FollowingAnswer},
    ),
    OtherRoute(
        *("/health/mirror", "get", "health", _says(health.mirror)),
        {200: models.MirrorAnswer, 503: models.MirrorAnswer},
    ),
    OtherRoute(
        *("/metrics", "get", "health", "All workers' figures, for Prometheus."),
        {200: (TEXT, "jobtypes_jobtypes 6.0\n")},
    ),
    OtherRoute(
        *("/schemas/{kind}.json", "get", "health", _says(schemas.schema)),
        *({200: (schemas.JSON_SCHEMA, "")}, (404,)),
    ),
    OtherRoute(
        *("/diff/{jobtype}/{old}..{new}", "get", "changes", _says(diffs.diff)),
        *({200: (TEXT, _DIFF)}, (401, 404, 500, 503)),
    ),
    OtherRoute(
        *("/preview/{ref}/api/v1/{path}", "get", "changes"),
        "Answer as that path of the API would if the ref were merged.",
        *({200: ("application/json", "")}, (401, 404, 409, 500, 503)),
    ),
    OtherRoute(
        *("/webhooks/{forge}", "post", "upstream", _says(webhooks.Receiver.deliver)),
        *({202: models.DeliveredAnswer}, (401, 403, 404, 413), "application/json"),
    ),
    OtherRoute(
        *(f"{GIT_PATH}/info/refs", "get", "git", _says(routes.advertise)),
        {200: ("application/x-git-upload-pack-advertisement", "")},
        (404, *_GIT_ERRORS),
    ),
    OtherRoute(
        *(f"{GIT_PATH}/info/lfs/objects/batch", "post", "git", _says(routes.refuse_lfs)),
        {422: (routes.LFS_JSON, f'{{"message": "{routes.LFS_REFUSAL}"}}')},
        *((401, 403), routes.LFS_JSON),
    ),
    OtherRoute(
        *(f"{GIT_PATH}/{{name}}", "post", "git", _says(routes.talk)),
        {200: ("application/x-git-upload-pack-result", "")},
        *((400, 404, 408, 413, 415, *_GIT_ERRORS), "application/x-git-upload-pack-request"),
    ),
)
"""Every route that is not below /api/v1."""

_PARAMETERS: Mapping[str, tuple[str, Schema, object]] = {
    "jobtype": ("The jobtype's name, or its id in digits", {"type": "string"}, "Turntable"),
    "old": ("The number of the earlier version", {"type": "integer"}, 1),
    "new": ("The number of the later version", {"type": "integer"}, 2),
    "ref": ("A branch, a tag, a commit, or pull/7", {"type": "string"}, "fix-tiles"),
    "path": ("A path of the API, slashes and all", {"type": "string"}, "jobtypes/Turntable"),
    "forge": ("Who sends it", {"type": "string", "enum": sorted(FORGES)}, "github"),
    "kind": ("A kind of file", {"type": "string", "enum": sorted(FILES)}, "meta"),
    "name": (
        "Git's program",
        {"type": "string", "enum": sorted(SERVICES)},
        "git-upload-pack",
    ),
}


def paths(refs: Refs, url: str) -> Schema:
    """The paths with what they answer, below *url*; *refs* are the models' schemas."""
    return {other.path: _item(other, refs, url) for other in ALL}


def _item(other: OtherRoute, refs: Refs, url: str) -> Schema:
    names = [name for name in _PARAMETERS if f"{{{name}}}" in other.path]
    operation: Schema = {
        "tags": [other.tag],
        "operationId": f"{other.method}{other.path}",
        "summary": other.summary,
        "parameters": [_service()] if other.path.endswith("/info/refs") else [],
        "responses": {
            **{str(s): _answer(s, gives, refs) for s, gives in other.answers.items()},
            **{str(s): _error(other, s, refs) for s in other.errors},
        },
    }
    if other.takes:
        operation["requestBody"] = {"required": True, "content": {other.takes: {}}}
    return {
        "servers": [{"url": url or "/"}],
        "parameters": [_parameter(name) for name in names],
        other.method: operation,
    }


def _parameter(name: str) -> Schema:
    says, schema, example = _PARAMETERS[name]
    told: Schema = {"name": name, "in": "path", "required": True, "description": says}
    return {**told, "schema": schema, "example": example}


def _service() -> Schema:
    schema = {"type": "string", "enum": sorted(SERVICES)}
    parameter: Schema = {"name": "service", "in": "query", "required": True, "schema": schema}
    return {**parameter, "description": "What Git is about to do"}


def _answer(status: int, gives: type[BaseModel] | tuple[str, str], refs: Refs) -> Schema:
    if isinstance(gives, tuple):
        kind, example = gives
        content: Schema = {kind: {"example": example} if example else {}}
    else:
        told = {"schema": refs[gives], "example": examples.ANSWERS[gives]}
        content = {"application/json": told}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _error(other: OtherRoute, status: int, refs: Refs) -> Schema:
    if other.tag == "git":
        content: Schema = {TEXT: {"example": f"{examples.ERRORS[status]}\n"}}
    else:
        told = {"schema": refs[models.ErrorAnswer], "example": examples.error(status)}
        content = {"application/json": told}
    return {"description": HTTPStatus(status).phrase, "content": content}
