"""What the served branch brought after a commit: its events, with who made them and why."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from gitstore.branch.credits import Credit, Credits
from gitstore.branch.stories import mark_path
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Version
from gitstore.catalogue.events import Event, Kind, events_after
from gitstore.catalogue.marks import Deed
from gitstore.catalogue.withdrawals import withdrawal_reason
from gitstore.errors import Damaged, Gone
from gitstore.format import layout
from gitstore.git.lineage import Lineage

BEGINNING = "0" * 40
"""The cursor from which all events come: the id that Git gives to no commit."""


@dataclass(frozen=True, slots=True)
class SoftwareRow:
    """A version of a software in an event."""

    version: str
    id: int | None
    rank: int


@dataclass(frozen=True, slots=True)
class Told:
    """An event as clients see it: with its *credit*, and what became of the thing by its step.

    *is_broken* is about a new version. *reason* is why one was withdrawn. *renamed_to* is a new
    name. *versions* are those of a software by rank, None where it is gone or renamed.
    """

    event: Event
    credit: Credit
    is_broken: bool = False
    reason: str | None = None
    renamed_to: str | None = None
    versions: tuple[SoftwareRow, ...] | None = None

    @property
    def is_software(self) -> bool:
        """Whether it is about a software, and not about a jobtype."""
        return self.event.kind is Kind.SOFTWARE


@dataclass(frozen=True, slots=True)
class News:
    """What came after a cursor, and the *next* cursor; *is_last* if nothing more is there."""

    events: tuple[Told, ...]
    next: str
    is_last: bool


def news(catalogue: Catalogue, lineage: Lineage, credits: Credits, since: str, limit: int) -> News:
    """What *limit* steps of *catalogue* after commit *since* brought.

    *lineage* knows the branch up to there.

    Raises:
        Gone: *since* is no step of the branch.
    """
    history = catalogue.history
    step = 0 if since == BEGINNING else lineage.step_on_chain(since)
    if step is None or step > history.counters.steps:
        newest = history.tip or BEGINNING
        raise Gone(
            f"the commit {since} is no step of the served branch, which may have been rewritten;"
            f" read the catalogue again, and ask for events since {newest}",
            newest,
        )
    page = events_after(history, step, limit)
    told = tuple(_tell(catalogue, credits, event) for event in page.events)
    return News(told, page.next or BEGINNING, page.is_last)


@dataclass(frozen=True, slots=True)
class StepNews:
    """What one step brought: the first of its events, and how many *more* there are."""

    events: tuple[Told, ...]
    more: int


def latest(catalogue: Catalogue, credits: Credits, steps: int, limit: int) -> list[StepNews]:
    """What the last *steps* steps brought, newest first; of each, *limit* events at most."""
    history = catalogue.history
    start = max(0, history.counters.steps - steps)
    events = events_after(history, start, steps).events
    by_step = [list(group) for _, group in groupby(events, key=lambda event: event.step)]
    return [
        StepNews(
            tuple(_tell(catalogue, credits, event) for event in group[:limit]),
            max(0, len(group) - limit),
        )
        for group in reversed(by_step)
    ]


def _tell(catalogue: Catalogue, credits: Credits, event: Event) -> Told:
    mark = event.mark
    if mark is None:
        credit = credits.credit(event.commit, layout.jobtype_path(event.name))
        assert event.version
        return Told(event, credit, _is_broken(catalogue, event.version))
    credit = credits.credit(event.commit, mark_path(mark))
    reason, versions = None, None
    if mark.deed is Deed.WITHDRAWN and event.number:
        reason = withdrawal_reason(catalogue.contents.objects, mark, event.number)
    if mark.deed is Deed.SOFTWARE:
        versions = tuple(_software(catalogue, event))
    is_rename = mark.deed in (Deed.RENAMED, Deed.SOFTWARE_RENAMED)
    return Told(
        event,
        credit,
        reason=reason,
        renamed_to=mark.other if is_rename else None,
        versions=versions,
    )


def _is_broken(catalogue: Catalogue, version: Version) -> bool:
    try:
        return catalogue.is_broken(version)
    except Damaged:
        return True  # It can't be served, and must not hide the events after it.


def _software(catalogue: Catalogue, event: Event) -> list[SoftwareRow]:
    """The versions of a software after the step of *event*."""
    assert event.mark
    file = catalogue.contents.software_file(event.mark.other)
    return [
        SoftwareRow(
            v.version, catalogue.software_version_id(event.id, v.version, event.step), v.rank
        )
        for v in file.by_rank()
    ]
