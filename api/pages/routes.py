"""The pages' routes. The code of a page is imported when the first browser asks for it.

An agent's service never loads the pages, nor the libraries that they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Protocol, cast

from flask import Blueprint, Flask, Response

from api.web.errors import Failure


class View(Protocol):
    """A view: a function of the parts of its path."""

    def __call__(self, **path: object) -> Response:
        """The response."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """A route: *view* is the function that answers *path*, as its module in this room and name."""

    path: str
    view: str
    methods: tuple[str, ...] = ("GET",)

    @property
    def endpoint(self) -> str:
        """The name by which templates link to it."""
        return self.view.partition(":")[2]


PAGES = (
    Page("/", "overview:overview"),
    Page("/jobtypes/<jobtype>", "jobtypes:jobtype"),
    Page("/jobtypes/<jobtype>/<number:number>", "jobtypes:version"),
    Page("/jobtypes/<jobtype>/compare", "comparison:compare"),
    Page("/software/", "software:all_software"),
    Page("/software/<slashed:name>", "software:software"),
    Page("/changes/", "changes:changes"),
    Page("/changes/<slashed:branch>", "changes:change"),
)
"""Every page. ``url_for("pages.<function>")`` links to it."""

FILES = (
    Page("/static/<digest>/<name>", "assets:asset"),
    Page("/style.css", "assets:style"),
)
"""The files of ours that pages load, and the style sheet's old address."""


def install(app: Flask) -> None:
    """Answer browsers at / and below."""
    # Files are apart from the pages: they take no slot of those for reviews.
    for name, pages in (("pages", PAGES), ("assets", FILES)):
        blueprint = Blueprint(name, __name__)
        for page in pages:
            view = partial(_call, page.view)
            blueprint.add_url_rule(page.path, page.endpoint, view, methods=list(page.methods))
        app.register_blueprint(blueprint)


def _call(view: str, **path: object) -> Response:
    return _loaded(view)(**path)


@cache
def _loaded(view: str) -> View:
    module, _, name = view.partition(":")
    return cast(View, getattr(import_module(f"api.pages.{module}"), name))


def error_page(failure: Failure) -> Response:
    """The page of an error, for browsers."""
    from api.pages.errors import show

    return show(failure)
