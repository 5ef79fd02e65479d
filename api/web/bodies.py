"""Request bodies: read within limits of size and time, and typed by a model."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import NoReturn, TypeVar

from flask import g, request
from pydantic import ValidationError
from werkzeug.exceptions import (
    RequestEntityTooLarge,
    RequestTimeout,
    UnsupportedMediaType,
)

from api.config import Config
from api.web.parts import parts
from api.web.responses import JSON
from api.worker.limits import CHUNK_BYTES
from api.worker.senders import Wait
from gitstore.errors import BadRequest
from gitstore.format.schema import Model, explain

BodyT = TypeVar("BodyT", bound=Model)


def read_bytes() -> bytes:
    """The request's body, which is waited for no longer than its time limit.

    Raises:
        BadRequest: it ended before the length that was announced.
        RequestTimeout: it takes too long.
        RequestEntityTooLarge: it is over the limit.
    """
    if "body" not in g:
        with parts().limits.waiting_for_body(request.remote_addr or "") as wait:
            g.body = b"".join(_chunks(wait, parts().config))
    body: bytes = g.body
    return body


def _chunks(wait: Wait, config: Config) -> Iterator[bytes]:
    if (request.content_length or 0) > config.body_limit_bytes:
        raise RequestEntityTooLarge
    got = 0
    end = time.monotonic() + config.body_limit_s
    while chunk := request.stream.read(CHUNK_BYTES):
        wait.note_piece()
        got += len(chunk)
        if got > config.body_limit_bytes:
            raise RequestEntityTooLarge
        if time.monotonic() > end:
            raise RequestTimeout
        yield chunk
        if got == request.content_length:
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
    return typed(model, value)


def typed(model: type[BodyT], value: object) -> BodyT:
    """*value* as a *model*.

    Raises:
        InvalidBody: it does not fit.
    """
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
