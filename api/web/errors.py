"""The one table of errors: what goes wrong, and the HTTP status that says so."""

from __future__ import annotations

import logging

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from api.git_http.routes import PATH as GIT_PATH
from api.git_http.routes import refusal
from api.web.auth import CHALLENGES
from api.web.wire import InvalidBody, ProposalMade, json_response
from gitstore.errors import (
    BadRequest,
    Busy,
    Damaged,
    Exists,
    FarmFailed,
    Forbidden,
    InUse,
    Invalid,
    Kind,
    MergeConflict,
    Moved,
    NotFound,
    OutOfBounds,
    PreconditionFailed,
    PreconditionRequired,
    Problem,
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

_LOG = logging.getLogger(__name__)

STATUSES: dict[type[StoreError], int] = {
    BadRequest: 400,
    NotFound: 404,
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
"""What a change that the validator refuses is answered with."""

RETRY_AFTER_S = 5
"""Seconds after which a client that came at a busy moment should retry."""

SENTENCES = {
    404: "there is nothing at this path; docs/api.md lists the routes",
    405: "this path does not take that method; the header Allow lists those it takes",
    408: "the body took too long to come; nothing was changed, send it again",
    413: "the body is over the size limit",
    415: "the body must be application/json; set the header Content-Type",
}
"""What an error of HTTP's own says, by its status, unless it was given words."""


def install(app: Flask) -> None:
    """Answer every error of *app* as JSON, from whichever layer it comes."""
    app.register_error_handler(NotFound, _ask_upstream)
    app.register_error_handler(StoreError, _answer_store_error)
    app.register_error_handler(ProposalMade, _answer_proposed)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(OSError, _answer_machine)
    app.register_error_handler(MemoryError, _answer_machine)
    app.register_error_handler(Exception, _answer_bug)


def _ask_upstream(error: Exception) -> Response:
    """Answer what was not found after asking upstream for it, once."""
    follower = current_app.extensions["follower"]
    if follower is None or request.method not in ("GET", "HEAD") or g.get("asked"):
        return _answer_store_error(error)
    g.asked = True
    follower.ask()
    try:
        current_app.preprocess_request()
        return current_app.make_response(current_app.dispatch_request())
    except StoreError as again:
        return _answer_store_error(again)
    except HTTPException as again:
        return _answer_http_error(again)


def _answer_proposed(error: Exception) -> Response:
    assert isinstance(error, ProposalMade)
    return json_response(error.answer, 202)


def status_of(error: StoreError) -> int:
    """The status that *error* is answered with."""
    if isinstance(error, Invalid):
        return KINDS[error.kind]
    return next(STATUSES[c] for c in type(error).__mro__ if c in STATUSES)


def _answer_store_error(error: Exception) -> Response:
    assert isinstance(error, StoreError)
    status = status_of(error)
    # A flood while all is busy, or tokens are lost, should not fill this log.
    if status >= 500 and not isinstance(error, Busy | TokensLost):
        _LOG.error("%s", error)
    if isinstance(error, Invalid):
        weightiest = [p for p in error.problems if p.kind is error.kind]
        details = [{"path": _path(p), "message": p.message} for p in weightiest]
        return _error(status, _sentence(weightiest), details)
    if isinstance(error, InvalidBody):
        return _error(status, str(error), error.details)
    if isinstance(error, BadRequest):
        details = [{"path": error.field, "message": str(error)}] if error.field else []
        return _error(status, str(error), details)
    response = _error(status, str(error), [])
    if isinstance(error, Unauthorized):
        for challenge in CHALLENGES:
            response.headers.add("WWW-Authenticate", challenge)
    if isinstance(error, Busy):
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _sentence(problems: list[Problem]) -> str:
    first = problems[0]
    where = first.path if first.line is None else f"{first.path}:{first.line}"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{where}: {first.message}{more}"


def _path(problem: Problem) -> str:
    """Where a problem lies in the body that brought it."""
    field = problem.field or problem.path
    if field.startswith("requirements"):
        return f"software_{field}"
    return field.rsplit(".", 1)[-1] if field.endswith("discovery_code") else field


def _error(status: int, sentence: str, details: list[dict[str, str]]) -> Response:
    if request.path.startswith(f"{GIT_PATH}/"):
        return refusal(sentence, status)
    body: dict[str, object] = {"error": sentence}
    if details:
        body["details"] = details
    return json_response(body, status)


def _answer_http_error(error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.code or 500
    sentence = _said(error) or SENTENCES.get(status) or error.description or error.name
    response = _error(status, sentence, [])
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def _said(error: HTTPException) -> str | None:
    """What *error* was given to say; None where it has only the words of all of its class."""
    return error.description if error.description != type(error).description else None


def _answer_machine(error: Exception) -> Response:
    """Answer what the machine would not do; what is none of its errors is a bug."""
    if isinstance(error, MemoryError):
        return _answer_store_error(Busy("the service is short of memory; try again"))
    assert isinstance(error, OSError)
    failure = machine_error(error)
    return _answer_bug(error) if failure is None else _answer_store_error(failure)


def _answer_bug(error: Exception) -> Response:
    _LOG.exception("a request failed in a way that was not foreseen", exc_info=error)
    return _error(500, "the service made a mistake; its log says more", [])
