"""The first page: every jobtype, and what changed lately."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from flask import Response, request

from api.pages.rendering import ROWS, page, place, places
from api.web.parts import parts, store
from gitstore.branch.log import LogRow
from gitstore.branch.recent import recent_steps
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.entries import Jobtype
from gitstore.format.layout import fold

RECENT = 20
"""The steps of the branch that the page shows."""


@dataclass(frozen=True, slots=True)
class Row:
    """A jobtype: its newest version in service, if there is one, and *last*, the newest of all.

    Both are the same where all is well.
    """

    jobtype: Jobtype
    release: Release | None
    newest: LogRow | None
    last: LogRow | None


SORTS = {"name": "by name", "date": "newest first"}
"""The orders of the list, and how they are called."""


def overview() -> Response:
    """List the jobtypes, each with its newest version and who made it."""
    served, catalogue = store(), store().catalogue()
    wanted = request.args.get("q", "").strip()
    sort = request.args.get("sort", "name")
    jobtypes = [j for j in catalogue.jobtypes() if fold(wanted) in fold(j.name)]
    if sort == "date":
        jobtypes.sort(key=_last_step, reverse=True)
    start = place("start")
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
        steps=recent_steps(served.repository, catalogue, RECENT),
        changes=parts().reviews.changes_page(0, 0)[1],
        branch=served.ref.removeprefix("refs/heads/"),
        follower=parts().follower,
        running=parts().mirror,
        count=len(catalogue.history.jobtypes),
    )


def _last_step(jobtype: Jobtype) -> int:
    return max(map(attrgetter("step"), jobtype.versions[-1:]), default=0)


def _row(served: Store, catalogue: Catalogue, jobtype: Jobtype) -> Row:
    release = catalogue.find_newest(jobtype)
    newest = served.log_row(catalogue, jobtype, release.version) if release else None
    last = newest
    if jobtype.versions and (release is None or release.version is not jobtype.versions[-1]):
        last = served.log_row(catalogue, jobtype, jobtype.versions[-1])
    return Row(jobtype, release, newest, last)
