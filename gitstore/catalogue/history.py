"""From steps to numbers: which versions and ids a history of the tree makes.

Pure: a History goes in, a Step, and the next History comes out. Numbering looks at
tree ids, file bytes and commit messages alone, never at whether a version is valid, so
that a stricter validator renumbers nothing (docs/format.md, section 2).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import takewhile
from types import MappingProxyType
from typing import TypeVar

from gitstore.catalogue.entries import Jobtype, Since, Software, Version
from gitstore.catalogue.marks import Deed, Mark
from gitstore.catalogue.trailers import TRAILER_ID, TRAILER_VERSION, Trailer
from gitstore.format import layout
from gitstore.format.schema import parse_software, parse_withdrawn
from gitstore.format.yaml_reader import YamlData

KeyT = TypeVar("KeyT")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content and the id it has in Git."""

    id: str
    data: YamlData


@dataclass(frozen=True, slots=True)
class Step:
    """One commit of the first-parent chain, its root tree, and what it changes.

    *jobtypes* has the tree ids of the directories that differ from the step before, by
    name; *files* the software files and withdrawn.yaml, by path; None where one is gone.
    *trailers* are those of the commit's message that are ours.
    *strays* are the paths that differ and belong to no jobtype: they make no version, but not
    everybody may change them.
    """

    commit: str
    tree: str
    trailers: tuple[Trailer, ...]
    jobtypes: Mapping[str, str | None]
    files: Mapping[str, Blob | None]
    strays: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Counters:
    """The highest numbers used so far; no number is ever used twice."""

    steps: int = 0
    jobtypes: int = 0
    software: int = 0
    software_versions: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Everything that the first-parent chain up to *tip* determines, without reading any code.

    *tree* is the root tree of *tip*; both are None before the first commit.
    *numbers* has the highest version number ever used under a name; *ended* the jobtypes
    that were deleted, in the order of their end; *former* the names that jobtypes left by a
    rename, each with the jobtype's id. The ids that a software name and a
    (software id, version) have had are kept for ever, because old versions of jobtypes
    refer to them. *marks* are what steps did other than to make versions, oldest first.
    """

    tip: str | None = None
    tree: str | None = None
    counters: Counters = Counters()
    jobtypes: Mapping[str, Jobtype] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    ended: tuple[Jobtype, ...] = ()
    former: tuple[tuple[str, int], ...] = ()
    withdrawn: Mapping[str, frozenset[int]] = field(default_factory=dict)
    software: Mapping[str, Software] = field(default_factory=dict)
    software_ids: Mapping[str, Since] = field(default_factory=dict)
    version_ids: Mapping[tuple[int, str], Since] = field(default_factory=dict)
    marks: tuple[Mark, ...] = ()

    def extend(self, steps: Iterable[Step]) -> History:
        """The history after *steps*, oldest first."""
        numbering = _Numbering(self)
        for step in steps:
            numbering.take(step)
        return numbering.history()

    def is_withdrawn(self, name: str, number: int) -> bool:
        """Whether that version is out of service by the list at the tip."""
        return number in self.withdrawn.get(name, ())

    def next_number(self, name: str) -> int:
        """The number that a write asks for: the lowest never used that would be in service.

        A withdrawn.yaml may list numbers that are still to come.
        """
        return _next_number(self.numbers.get(name, 0), self.withdrawn.get(name, ()))


def _next_number(last: int, withdrawn: Collection[int]) -> int:
    number = last + 1
    while number in withdrawn:
        number += 1
    return number


def _copied(mapping: Mapping[KeyT, T]) -> dict[KeyT, T]:
    """*mapping* as a dictionary. dict() is slow for a read-only mapping."""
    return mapping.copy() if isinstance(mapping, MappingProxyType) else dict(mapping)


class _Numbering:
    """A History under construction: the mutable inside of History.extend."""

    def __init__(self, history: History) -> None:
        self.tip = history.tip
        self.tree = history.tree
        self.steps = history.counters.steps
        self.last_jobtype_id = history.counters.jobtypes
        self.last_software_id = history.counters.software
        self.last_version_id = history.counters.software_versions
        self.jobtypes = _copied(history.jobtypes)
        self.numbers = _copied(history.numbers)
        self.ended = list(history.ended)
        self.former = history.former
        self.withdrawn = history.withdrawn
        self.software = _copied(history.software)
        self.software_ids = _copied(history.software_ids)
        self.version_ids = _copied(history.version_ids)
        self._marks_before = history.marks
        self._marks: list[Mark] = []
        self._renamed: dict[str, str] = {}

    def history(self) -> History:
        return History(
            tip=self.tip,
            tree=self.tree,
            counters=Counters(
                self.steps, self.last_jobtype_id, self.last_software_id, self.last_version_id
            ),
            jobtypes=MappingProxyType(self.jobtypes),
            numbers=MappingProxyType(self.numbers),
            ended=tuple(self.ended),
            former=self.former,
            withdrawn=MappingProxyType(dict(self.withdrawn)),
            software=MappingProxyType(self.software),
            software_ids=MappingProxyType(self.software_ids),
            version_ids=MappingProxyType(self.version_ids),
            marks=(*self._marks_before, *self._marks) if self._marks else self._marks_before,
        )

    def take(self, step: Step) -> None:
        self.steps += 1
        self.tip = step.commit
        self.tree = step.tree
        withdrawn = self.withdrawn
        self._renamed = {}
        self._take_withdrawn(step)
        if any(path != layout.WITHDRAWN for path in step.files):
            self._take_software(step)
        if step.jobtypes or step.trailers:
            self._take_jobtypes(step)
        self._mark_withdrawn(withdrawn, step.jobtypes.keys() | {n for _, _, n in step.trailers})

    def _mark(
        self, deed: Deed, name: str, id: int, other: str = "", numbers: tuple[int, ...] = ()
    ) -> None:
        assert self.tip is not None
        self._marks.append(Mark(self.steps, self.tip, deed, name, id, other, numbers))

    def _take_withdrawn(self, step: Step) -> None:
        if layout.WITHDRAWN not in step.files:
            return
        blob = step.files[layout.WITHDRAWN]
        if blob is None:
            self.withdrawn = {}
            return
        parsed = parse_withdrawn(blob.data).value
        if parsed is not None:
            self.withdrawn = parsed.root

    def _mark_withdrawn(
        self, before: Mapping[str, frozenset[int]], touched: Collection[str]
    ) -> None:
        """Mark the versions that this step withdrew or restored, where *before* was the list.

        A version that is listed before it is made is withdrawn by the step that makes it. The
        numbers of a jobtype that is renamed stay withdrawn if they are listed under its new name.
        """
        now = self.withdrawn
        names = {name for name in touched if name in now}
        if now is not before:
            names |= {n for n in before.keys() | now.keys() if before.get(n) != now.get(n)}
        names |= self._renamed.keys() if now or before else set()
        for name in sorted(names & self.jobtypes.keys(), key=_bytes):
            jobtype = self.jobtypes[name]
            old = before.get(self._renamed.get(name, name), frozenset())
            new = now.get(name, frozenset())
            made = {v.number for v in self._made(jobtype)}
            withdrawn, restored = new & made, frozenset[int]()
            if old is not new:  # A long list is seldom edited.
                withdrawn, restored = withdrawn | (new - old), old - new - made
            for deed, numbers in ((Deed.WITHDRAWN, withdrawn), (Deed.RESTORED, restored)):
                there = tuple(n for n in sorted(numbers) if jobtype.find_version(n))
                if there:
                    self._mark(deed, name, jobtype.id, numbers=there)

    def _made(self, jobtype: Jobtype) -> Iterator[Version]:
        """The versions of *jobtype* that this step made."""
        return takewhile(lambda v: v.step == self.steps, reversed(jobtype.versions))

    # Jobtypes

    def _take_jobtypes(self, step: Step) -> None:
        changed = dict(step.jobtypes)
        for old, new in list(self._renames(changed)):
            self._rename(old, new)
            del changed[old], changed[new]
        for name in sorted(changed, key=_bytes):
            if changed[name] is None:
                self._end(name)
        forced = _by_name(step.trailers, TRAILER_VERSION)
        ids = _by_name(step.trailers, TRAILER_ID)
        for name in sorted(changed.keys() | forced.keys(), key=_bytes):
            tree = changed.get(name) if name in changed else self._tree(name)
            if tree is not None:
                self._appear(name, tree, ids.get(name, []))
                self._version(step.commit, name, tree, forced.get(name, []))

    def _end(self, name: str) -> None:
        if name in self.jobtypes:
            self.ended.append(self.jobtypes.pop(name))
            self._mark(Deed.DELETED, name, self.ended[-1].id)

    def _tree(self, name: str) -> str | None:
        return self.jobtypes[name].tree if name in self.jobtypes else None

    def _renames(self, changed: Mapping[str, str | None]) -> Iterator[tuple[str, str]]:
        """Pair names that disappear with new names that have the identical tree."""
        appeared: dict[str, list[str]] = {}
        for name in sorted(changed, key=_bytes):
            tree = changed[name]
            if tree is not None and name not in self.numbers:
                appeared.setdefault(tree, []).append(name)
        for name in sorted(changed, key=_bytes):
            if changed[name] is None:
                candidates = appeared.get(self.jobtypes[name].tree)
                if candidates:
                    yield name, candidates.pop(0)

    def _rename(self, old: str, new: str) -> None:
        jobtype = self.jobtypes.pop(old)
        self.jobtypes[new] = replace(jobtype, name=new)
        self.numbers[new] = self.numbers[old]
        self.former = (*self.former, (old, jobtype.id))
        self._renamed[new] = old
        self._mark(Deed.RENAMED, old, jobtype.id, new)

    def _appear(self, name: str, tree: str, ids: list[int]) -> None:
        """Give *name* an id if it has none, and note its directory's tree."""
        if name in self.jobtypes:
            return
        higher = [id for id in ids if self.last_jobtype_id < id <= layout.TRAILER_LIMIT]
        self.last_jobtype_id = higher[0] if higher else self.last_jobtype_id + 1
        self.jobtypes[name] = Jobtype(self.last_jobtype_id, name, "", ())

    def _version(self, commit: str, name: str, tree: str, forced: list[int]) -> None:
        """Add the versions that this step makes of *name*, whose directory is now *tree*."""
        jobtype = self.jobtypes[name]
        last = self.numbers.get(name, 0)
        numbers: list[int] = []
        for number in forced:
            if self._counts(number, name, numbers[-1] if numbers else last):
                numbers.append(number)
        if not numbers and tree != jobtype.tree and tree != self._newest_tree(jobtype):
            numbers = [last + 1]
        made = tuple(Version(number, commit, tree, self.steps) for number in numbers)
        self.jobtypes[name] = replace(jobtype, tree=tree, versions=jobtype.versions + made)
        self.numbers[name] = numbers[-1] if numbers else last

    def _counts(self, number: int, name: str, last: int) -> bool:
        """Whether a trailer for *number* counts where *last* is the highest used."""
        if number <= layout.TRAILER_LIMIT:
            return number > last
        # The number that a write asks for itself counts however high it is.
        return number == _next_number(last, self.withdrawn.get(name, ()))

    def _newest_tree(self, jobtype: Jobtype) -> str | None:
        withdrawn = self.withdrawn.get(jobtype.name, frozenset())
        kept = (v.tree for v in reversed(jobtype.versions) if v.number not in withdrawn)
        return next(kept, None)

    # Software

    def _take_software(self, step: Step) -> None:
        changed = {
            name: blob
            for path, blob in step.files.items()
            if path.startswith(f"{layout.SOFTWARE}/")
            and (name := layout.software_name(path.removeprefix(f"{layout.SOFTWARE}/")))
        }
        for old, new in list(self._software_renames(changed)):
            moved = replace(self.software.pop(old), name=new)
            self.software[new] = moved
            self._note_software(new, moved.id)
            self._mark(Deed.SOFTWARE_RENAMED, old, moved.id, new)
            del changed[old], changed[new]
        for name in sorted(changed, key=lambda name: _bytes(layout.software_path(name))):
            blob = changed[name]
            if blob is None:
                ended = self.software.pop(name, None)
                if ended is not None:
                    self._mark(Deed.SOFTWARE_DELETED, name, ended.id)
            else:
                self._take_software_file(name, blob)

    def _software_renames(self, changed: Mapping[str, Blob | None]) -> Iterator[tuple[str, str]]:
        def order(name: str) -> bytes:
            return _bytes(layout.software_path(name))

        appeared: dict[str, list[str]] = {}
        for name in sorted(changed, key=order):
            blob = changed[name]
            if blob is not None and name not in self.software_ids:
                appeared.setdefault(blob.id, []).append(name)
        for name in sorted(changed, key=order):
            if changed[name] is None and name in self.software:
                candidates = appeared.get(self.software[name].file)
                if candidates:
                    yield name, candidates.pop(0)

    def _take_software_file(self, name: str, blob: Blob) -> None:
        parsed = parse_software(blob.data).value
        old = self.software.get(name)
        if parsed is None:
            if old is not None:
                self.software[name] = replace(old, file=blob.id)
            return
        if old is None:
            self.last_software_id += 1
            old = Software(self.last_software_id, name, "", "", ())
            self._note_software(name, old.id)
        known = dict(old.versions)
        versions = tuple(
            (v.version, known.get(v.version) or self._new_version_id(old.id, v.version))
            for v in parsed.versions
        )
        self.software[name] = replace(old, file=blob.id, blob=blob.id, versions=versions)
        if blob.id != old.blob:
            self._mark(Deed.SOFTWARE, name, old.id, blob.id)

    def _note_software(self, name: str, id: int) -> None:
        self.software_ids[name] = (*self.software_ids.get(name, ()), (self.steps, id))

    def _new_version_id(self, software_id: int, version: str) -> int:
        self.last_version_id += 1
        key = (software_id, version)
        noted = (*self.version_ids.get(key, ()), (self.steps, self.last_version_id))
        self.version_ids[key] = noted
        return self.last_version_id


def _by_name(trailers: Iterable[Trailer], key: str) -> dict[str, list[int]]:
    """The numbers that the trailers with *key* ask for, by name, in their order."""
    numbers: dict[str, list[int]] = {}
    for own_key, number, name in trailers:
        if own_key == key:
            numbers.setdefault(name, []).append(number)
    return numbers


def _bytes(name: str) -> bytes:
    return name.encode(errors="surrogateescape")
