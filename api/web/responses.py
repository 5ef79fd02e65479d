"""Responses: JSON, code, text and pages, with their ETags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Request, Response, current_app, g
from werkzeug.datastructures import Headers

from api.web import auth

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
PYTHON = "text/x-python; charset=utf-8"


class Complete(Response):
    """A response that is given all of its headers, and its body as a list, and goes out so.

    Werkzeug would copy the headers, see which are missing, and go through the body.
    """

    default_mimetype = None

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """The headers as they are."""
        return self.headers

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """The body, of which a HEAD gets nothing."""
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return self.response  # type: ignore[return-value]  # bytes, as it was given them


_JSON = json.JSONEncoder(separators=(",", ":"))


def encode(payload: object) -> bytes:
    """*payload* as the bytes of a JSON body; the same payload gives the same bytes."""
    return _JSON.encode(payload).encode() + b"\n"


def etag_of(body: bytes) -> str:
    """The strong entity tag of *body*, without its quotes."""
    return hashlib.sha256(body).hexdigest()[:32]


def json_response(payload: object, status: int = 200) -> Response:
    """*payload* as it goes over the wire."""
    return _response(encode(payload), status, JSON)


def _response(body: bytes, status: int, content_type: str, *more: tuple[str, str]) -> Response:
    """*body* with the headers that tell of it, and *more*."""
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body))), *more]
    return Complete([body], status, headers)


def ok(payload: object, commit: str | None = None) -> Response:
    """The response to a GET; *commit* is the one that made the version is shown."""
    return _conditional(encode(payload), JSON, commit)


def ok_code(code: str, commit: str | None = None) -> Response:
    """The response to a GET of Python source."""
    return _conditional(code.encode(), PYTHON, commit)


def ok_text(text: str, commit: str | None = None) -> Response:
    """The response to a GET of plain text."""
    return _conditional(text.encode(), TEXT, commit)


def ok_page(html: str, commit: str | None = None) -> Response:
    """The response to a GET of a page, which may run nothing and load nothing but its style."""
    response = _conditional(html.encode(), "text/html; charset=utf-8", commit)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def ok_style(css: str) -> Response:
    """The response to a GET of a style sheet."""
    return _conditional(css.encode(), "text/css; charset=utf-8", None)


def _conditional(body: bytes, content_type: str, commit: str | None) -> Response:
    """*body*, or a 304 if the client says that it has it; both cached for the next client."""
    tag = etag_of(body)
    headers = [("ETag", f'"{tag}"'), ("Cache-Control", "no-cache"), *_commit(commit)]
    response = _response(body, 200, content_type, *headers)
    request = auth.this_request()
    _keep(request, list(response.headers), body)
    if "HTTP_IF_NONE_MATCH" in request.environ and request.if_none_match.contains_weak(tag):
        return Complete(status=304, headers=headers)
    return response


def _keep(request: Request, headers: list[tuple[str, str]], body: bytes) -> None:
    """Cache the answer for the next client that asks the same, if only the path decides it."""
    catalogue, rule = g.get("catalogue"), request.url_rule
    if catalogue is not None and rule is not None and not request.query_string:
        shelf = current_app.extensions["shelf"]
        shelf.keep(request.environ["PATH_INFO"], rule.rule, headers, body, catalogue)


def written(payload: object, status: int = 201, commit: str | None = None) -> Response:
    """The response to a POST or PUT that changed something."""
    return _response(encode(payload), status, JSON, *_commit(commit))


def _commit(commit: str | None) -> list[tuple[str, str]]:
    """The header with the id of *commit*, if there is one."""
    return [] if commit is None else [("X-Git-Commit", commit)]


def deleted() -> Response:
    """The response to a DELETE: no body."""
    return Complete(status=204)
