"""The one table of errors: what goes wrong, and the HTTP status that says so."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from api.config import GIT_PATH
from api.web.auth import BASIC, CHALLENGES
from api.web.bodies import InvalidBody
from api.web.preferences import vary_by_preference, wants_error_page
from api.web.responses import json_response
from api.web.sentences import NOTHING_HERE
from gitstore.errors import (
    BadRequest,
    Busy,
    Damaged,
    Exists,
    FarmFailed,
    Forbidden,
    Gone,
    InUse,
    Invalid,
    MergeConflict,
    Moved,
    NotFound,
    OutOfBounds,
    PreconditionFailed,
    PreconditionRequired,
    ReadOnly,
    Refused,
    StorageFailed,
    StorageFull,
    StoreError,
    TokensLost,
    Unauthorized,
    UpstreamFailed,
    machine_error,
)
from gitstore.rules import Kind, Problem

_LOG = logging.getLogger(__name__)

STATUSES: dict[type[StoreError], int] = {
    BadRequest: 400,
    NotFound: 404,
    Gone: 410,
    Exists: 409,
    InUse: 409,
    PreconditionFailed: 412,
    PreconditionRequired: 428,
    ReadOnly: 403,
    Unauthorized: 401,
    Forbidden: 403,
    TokensLost: 503,
    OutOfBounds: 413,
    Refused: 409,
    MergeConflict: 409,
    Moved: 409,
    UpstreamFailed: 502,
    FarmFailed: 502,
    Busy: 503,
    StorageFull: 507,
    StorageFailed: 503,
    Damaged: 500,
    StoreError: 500,
}
KINDS = {Kind.TOO_LARGE: 413, Kind.INVALID: 400, Kind.UNKNOWN: 404, Kind.CONFLICT: 409}
"""The status for a tree that the validator refuses."""

RETRY_AFTER_S = 5
"""Seconds after which a client that came at a busy moment should retry."""

SENTENCES = {
    404: NOTHING_HERE,
    405: "this path does not take that method; the header Allow lists those it takes",
    408: "the body took too long to come; nothing was changed, send it again",
    413: "the body is over the size limit",
    416: "the file has no such part; Content-Range has its size",
    415: "the body must be application/json; set the header Content-Type",
}
"""The sentences for HTTP's own errors that have no description of their own, by status."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What a client learns of an error: a status, a sentence, and perhaps details and headers.

    *next* is the cursor with which it can go on.
    """

    status: int
    sentence: str
    details: Sequence[Mapping[str, str]] = ()
    headers: Sequence[tuple[str, str]] = ()
    next: str | None = None


def install(
    app: Flask,
    git_response: Callable[[str, int], Response],
    page_response: Callable[[Failure], Response],
) -> None:
    """Answer every error of *app* as JSON.

    Git's clients get *git_response*, and people with a browser *page_response*.
    """

    def respond(failure: Failure) -> Response:
        if request.path.startswith(f"{GIT_PATH}/"):
            response = git_response(failure.sentence, failure.status)
        elif wants_error_page():
            response = page_response(failure)
            vary_by_preference(response)
            # Browsers would ask for a name and a password, over the page that leads to the login.
            failure = replace(failure, headers=[h for h in failure.headers if h[1] != BASIC])
        else:
            more = {"details": failure.details, "next": failure.next}
            said = {key: value for key, value in more.items() if value}
            response = json_response({"error": failure.sentence} | said, failure.status)
        for name, value in failure.headers:
            response.headers.add(name, value)
        return response

    for kind, describe in _DESCRIPTIONS.items():
        app.register_error_handler(kind, lambda error, d=describe: respond(d(error)))


def status_of(error: StoreError) -> int:
    """The status that *error* is answered with."""
    if isinstance(error, Invalid):
        return KINDS[error.kind]
    return next(STATUSES[c] for c in type(error).__mro__ if c in STATUSES)


def _of_store(error: Exception) -> Failure:
    assert isinstance(error, StoreError)
    status = status_of(error)
    # A flood of requests while the service is busy, or tokens are lost, must not fill the log.
    if status >= 500 and not isinstance(error, Busy | TokensLost):
        _LOG.error("%s", error)
    if isinstance(error, Invalid):
        weightiest = [p for p in error.problems if p.kind is error.kind]
        details = [{"path": _path(p), "message": p.message} for p in weightiest]
        return Failure(status, _sentence(weightiest), details)
    if isinstance(error, InvalidBody):
        return Failure(status, str(error), error.details)
    if isinstance(error, BadRequest) and error.field:
        return Failure(status, str(error), [{"path": error.field, "message": str(error)}])
    if isinstance(error, Gone):
        return Failure(status, str(error), next=error.next)
    headers: Sequence[tuple[str, str]] = ()
    if isinstance(error, Unauthorized):
        headers = [("WWW-Authenticate", challenge) for challenge in CHALLENGES]
    if isinstance(error, Busy):
        headers = [("Retry-After", str(RETRY_AFTER_S))]
    return Failure(status, str(error), headers=headers)


def _sentence(problems: list[Problem]) -> str:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{first.where}: {first.message}{more}"


def _path(problem: Problem) -> str:
    """The place of *problem* in the request's body."""
    field = problem.field or problem.path
    if field.startswith("requirements"):
        return f"software_{field}"
    return field.rsplit(".", 1)[-1] if field.endswith("discovery_code") else field


def _of_http(error: Exception) -> Failure:
    assert isinstance(error, HTTPException)
    status = error.code or 500
    # A description of this error's own goes before the one that all errors of its class have.
    own = error.description if error.description != type(error).description else None
    sentence = own or SENTENCES.get(status) or error.description or error.name
    entity = ("Content-Type", "Content-Length")
    headers = [(name, value) for name, value in error.get_headers() if name not in entity]
    return Failure(status, sentence, headers=headers)


def _of_machine(error: Exception) -> Failure:
    """An error of the machine; an OSError that is none of its errors is a bug."""
    assert isinstance(error, OSError)
    failure = machine_error(error)
    return _of_bug(error) if failure is None else _of_store(failure)


def _of_memory(error: Exception) -> Failure:
    return _of_store(Busy("the service is short of memory; try again"))


def _of_bug(error: Exception) -> Failure:
    _LOG.exception("a request failed in a way that was not foreseen", exc_info=error)
    return Failure(500, "the service made a mistake; its log says more")


_DESCRIPTIONS: Mapping[type[Exception], Callable[[Exception], Failure]] = {
    StoreError: _of_store,
    HTTPException: _of_http,
    OSError: _of_machine,
    MemoryError: _of_memory,
    Exception: _of_bug,
}
