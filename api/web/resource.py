"""Routes and views of the API: a path belongs to one view, with every method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue
from flask.views import MethodView
from pydantic import BaseModel
from werkzeug.exceptions import MethodNotAllowed

from api.web.auth import this_request
from api.web.query import Query, read_query

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Bytes:
    """A body that is no JSON: the types that it may have, and an example of it."""

    kinds: tuple[str, ...]
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """What one method of a view takes and gives.

    *gives* is a model, a list of one, ``str`` for Python source, other Bytes, or None for no body.
    *errors* are its own; openapi/document.py adds those that all have. *commits* is whether a
    write makes a commit, which has a message. *tag_of* is what a POST's If-Match names, if it can
    have one. *query* has the parameters of the path's query: any
    other is refused. Where it is None, as on PyFarm's own routes, the query is ignored.
    """

    gives: object = None
    status: tuple[int, ...] = (200,)
    errors: tuple[int, ...] = ()
    takes: type[BaseModel] | None = None
    commits: bool = True
    tag_of: str = ""
    query: type[Query] | None = None


class View(MethodView):
    """A view with its description."""

    operations: ClassVar[Mapping[str, Operation]] = {}
    """What each method takes and gives, for the description of the API."""


class Resource(View):
    """A view that answers the methods it lacks with 405.

    Flask would hand them on to a looser route of the same path: ``DELETE
    /software/x/versions`` to a software of the name ``x/versions``.
    """

    taken: ClassVar[frozenset[str]] = frozenset()
    """The methods that are taken."""

    provide_automatic_options = False
    init_every_request = False

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        own = cls.methods or ()
        cls.taken = frozenset({*own, "HEAD", "OPTIONS"})
        cls.methods = _METHODS

    def dispatch_request(self, **path: object) -> ResponseReturnValue:
        """Answer a method that is taken."""
        method = this_request().method
        if method not in self.taken:
            raise MethodNotAllowed(sorted(self.taken))
        name = "get" if method == "HEAD" else method.lower()
        operation = self.operations.get(name)
        if operation is not None and operation.query is not None:
            read_query(operation.query)  # Refuses what the path does not take.
        view = getattr(self, name)
        response: Response = view(**path)
        return response

    def options(self, **path: object) -> Response:
        """List the methods that are taken."""
        response = Response()
        response.allow.update(sorted(self.taken))
        del response.headers["Content-Type"]
        return response


Routes = tuple[tuple[str, type[View]], ...]
"""Paths, with their trailing slash where the contract writes one, and their views."""


def add_routes(blueprint: Blueprint, routes: Routes) -> None:
    """Answer each path with and without a trailing slash, with no redirect."""
    for number, (path, view) in enumerate(routes):
        bare = path.rstrip("/")
        function = view.as_view(f"{view.__name__}{number}")
        blueprint.add_url_rule(bare, view_func=function)
        blueprint.add_url_rule(f"{bare}/", view_func=function)
