"""Events: what the steps of a history brought, one after the other.

A reader that applies all of them in order has the catalogue. Nothing is stored for it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain

from gitstore.catalogue.entries import Version
from gitstore.catalogue.history import History
from gitstore.catalogue.marks import Deed, Mark, name_at


class Kind(StrEnum):
    """The kinds of events, in the order in which those of one step come."""

    RENAMED = "renamed"
    DELETED = "deleted"
    VERSION = "version"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    SOFTWARE = "software"


_ORDER = {kind: place for place, kind in enumerate(Kind)}
_KINDS = {
    Deed.RENAMED: Kind.RENAMED,
    Deed.DELETED: Kind.DELETED,
    Deed.WITHDRAWN: Kind.WITHDRAWN,
    Deed.RESTORED: Kind.RESTORED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the step *commit* brought, to a jobtype or a software.

    *name* is what that was called before the step where the event renames it, else after it.
    *version* is the new one of an event of that kind. *number* is also that of
    a version that was withdrawn or restored. *mark* is what the history has of all other events.
    """

    kind: Kind
    step: int
    commit: str
    name: str
    id: int
    number: int | None = None
    version: Version | None = None
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events, and the commit after which to ask for more; *is_last* if there are none yet."""

    events: tuple[Event, ...]
    next: str | None
    is_last: bool


def events_after(history: History, step: int, limit: int) -> EventPage:
    """What the *limit* steps after *step* brought that brought anything."""
    events = sorted(chain(_versions(history, step), _marked(history, step)), key=_order)
    steps = list(dict.fromkeys(event.step for event in events))
    if len(steps) <= limit:
        return EventPage(tuple(events), history.tip, is_last=True)
    page = tuple(event for event in events if event.step <= steps[limit - 1])
    return EventPage(page, page[-1].commit, is_last=False)


def _order(event: Event) -> tuple[int, int, str, int]:
    # Renames of one step come in the order in which they happened.
    name = event.name if event.kind is Kind.VERSION else ""
    return event.step, _ORDER[event.kind], name, event.number or 0


def _versions(history: History, step: int) -> Iterator[Event]:
    """Yield the events of new versions, each by the name that its jobtype had then."""
    renames = [mark for mark in history.marks if mark.deed is Deed.RENAMED and mark.step > step]
    for jobtype in chain(history.jobtypes.values(), history.ended):
        versions = jobtype.versions
        if not versions or versions[-1].step <= step:
            continue
        first = bisect_right(versions, step, key=lambda version: version.step)
        for version in versions[first:]:
            name = name_at(renames, jobtype, version.step)
            yield Event(
                Kind.VERSION,
                version.step,
                version.commit,
                name,
                jobtype.id,
                version.number,
                version,
            )


def _marked(history: History, step: int) -> Iterator[Event]:
    first = bisect_right(history.marks, step, key=lambda mark: mark.step)
    for mark in history.marks[first:]:
        kind = _KINDS.get(mark.deed, Kind.SOFTWARE)
        for number in mark.numbers or (None,):
            yield Event(kind, mark.step, mark.commit, mark.name, mark.id, number, mark=mark)
