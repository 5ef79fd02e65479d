"""Templates into responses, with what every page shows: navigation, and troubles said loudly."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from urllib.parse import quote, urlencode

from flask import Response, g, request, url_for
from jinja2 import Environment, PackageLoader, StrictUndefined

from api.config import PREFIX
from api.pages.assets import asset_url
from api.web.address import base_url
from api.web.parts import parts, store
from api.web.responses import error_page, ok_page
from gitstore.branch.access import EVERYBODY, Access
from gitstore.catalogue.meta_changes import bounds
from gitstore.format.layout import is_id, is_text, jobtype_name_fault, parse_id, printable
from gitstore.git.commits import shown_date

SECTIONS = (
    ("pages.overview", "Jobtypes", r"/(jobtypes/.*)?"),
    ("pages.all_software", "Software", r"/software/.*"),
    ("pages.changes", "Changes", r"/changes/.*"),
    ("forms.whose", "Whose line?", r"/whose"),
)
"""The navigation: where each entry leads, its name, and the paths that belong to it."""

ROWS = 100
"""Rows of a page; there are links to the others."""


def page(template: str, commit: str | None = None, status: int = 200, **values: object) -> Response:
    """The page that *template* makes of *values*; *commit* is the one that it is about."""
    response = ok_page(_render(template, {**_troubles(), **values}), commit)
    response.status_code = status
    return response


def failure_page(status: int, **values: object) -> Response:
    """The page of an error. It asks the repository for nothing, which may be what failed."""
    return error_page(_render("error.html", {"status": status, **values}), status)


def place(name: str) -> int:
    """The place in a long list that the query asks for; 0 where it asks for none."""
    return parse_id(given) if is_id(given := request.args.get(name, "")) else 0


def places(start: int, total: int) -> tuple[int | None, int | None]:
    """Where the pages before and after the one that begins at *start* begin, of *total* rows."""
    before = min(max(0, start - ROWS), max(0, total - ROWS)) if start else None
    return before, start + ROWS if start + ROWS < total else None


def api_url(*parts: object) -> str:
    """The URL of the API's resource that *parts* of a path lead to."""
    path = "/".join(quote(str(part), safe="") for part in parts)
    return f"{url_for('pages.overview').rstrip('/')}{PREFIX}/{path}"


def _render(template: str, values: dict[str, object]) -> str:
    given = {"upstream": None, "mirror": None, "damaged": [], "section": _section(), **values}
    return _environment().get_template(template).render(given)


def _section() -> str:
    """The entry of the navigation that this request belongs to; empty if to none."""
    fitting = (endpoint for endpoint, _, paths in SECTIONS if re.fullmatch(paths, request.path))
    return next(fitting, "")


def _troubles() -> dict[str, object]:
    """What every page says loudly: what upstream has that is not served, and damage."""
    follower, mirror = parts().follower, parts().mirror
    return {
        "upstream": follower.upstream.state() if follower else None,
        "mirror": mirror.state() if mirror else None,
        "damaged": store().repository.damaged_objects(),
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "url_for": url_for,
        "asset_url": asset_url,
        "api_url": api_url,
        "base_url": base_url,
        "sections": SECTIONS,
        "request": request,
        "account": account,
        "needs_login": needs_login,
        "here": here,
        "form_token": form_token,
    }
    environment.filters |= {
        "iso": iso,
        "minute": shown_date,
        "printable": printable,
        "is_text": is_text,
        "name_fault": jobtype_name_fault,
        "bounds": bounds,
    }
    return environment


def account() -> Access | None:
    """Who is logged in; None if nobody is, or nobody needs to."""
    access: Access | None = g.get("access")
    return access if access and access.email and access is not EVERYBODY else None


def needs_login() -> bool:
    """Whether a token would let the sender do more."""
    access: Access | None = g.get("access")
    return access is None or not access.email


def here() -> str:
    """The URL of this page, to come back to; that of the first page where it has none."""
    if request.endpoint is None:
        return url_for("pages.overview")
    path = url_for(request.endpoint, **(request.view_args or {}))
    # Not by url_for, which has parameters of its own.
    query = urlencode(list(request.args.items(multi=True)))
    return f"{path}?{query}" if query else path


def form_token() -> str:
    """What proves that a form is of this page; see sessions."""
    from api.web import sessions

    return sessions.form_token()


def iso(when: datetime | None) -> str:
    """*when* for programs: the script makes "3 days ago" of it."""
    return when.isoformat() if when else ""
