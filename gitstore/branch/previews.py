"""Previews: the catalogue as it would be with a branch merged. No ref moves for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

from gitstore.branch import pulls
from gitstore.branch.changes import near_change
from gitstore.branch.growth import growth_of_merge
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.difference import others
from gitstore.catalogue.entries import Jobtype
from gitstore.catalogue.history import History
from gitstore.catalogue.layered import Layered
from gitstore.catalogue.preview import preview_number
from gitstore.errors import NotFound
from gitstore.git.single_flight import Once

PREVIEWS_BYTES = 8 * 1024 * 1024
"""How much memory the previews of one tip may take."""

Slot = Callable[[], AbstractContextManager[None]]

_ID = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class _Preview:
    """A preview, and the memory that it needs in addition to the catalogue's, roughly."""

    catalogue: Catalogue
    size: int


class _Cache:
    """The previews of one tip, by the commit that is merged."""

    def __init__(self, tip: str | None) -> None:
        self.tip = tip
        self.previews = Once[str, _Preview](PREVIEWS_BYTES, lambda preview: preview.size)


class Previews:
    """The previews of one store.

    A caller holds *waiting* while it waits for a preview that is not in memory, and the
    thread that computes it holds *slot*.
    """

    def __init__(self, store: Store, slot: Slot, waiting: Slot) -> None:
        self._store = store
        self._slot = slot
        self._waiting = waiting
        self._cache = _Cache(None)

    def preview(self, name: str) -> Catalogue:
        """The catalogue with *name* merged into the served branch; see Reviews.preview."""
        tip, commit = self._store.catalogue().history.tip, self.resolve(name)
        cache = self._cache
        if cache.tip != tip:
            # Nobody asks for the previews of the last tip any more, and they hold its memory.
            cache = self._cache = _Cache(tip)
        previews = cache.previews
        with nullcontext() if previews.at_hand(commit) else self._waiting():
            return previews.get(commit, lambda: self._make_preview(tip, commit)).catalogue

    def resolve(self, name: str) -> str:
        """The commit that *name* means.

        Raises:
            NotFound: it means none.
        """
        repository = self._store.repository
        for ref in _candidates(name):
            if repository.tip(ref) is not None:
                return repository.resolve(ref).id
        if _ID.fullmatch(name):
            return repository.resolve(name).id
        near = near_change(self._store, name)
        raise NotFound(f"there is no branch, pull request, tag or commit {name}{near}")

    def _make_preview(self, tip: str | None, commit: str) -> _Preview:
        with self._slot():
            base = self._store.at(tip)
            merge, growth = growth_of_merge(self._store.repository, base, commit)
            merged = _renumbered(base.history, base.history.extend(growth.steps))
        # A preview also needs memory for an index of the jobtypes by id, and for copies of
        # the lists of versions that it changes.
        changed = [merged.jobtypes[name] for name in growth.jobtypes if name in merged.jobtypes]
        size = 4000 + sum(map(len, merge.objects.values())) + 100 * len(merged.jobtypes)
        size += sum(1000 + 8 * len(jobtype.versions) for jobtype in changed)
        return _Preview(Catalogue(merged, growth.base.contents), size)


def _candidates(name: str) -> Iterator[str]:
    yield from pulls.candidates(name)
    yield f"refs/heads/{name}"
    yield f"refs/upstream/heads/{name}"
    yield f"refs/tags/{name}"
    yield f"refs/upstream/tags/{name}"


def _renumbered(base: History, merged: History) -> History:
    """*merged*, one step after *base*, with that step's versions numbered as previews.

    It shares with *base* what doesn't differ, because many previews are in memory.
    """
    new = {
        name: _preview_of(jobtype, base) for name, jobtype in others(merged.jobtypes, base.jobtypes)
    }
    gone = base.jobtypes.keys() - merged.jobtypes.keys()
    shared = {
        field: getattr(base, field)
        for field in ("withdrawn", "software", "software_ids", "version_ids", "ended")
        if getattr(base, field) == getattr(merged, field)
    }
    # Nobody asks a preview for the next number.
    return replace(
        merged, jobtypes=Layered(base.jobtypes, gone, new), numbers=base.numbers, **shared
    )


def _preview_of(jobtype: Jobtype, base: History) -> Jobtype:
    versions = tuple(
        replace(v, number=preview_number(v.tree)) if v.step > base.counters.steps else v
        for v in jobtype.versions[-1:]
    )
    return replace(jobtype, versions=jobtype.versions[:-1] + versions)
