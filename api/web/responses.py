"""Responses: JSON, code, text and pages, with their ETags."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from flask import Response, request
from werkzeug.datastructures import Headers

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
PYTHON = "text/x-python; charset=utf-8"
HTML = "text/html; charset=utf-8"

PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of pages: nothing inline, and nothing from elsewhere."""


class Complete(Response):
    """A response that goes out with exactly the headers and the list of bytes that it has.

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
        return self.response  # type: ignore[return-value]  # a list of bytes, by its maker


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
    return _tagged(encode(payload), JSON, commit)


def ok_code(code: str, commit: str | None = None) -> Response:
    """The response to a GET of Python source."""
    return _tagged(code.encode(), PYTHON, commit)


def ok_text(text: str, commit: str | None = None) -> Response:
    """The response to a GET of plain text."""
    return _tagged(text.encode(), TEXT, commit)


def ok_page(html: str, commit: str | None = None) -> Response:
    """The response to a GET of a page."""
    return _secured(_tagged(html.encode(), HTML, commit))


def error_page(html: str, status: int) -> Response:
    """*html* as the page of an error."""
    return _secured(_response(html.encode(), status, HTML))


def _secured(page: Response) -> Response:
    """*page*, which may load nothing but our own files, and send forms to nobody else."""
    page.headers["Content-Security-Policy"] = PAGE_POLICY
    page.headers["Referrer-Policy"] = "same-origin"
    return page


def ok_asset(body: bytes, content_type: str, is_immutable: bool) -> Response:
    """The response to a GET of a file of ours; *is_immutable* if its URL has its digest."""
    response = _tagged(body, content_type, None)
    # Opened as a page of its own, an image may not run anything.
    response.headers["Content-Security-Policy"] = "default-src 'none'"
    if is_immutable:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def redirected(url: str) -> Response:
    """The response that leads a browser to *url*."""
    return _response(b"", 302, TEXT, ("Location", url))


def _tagged(body: bytes, content_type: str, commit: str | None) -> Response:
    return _response(body, 200, content_type, *tag_headers(etag_of(body), commit))


def tag_headers(tag: str, commit: str | None) -> list[tuple[str, str]]:
    """The headers of what has the strong entity tag *tag*, without its quotes."""
    return [("ETag", f'"{tag}"'), ("Cache-Control", "no-cache"), *_commit(commit)]


def make_conditional(response: Response) -> Response:
    """*response*, or a 304 for a client that has it already."""
    if "HTTP_IF_NONE_MATCH" not in request.environ or response.status_code != 200:
        return response
    tag, _ = response.get_etag()
    if tag is None or not is_known(tag):
        return response
    return not_modified([h for h in response.headers if h[0] not in _ENTITY])


_ENTITY = ("Content-Type", "Content-Length")
"""Headers that a 304 leaves out."""


def is_known(tag: str) -> bool:
    """Whether the client has what has that entity tag already."""
    return request.if_none_match.contains_weak(tag)


def not_modified(headers: list[tuple[str, str]]) -> Response:
    """The response for a client that has it already; *headers* don't tell of the body."""
    return Complete(status=304, headers=headers)


def written(payload: object, status: int = 201, commit: str | None = None) -> Response:
    """The response to a POST or PUT that changed something."""
    return _response(encode(payload), status, JSON, *_commit(commit))


def _commit(commit: str | None) -> list[tuple[str, str]]:
    """The header with the id of *commit*, if there is one."""
    return [] if commit is None else [("X-Git-Commit", commit)]


def deleted() -> Response:
    """The response to a DELETE: no body."""
    return Complete(status=204)
