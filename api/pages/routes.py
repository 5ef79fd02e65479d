"""The pages' routes. The code of a page is imported when the first browser asks for it.

An agent's service never loads the pages, nor the libraries that they need.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from typing import Protocol, cast

from flask import Blueprint, Flask, Response

from api.web.auth import ASSETS as ASSETS_NAME
from api.web.auth import FORMS as FORMS_NAME
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
    Page("/jobtypes/<jobtype>/<number:number>/blame", "jobtypes:blame"),
    Page("/jobtypes/<jobtype>/compare", "comparison:compare"),
    Page("/software/", "software:all_software"),
    Page("/software/<slashed:name>", "software:software"),
    Page("/changes/", "changes:changes"),
    Page("/changes/<slashed:branch>", "changes:change"),
)
"""Every page. ``url_for("pages.<function>")`` links to it."""

_BOTH = ("GET", "POST")

FORMS = (
    Page("/login", "account:login", _BOTH),
    Page("/logout", "account:logout", ("POST",)),
    Page("/me", "account:me"),
    Page("/new", "editing:new", _BOTH),
    Page("/jobtypes/<jobtype>/edit", "editing:edit", _BOTH),
    Page("/jobtypes/<jobtype>/<number:number>/withdraw", "withdrawing:withdraw", _BOTH),
    Page("/jobtypes/<jobtype>/<number:number>/restore", "withdrawing:restore", _BOTH),
    Page("/jobtypes/<jobtype>/<number:number>/rollback", "withdrawing:rollback", _BOTH),
    Page("/new-software", "software_editing:new_software", _BOTH),
    Page("/edit-software/<slashed:name>", "software_editing:edit_software", _BOTH),
    Page("/changes/<slashed:branch>", "reviewing:act", ("POST",)),
    Page("/released/<commit>", "outcomes:released"),
    Page("/whose", "whose:whose", _BOTH),
)
"""The pages by which people change something. ``url_for("forms.<function>")`` links to one."""

FILES = (
    Page("/static/<digest>/<name>", "assets:asset"),
    Page("/style.css", "assets:style"),
)
"""The files of ours that pages load, and the style sheet's old address."""


def install(app: Flask) -> None:
    """Answer browsers at / and below."""
    # Files are apart from the pages: they take no slot of those for reviews.
    for name, pages in (("pages", PAGES), (FORMS_NAME, FORMS), (ASSETS_NAME, FILES)):
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
