"""Pages for people with a browser: who changed what, and what waits for review. They only read."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Flask, Response, render_template, request
from jinja2 import StrictUndefined

from api.web.address import base_url
from api.web.parts import parts, store
from api.web.responses import ok_page, ok_style
from gitstore.branch.log import LogRow
from gitstore.branch.reviews import Reviews
from gitstore.catalogue.entries import Jobtype
from gitstore.format.layout import is_id, parse_id

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


ROWS = 100
"""Rows of a page; there are links to the others."""


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
    """Whether the client is a browser, which prefers a page; scripts take anything."""
    accepted = request.accept_mimetypes
    return accepted.best_match([TEXT, HTML]) == HTML and accepted[HTML] > accepted[TEXT]


DIFF_LINES = 20_000
"""Lines of a difference that a page shows. A browser takes longer for each than we do."""


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """The lines of a unified diff, each with the element that it is shown in."""
    elements = {"+": "ins", "-": "del"}
    lines = diff.split("\n", DIFF_LINES)
    if len(lines) > DIFF_LINES:
        lines[-1] = "... too long to be shown: the rest is left out"
    return [
        ("span" if line.startswith(("+++", "---")) else elements.get(line[:1], "span"), line)
        for line in lines
    ]


def _troubles() -> dict[str, object]:
    """What every page says loudly: what upstream has that is not served, and damage."""
    follower = parts().follower
    state = follower.upstream.state() if follower else None
    mirror = parts().mirror
    mirrored = mirror.state() if mirror else None
    damaged = store().repository.damaged_objects()
    return {"upstream": state, "mirror": mirrored, "damaged": damaged}


def _page(template: str, **values: object) -> Response:
    return ok_page(render_template(template, **values))


@blueprint.get("/style.css")
def style() -> Response:
    """How the pages look."""
    return ok_style(STYLE)


@blueprint.get("/")
def overview() -> Response:
    """List the jobtypes, each with its newest version and who made it."""
    served, catalogue = store(), store().catalogue()
    rows = []
    jobtypes = catalogue.jobtypes()
    start = _place("start")
    for jobtype in jobtypes[start : start + ROWS]:
        release = catalogue.find_newest(jobtype)
        newest = served.log_row(catalogue, jobtype, release.version) if release else None
        rows.append(Row(jobtype, newest))
    changes = _reviews().changes_page(0, 0)[1]
    branch = served.ref.removeprefix("refs/heads/")
    places = _places(start, len(jobtypes))
    about = {"changes": changes, "branch": branch, "url": base_url()}
    return _page("overview.html", rows=rows, places=places, **about)


@blueprint.get("/jobtypes/<jobtype>")
def history(jobtype: str) -> Response:
    """List the versions of a jobtype, newest first: who made each, and why."""
    log = store().log_page(jobtype, _place("until") or None, ROWS)
    found = store().catalogue().find_jobtype(jobtype)
    # By their place in the whole history, so that a link shows the same versions for ever.
    older = log.start or None
    newer = log.end + ROWS if log.end < log.total else None
    name = found.name if found else jobtype
    return _page("history.html", name=name, rows=log.rows, older=older, newer=newer, log=log)


@blueprint.get("/changes/")
def changes() -> Response:
    """List the branches that wait for review."""
    start = _place("start")
    rows, total = _reviews().changes_page(start, ROWS)
    return _page("changes.html", rows=rows, places=_places(start, total))


@blueprint.get("/changes/<slashed:branch>")
def change(branch: str) -> Response:
    """Show a change, and what merging it would make."""
    return _page("change.html", review=_reviews().review(branch))


def _place(name: str) -> int:
    """The place in a long list that the query asks for; 0 where it asks for none."""
    return parse_id(given) if is_id(given := request.args.get(name, "")) else 0


def _places(start: int, total: int) -> tuple[int | None, int | None]:
    """Where the pages before and after the one that begins at *start* begin, of *total* rows."""
    before = min(max(0, start - ROWS), max(0, total - ROWS)) if start else None
    return before, start + ROWS if start + ROWS < total else None


def _reviews() -> Reviews:
    return parts().reviews
