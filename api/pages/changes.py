"""The pages of changes: what waits for review, and one change as its reviewer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask import Response, request

from api.config import PREFIX
from api.pages.patches import VIEWS, tables, view_of_query
from api.pages.rendering import ROWS, page, place, places
from api.pages.reviewing import talk
from api.web.address import base_url
from api.web.parts import parts, store
from gitstore.branch.changes import ChangeRow
from gitstore.branch.outcomes import TRIED, Outcome
from gitstore.branch.reviews import Review

GLANCE_S = 0.1
"""How long the list of changes may compute outcomes that nobody asked for before."""


@dataclass(frozen=True, slots=True)
class Try:
    """How to try what a change makes of a jobtype: the preview's address and its number."""

    name: str
    number: int
    url: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A change in the list, and what would come of it; None if nobody has looked yet."""

    row: ChangeRow
    outcome: Outcome | None


def changes() -> Response:
    """List the changes that wait, or those that are merged."""
    is_merged = request.args.get("list") == "merged"
    start = place("start")
    reviews = parts().reviews
    listed = reviews.changes_by_state(is_merged, start, ROWS)
    outcomes: list[Outcome | None] = [None] * len(listed.rows)
    if not is_merged:
        outcomes = reviews.glance(listed.rows, GLANCE_S)
    total = listed.merged if is_merged else listed.waiting
    return page(
        "changes.html",
        rows=[Waiting(*pair) for pair in zip(listed.rows, outcomes, strict=True)],
        is_merged=is_merged,
        waiting=listed.waiting,
        merged=listed.merged,
        places=places(start, total),
    )


def change(branch: str) -> Response:
    """Show a change, and what merging it would make."""
    reviews = parts().reviews
    review = reviews.review(branch)
    patches = reviews.file_diffs(review)
    view = view_of_query()
    return page(
        "change.html",
        review=review,
        talk=talk(branch),
        view=view,
        views=VIEWS,
        files=tables(store().repository, patches, view == "split", review.outcome.problems),
        anchors={patch.path: f"f{number}" for number, patch in enumerate(patches, 1)},
        tries=_tries(review),
        compared=_compared(review),
    )


def _compared(review: Review) -> list[str]:
    """The jobtypes that a change makes new versions of, and that agents get already."""
    catalogue = store().catalogue()
    names = [made.name for made in review.outcome.made.versions if made.before is not None]
    return [name for name in names[:TRIED] if catalogue.find_jobtype(name)]


def _tries(review: Review) -> list[Try]:
    """How to try what merging *review* would make."""
    above = f"{base_url()}/preview/{quote(review.row.branch)}{PREFIX}/jobtypes"
    return [Try(name, number, f"{above}/{quote(name)}") for name, number in review.outcome.tries]
