"""HTTP around the payloads: JSON bodies in and out, ETags, preconditions."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn, TypeVar
from urllib.parse import unquote_to_bytes

from flask import Blueprint, Request, Response, current_app, g, request
from flask.views import MethodView
from pydantic import ValidationError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestTimeout, UnsupportedMediaType

from api.web import auth
from api.web.preconditions import check_preconditions
from api.worker.housekeeping import Housekeeping
from api.worker.limits import CHUNK_BYTES, places
from gitstore.branch.proposals import Proposed, propose
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer, Written
from gitstore.catalogue.catalogue import Catalogue
from gitstore.checks.settings import Checks
from gitstore.edits.jobtypes import Change
from gitstore.errors import BadRequest, Exists, Invalid, NotFound, Problem, errors_among
from gitstore.format.schema import Model, explain
from hooks.forges import review_link

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
PYTHON = "text/x-python; charset=utf-8"
MESSAGE_LIMIT = 1000
"""Characters in the header X-Commit-Message."""

_ENCODED = re.compile(r"utf-8'[^']*'(.*)", re.IGNORECASE)
"""An X-Commit-Message in the form that RFC 8187 gives to header values beyond ASCII."""

BodyT = TypeVar("BodyT", bound=Model)


def store() -> Store:
    """The store of the application that answers this request."""
    found = current_app.extensions["jobtypes"]
    assert isinstance(found, Store)
    return found


def housekeeping() -> Housekeeping:
    """The housekeeping of the application that answers this request."""
    found = current_app.extensions["housekeeping"]
    assert isinstance(found, Housekeeping)
    return found


Routes = tuple[tuple[str, type[MethodView]], ...]
"""Paths, with their trailing slash where the contract writes one, and their views."""


def add_routes(blueprint: Blueprint, routes: Routes) -> None:
    """Answer each path with and without a trailing slash, with no redirect."""
    for number, (path, view) in enumerate(routes):
        bare = path.rstrip("/")
        function = view.as_view(f"{view.__name__}{number}")
        blueprint.add_url_rule(bare, view_func=function)
        blueprint.add_url_rule(f"{bare}/", view_func=function)


# Answers


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


def found(payload: object, commit: str | None = None) -> Response:
    """The answer to a GET; *commit* is the one that made the version it is about."""
    return _conditional(encode(payload), JSON, commit)


def found_code(code: str, commit: str | None = None) -> Response:
    """The answer to a GET of Python source."""
    return _conditional(code.encode(), PYTHON, commit)


def found_text(text: str, commit: str | None = None) -> Response:
    """The answer to a GET of plain text."""
    return _conditional(text.encode(), TEXT, commit)


def found_page(html: str, commit: str | None = None) -> Response:
    """The answer to a GET of a page, which may run nothing and load nothing but its style."""
    response = _conditional(html.encode(), "text/html; charset=utf-8", commit)
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    )
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def found_style(css: str) -> Response:
    """The answer to a GET of a style sheet."""
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
    """The answer to a POST or PUT that changed something."""
    return _response(encode(payload), status, JSON, *_commit(commit))


def _commit(commit: str | None) -> list[tuple[str, str]]:
    """The header with the id of *commit*, if there is one."""
    return [] if commit is None else [("X-Git-Commit", commit)]


def deleted() -> Response:
    """The answer to a DELETE: no body."""
    return Complete(status=204)


# Bodies


def catalogue() -> Catalogue:
    """The catalogue that this request is about: the tip's, or a preview's."""
    found = g.get("preview")
    if found is None:
        found = g.catalogue = store().catalogue()
    assert isinstance(found, Catalogue)
    return found


def read_bytes() -> bytes:
    """The request's body, which is waited for no longer than its time limit.

    Raises:
        BadRequest: it ended before the length that was announced.
        RequestTimeout: it takes too long.
        RequestEntityTooLarge: it is over the limit.
    """
    if "body" not in g:
        with places().waiting_for_body():
            g.body = b"".join(_chunks(time.monotonic() + current_app.config["BODY_LIMIT_S"]))
    body: bytes = g.body
    return body


def _chunks(end: float) -> Iterator[bytes]:
    got = 0
    while chunk := request.stream.read(CHUNK_BYTES):
        got += len(chunk)
        if time.monotonic() > end:
            raise RequestTimeout
        yield chunk
        if got == request.content_length:
            # Werkzeug takes a read past a body of just the limit for one over it.
            return
    if request.content_length is not None and got < request.content_length:
        raise BadRequest("the body ended early; nothing was changed")


def read_optional_body(model: type[BodyT]) -> BodyT:
    """Like read_body, but no body is as good as an empty object, if it has the type of one.

    A web page can have a browser send a POST without a body, or with a form, to any site. It
    can't give it this type.
    """
    if request.mimetype != JSON:
        raise UnsupportedMediaType
    return read_body(model) if read_bytes() else model()


def read_body(model: type[BodyT]) -> BodyT:
    """The request's body as a *model*.

    Raises:
        BadRequest: there is none, it is no JSON object, or does not fit.
        UnsupportedMediaType: it is not application/json.
    """
    data = read_bytes()
    if not data:
        raise BadRequest("the request has no body; send a JSON object")
    if request.mimetype != JSON:
        raise UnsupportedMediaType
    try:
        value = json.loads(data.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest("the body is no JSON object; write it in braces")
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidBody(error) from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


class InvalidBody(BadRequest):
    """A body that does not fit its model; *details* has every reason."""

    def __init__(self, error: ValidationError) -> None:
        self.details = [
            {"path": ".".join(str(part) for part in detail["loc"]), "message": explain(detail)}
            for detail in error.errors(include_url=False)
        ]
        first = self.details[0]
        more = f" (and {len(self.details) - 1} more)" if len(self.details) > 1 else ""
        super().__init__(f"{first['path'] or 'the body'} {first['message']}{more}")


# Writes

Represent = Callable[[Catalogue], object]
"""What a GET of the request's path would say on a catalogue."""


