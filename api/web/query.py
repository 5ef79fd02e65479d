"""The query of a request: typed by a model, and the link to the next part of a list."""

from __future__ import annotations

from typing import Annotated, TypeVar

from flask import request
from pydantic import BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from api.web.address import request_url
from gitstore.errors import BadRequest
from gitstore.format.layout import is_id, parse_id, shown
from gitstore.format.schema import Model, explain, refusal
from gitstore.format.spelling import did_you_mean

_VALUE_LIMIT = 1000
"""Characters of a parameter's value."""


class Query(Model):
    """The parameters that a route takes. A route that takes none has just this.

    A parameter whose name is a word of Python's has it as its alias.
    """

    model_config = ConfigDict(strict=False, extra="forbid", frozen=True)


QueryT = TypeVar("QueryT", bound=Query)


def _parse_whole(text: object) -> object:
    """The number that *text* from a query is; a default is one already."""
    if not isinstance(text, str):
        return text
    number = parse_id(text) if is_id(text) else 0
    if (not number and text.strip("0")) or not text:
        raise refusal(f"must be a whole number, not {shown(text)!r}")
    return number


def _parse_switch(text: object) -> object:
    if not isinstance(text, str):
        return text
    if text not in ("true", "false"):
        raise refusal(f"must be true or false, not {shown(text)!r}")
    return text == "true"


Whole = Annotated[int, BeforeValidator(_parse_whole, json_schema_input_type=int)]
"""A whole number, in digits."""

Switch = Annotated[bool, BeforeValidator(_parse_switch, json_schema_input_type=bool)]
"""A switch: true or false."""


def read_query(model: type[QueryT]) -> QueryT:
    """The query of this request as a *model*.

    Raises:
        BadRequest: it has an unknown parameter, one twice, or one of a wrong value.
    """
    names = [field.alias or name for name, field in model.model_fields.items()]
    values: dict[str, str] = {}
    for name, value in request.args.items(multi=True):
        if name not in names:
            raise BadRequest(_unknown(name, names), shown(name))
        if name in values:
            raise BadRequest(f"the parameter {name} stands twice in the query; keep one", name)
        if len(value) > _VALUE_LIMIT:
            fault = f"has {len(value)} characters; {_VALUE_LIMIT} is the limit"
            raise BadRequest(f"the parameter {name} {fault}", name)
        values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _invalid(error.errors(include_url=False)[0]) from None


def _unknown(name: str, names: list[str]) -> str:
    """What to say of the unknown parameter *name* where those of *names* are known."""
    near = did_you_mean(name, names)
    takes = f"; this path takes {', '.join(names)}" if names else "; this path takes none"
    return f"there is no parameter {shown(name)}{near or takes}"


def _invalid(detail: ErrorDetails) -> BadRequest:
    name = str(detail["loc"][0])
    return BadRequest(f"the parameter {name} {explain(detail)}", name)


def next_link(**query: object) -> tuple[str, str]:
    """The header that leads to the next part of the list that this request asks for.

    It is this request's URL with the parameters *query* instead of those that it has.
    """
    changed = {**request.args, **{name: str(value) for name, value in query.items()}}
    return "Link", f'<{request_url(changed)}>; rel="next"'
