"""Pages for people with a browser: who changed what, and what waits for review. They only read."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Flask, Response, current_app, render_template, request
from jinja2 import StrictUndefined

from api.address import base_url
from api.following import Follower
from api.wire import found_page, found_style, store
from gitstore.reviews import Reviews
from gitstore.store import LogRow
from gitstore.versions import Jobtype

blueprint = Blueprint("pages", __name__)

HTML, TEXT = "text/html", "text/plain"
STYLE = """\
body { font: 16px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #ddd; padding: .3em .8em .3em 0; text-align: left; }
td.text { overflow-wrap: anywhere; }
code, pre { font: 14px/1.4 ui-monospace, monospace; }
pre { overflow-x: auto; }
.loud { background: #fde8e8; border-left: .4em solid #c00; padding: .6em 1em; }
.quiet { color: #666; }
ins { background: #e6ffec; text-decoration: none; }
del { background: #ffebe9; text-decoration: none; }
"""


@dataclass(frozen=True, slots=True)
class Row:
    """A jobtype in the overview, and its newest version in service, if there is one."""

    jobtype: Jobtype
    newest: LogRow | None


def install(app: Flask) -> None:
    """Answer browsers at / and below."""
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.filters["diff_lines"] = diff_lines
    app.context_processor(_troubles)
    app.register_blueprint(blueprint)


def wants_page() -> bool:
    """Whether whoever asks is a browser, which prefers a page; scripts take anything."""
    accepted = request.accept_mimetypes
    return accepted.best_match([TEXT, HTML]) == HTML and accepted[HTML] > accepted[TEXT]


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """The lines of a unified diff, each with the element that it is shown in."""
    elements = {"+": "ins", "-": "del"}
    return [
        ("span" if line.startswith(("+++", "---")) else elements.get(line[:1], "span"), line)
        for line in diff.split("\n")
    ]


def _troubles() -> dict[str, object]:
    """What every page says loudly: what upstream has that is not served, and damage."""
    follower = current_app.extensions["follower"]
    state = follower.upstream.state() if isinstance(follower, Follower) else None
    return {"upstream": state, "damaged": store().repository.damaged_objects()}


def _page(template: str, **values: object) -> Response:
    return found_page(render_template(template, **values))


@blueprint.get("/style.css")
def style() -> Response:
    """How the pages look."""
    return found_style(STYLE)


@blueprint.get("/")
def overview() -> Response:
    """List the jobtypes, each with its newest version and who made it."""
    served, catalogue = store(), store().catalogue()
    rows = []
    for jobtype in catalogue.jobtypes():
        release = catalogue.find_newest(jobtype)
        newest = served.log_row(catalogue, jobtype, release.version) if release else None
        rows.append(Row(jobtype, newest))
    changes = len(_reviews().changes())
    branch = served.ref.removeprefix("refs/heads/")
    return _page("overview.html", rows=rows, changes=changes, branch=branch, url=base_url())


@blueprint.get("/jobtypes/<jobtype>")
def history(jobtype: str) -> Response:
    """List the versions of a jobtype, newest first: who made each, and why."""
    rows = store().log(jobtype)
    found = store().catalogue().find_jobtype(jobtype)
    return _page("history.html", name=found.name if found else jobtype, rows=rows)


@blueprint.get("/changes/")
def changes() -> Response:
    """List the branches that wait for review."""
    return _page("changes.html", rows=_reviews().changes())


@blueprint.get("/changes/<slashed:branch>")
def change(branch: str) -> Response:
    """Show a change, and what merging it would make."""
    return _page("change.html", review=_reviews().review(branch))


def _reviews() -> Reviews:
    reviews = current_app.extensions["reviews"]
    assert isinstance(reviews, Reviews)
    return reviews