Judge = Callable[[Checks], Iterable[Problem]]
"""What is wrong with a body by itself, for the checks that are asked for."""


def write(
    *changes: Change,
    represent: Represent | None = None,
    judge: Judge | None = None,
    checked: bool = True,
) -> Written:
    """The write of *changes* by the sender of this request.

    *represent* is what If-Match and If-None-Match are held against; *checked* as in
    Store.write. Faults that *judge* finds come before those that *changes* meet.

    Raises:
        Invalid: the validator, or *judge*, refuses it.
        Forbidden: it is not for the sender to write.
        PreconditionFailed: the thing to change is not what the sender saw.
        ProposalMade: it became a branch for review.
    """

    def precondition(catalogue: Catalogue) -> None:
        if represent is not None and (request.if_match or request.if_none_match):
            _check_precondition(catalogue, represent)

    if judge is not None:
        # What it is about is parsed once, and others' writes don't wait for that.
        deque(judge(store().checks), 0)
    with _judged(judge):
        if current_app.config["REVIEW"]:
            upstream = current_app.extensions["follower"].upstream
            written = propose(upstream, changes, writer(), precondition, checked)
        else:
            written = store().write(changes, writer(), precondition, checked)
    if isinstance(written, Proposed):
        link = review_link(upstream.shown_url, upstream.branch, written.branch)
        raise ProposalMade({"branch": written.branch, "commit": written.commit, "review": link})
    housekeeping().wake()
    return written


@contextmanager
def _judged(judge: Judge | None) -> Iterator[None]:
    """Let *judge* speak first where something is missing or exists already.

    Elsewhere the validator has said the same.
    """
    try:
        yield
    except (NotFound, Exists):
        errors = errors_among(judge(store().checks)) if judge else ()
        if errors:
            raise Invalid(errors) from None
        raise


class ProposalMade(Exception):
    """A write that became a branch for review; *answer* says which."""

    def __init__(self, answer: dict[str, object]) -> None:
        super().__init__("proposed")
        self.answer = answer


def _check_precondition(catalogue: Catalogue, represent: Represent) -> None:
    try:
        tag = etag_of(encode(represent(catalogue)))
    except NotFound:
        tag = None
    check_preconditions(tag)


def writer() -> Writer:
    """Who sent this request, and the message in it."""
    given = request.headers.get("X-Commit-Message")
    return Writer(auth.current(), None if given is None else _message(given))


def _message(given: str) -> str:
    """The commit's message from its header: as it stands, or encoded as in RFC 8187."""
    encoded = _ENCODED.fullmatch(given)
    # WSGI hands header bytes over as Latin-1; people write UTF-8.
    raw = unquote_to_bytes(encoded[1]) if encoded else given.encode("latin-1", "replace")
    message = raw.decode(errors="replace").strip()
    if not message:
        # The HTTP server hands over what is not ASCII as if it were nothing.
        says = "X-Commit-Message is empty, or holds more than ASCII"
        raise BadRequest(f"{says}; write it percent-encoded, as in UTF-8''Cam%C3%A9ra")
    if len(message) > MESSAGE_LIMIT:
        raise BadRequest(f"X-Commit-Message is over {MESSAGE_LIMIT} characters; shorten it")
    if any(not (c.isprintable() or c == "\t") for c in message):
        raise BadRequest("X-Commit-Message holds a control character; remove it")
    return message
