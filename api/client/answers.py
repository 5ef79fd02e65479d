"""Answers as models of the REST API: of a payload made here, and of a body that came from there."""

from __future__ import annotations

import json
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from api.client.errors import ServiceRefused

T = TypeVar("T")


def of_payload(model: type[T], payload: object) -> T:
    """*payload* as it would come over the wire, so that nothing differs from a service's."""
    return TypeAdapter(model).validate_json(json.dumps(payload))


def of_body(model: type[T], body: bytes, base: str) -> T:
    """The *body* of an answer of the service at *base*.

    Raises:
        ServiceRefused: it is none.
    """
    try:
        return TypeAdapter(model).validate_json(body)
    except ValidationError:
        raise ServiceRefused(
            f"{base} does not answer as this release of jobtypes expects; is it the service? If"
            " so, use its own release of this command"
        ) from None
