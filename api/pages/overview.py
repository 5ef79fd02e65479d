"""The first page: every jobtype, and what changed lately."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from flask import Response, request

from api.pages.rendering import ROWS, page, place, places
from api.web.parts import parts, store
from gitstore.branch.credits import Credit
from gitstore.branch.events import StepNews
from gitstore.branch.store import Store
from gitstore.branch.stories import Status
from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.catalogue.search import Found, Where, search
from gitstore.errors import Damaged
from gitstore.format.layout import fold

RECENT, EVENTS = 20, 6
"""The steps of the branch that the page shows, and the events of each."""

QUERY_LIMIT = 100
"""Characters that somebody may look for."""


@dataclass(frozen=True, slots=True)
class Row:
    """A jobtype, its newest version in service (None without one), and who made it.

    *last* is its newest version of all if that is another, with its *status*.
    """

    jobtype: Jobtype
    release: Release | None
    credit: Credit | None
    last: Version | None
    status: Status | None


SORTS = {"name": "by name", "date": "newest first"}
"""The orders of the list, and how they are called."""


def overview() -> Response:
    """List the jobtypes, each with its newest version and who made it."""
    served, catalogue = store(), store().catalogue()
    wanted = request.args.get("q", "").strip()[:QUERY_LIMIT]
    sort = request.args.get("sort", "name")
    jobtypes = [j for j in catalogue.jobtypes() if fold(wanted) in fold(j.name)]
    if sort == "date":
        jobtypes.sort(key=_last_step, reverse=True)
    start, running = place("start"), parts().mirror
    rows = [_row(served, catalogue, j) for j in jobtypes[start : start + ROWS]]
    return page(
        "overview.html",
        rows=rows,
        total=len(jobtypes),
        start=start,
        places=places(start, len(jobtypes)),
        wanted=wanted,
        sort=sort if sort in SORTS else "name",
        sorts=SORTS,
        steps=_latest(served),
        found=_search(catalogue, wanted) if wanted else None,
        changes=parts().reviews.changes_page(0, 0)[1],
        branch=served.ref.removeprefix("refs/heads/"),
        follower=parts().follower,
        running=running,
        in_step=running.state().word(catalogue.history.counters.steps) if running else "",
        count=len(catalogue.history.jobtypes),
    )


def _latest(served: Store) -> list[StepNews]:
    """What changed lately. Nothing where an object is damaged, as the page says loudly then."""
    try:
        return served.latest(RECENT, EVENTS)
    except Damaged:
        return []


def _search(catalogue: Catalogue, wanted: str) -> Found:
    """The lines of code.py and meta.yaml that hold *wanted*, if the query asks for them."""
    if request.args.get("in") != "code":
        return Found((), None)
    return search(catalogue, wanted, (Where.CODE, Where.META))


def _last_step(jobtype: Jobtype) -> int:
    return max(map(attrgetter("step"), jobtype.versions[-1:]), default=0)


def _row(served: Store, catalogue: Catalogue, jobtype: Jobtype) -> Row:
    release = catalogue.find_newest(jobtype)
    credit = served.credit(catalogue, jobtype, release.version) if release else None
    last = jobtype.versions[-1] if jobtype.versions else None
    if last is None or (release and release.version is last):
        return Row(jobtype, release, credit, None, None)
    return Row(jobtype, release, credit, last, served.status(catalogue, jobtype, last))
