"""Forms that browsers send: their bodies, and the proof that a page of ours made them."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from urllib.parse import parse_qsl

from flask import Response, g, request
from werkzeug.exceptions import UnsupportedMediaType

from api.web.bodies import InvalidBody, read_bytes
from api.web.parts import parts
from api.web.sessions import FIELD, SessionLost, require_own_form
from gitstore.errors import BadRequest, Invalid, StoreError
from gitstore.rules import Problem

_FORM = "application/x-www-form-urlencoded"

_FIELDS_LIMIT = 50_000
"""Five for each version that a software's file has room for."""

_WHOLE = re.compile(r"\s*-?[0-9]{1,18}\s*")

Form = Mapping[str, str]
"""The fields of a form by name. Of several with one name, the last counts."""


def read_form() -> Form:
    """The form that this request brings, with line ends as the repository has them.

    Raises:
        BadRequest: the body is no form.
        SessionLost: it is no form of the sender's session.
        UnsupportedMediaType: it has another type.
    """
    form = _parsed()
    require_own_form(form.get(FIELD, ""))
    return form


def read_kept_form() -> tuple[Form, SessionLost | None]:
    """Like read_form, for a view that shows the form again, with what was typed, and the error.

    A view that gets an error must not do what the form asks for.
    """
    try:
        return read_form(), None
    except SessionLost as lost:
        return _parsed(), lost


def _parsed() -> Form:
    if "form" not in g:
        if request.mimetype != _FORM:
            raise UnsupportedMediaType(f"a form has the type {_FORM}")
        try:
            pairs = parse_qsl(
                read_bytes().decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_FIELDS_LIMIT,
            )
        except ValueError:  # So is a UnicodeDecodeError.
            raise BadRequest(
                f"the form can't be read: it is no form of ours, or has over {_FIELDS_LIMIT} fields"
            ) from None
        # Browsers send CR LF for each line end of a text.
        g.form = {n: v.replace("\r\n", "\n").replace("\r", "\n") for n, v in pairs}
    form: Form = g.form
    return form


def parse_whole(text: str) -> int | str | None:
    """The whole number that *text* is, None if it is empty; other text stays, to be refused."""
    return int(text) if _WHOLE.fullmatch(text) else text or None


def trimmed(text: str, known: Container[str]) -> str:
    """*text* without the spaces around it, unless it is one of *known*, which have theirs."""
    return text if text in known else text.strip()


def require_sure(form: Form, why: str) -> None:
    """Raise unless *form* says that its sender is sure; *why* is what makes them think.

    Raises:
        BadRequest: it doesn't.
    """
    if "sure" not in form:
        raise BadRequest(f"{why}; tick that you are sure", "sure")


def see_other(path: str) -> Response:
    """The answer to a form that is done: look at *path*, which begins with our prefix."""
    response = Response(status=303, headers={"Location": path})
    response.headers["Cache-Control"] = "no-store"
    return response


def own_path(text: str) -> str:
    """*text* if it is a path of this service, as url_for makes them; else our first page's.

    A link to the login, sent by somebody else, must not lead on to another site.
    """
    public = parts().public_url
    first = f"{public.prefix if public else ''}/"
    is_plain = text.isascii() and text.isprintable() and "\\" not in text
    return text if is_plain and text.startswith(first) and not text.startswith("//") else first


# What is wrong, by field


class Faults:
    """What is wrong with a form: sentences by field, and those that belong to no field."""

    def __init__(self) -> None:
        self.by_field: dict[str, str] = {}
        self.others: list[tuple[str, str]] = []
        """Pairs of a severity and a sentence."""
        self.problems: list[Problem] = []
        """What is wrong in lines of code."""

    def __bool__(self) -> bool:
        return bool(self.by_field or self.others or self.problems)

    def of(self, field: str) -> str:
        """What is wrong with *field*; empty if nothing is."""
        return self.by_field.get(field, "")

    def add(self, field: str, sentence: str, fields: Mapping[str, str], severity: str) -> None:
        """Note *sentence*, next to *field* if *fields*, which maps a body's names, has it."""
        name = fields.get(field) or next(
            (ours for theirs, ours in fields.items() if field.startswith(f"{theirs}.")), None
        )
        if name is None:
            self.others.append((severity, sentence))
        else:
            known = self.by_field.get(name)
            self.by_field[name] = f"{known}; {sentence}" if known else sentence

    def add_error(self, error: StoreError, fields: Mapping[str, str]) -> None:
        """Note what *error* says, in the words that the API has for it."""
        if isinstance(error, Invalid):
            for problem in error.problems:
                self.add_problem(problem, fields)
        elif isinstance(error, InvalidBody):
            for detail in error.details:
                sentence = f"{detail['path'] or 'the form'} {detail['message']}"
                self.add(detail["path"], sentence, fields, "error")
        else:
            field: str = getattr(error, "field", "")
            self.add(field, str(error), fields, "error")

    def add_problem(self, problem: Problem, fields: Mapping[str, str]) -> None:
        """Note *problem*, which the validator found."""
        if problem.path.endswith(".py"):
            self.problems.append(problem)
        elif problem.field:
            sentence = f"{problem.severity}: {problem.message}"
            self.add(problem.field, sentence, fields, problem.severity)
        else:
            self.others.append((problem.severity, f"{problem.path}: {problem.message}"))
