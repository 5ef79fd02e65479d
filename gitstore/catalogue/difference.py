"""The effect of steps on the catalogue: new versions, and what else they touch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import compress
from operator import is_not
from types import MappingProxyType
from typing import TypeVar

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype
from gitstore.catalogue.history import Step
from gitstore.format import layout
from gitstore.format.layout import printable
from gitstore.format.yaml_editor import edited_keys
from gitstore.git.trees import Entry

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class NewVersions:
    """The new *numbers* of a jobtype; *before* is the newest number before them."""

    name: str
    numbers: tuple[int, ...]
    before: int | None

    def __str__(self) -> str:
        if self.before is None:
            return f"{self.name}: new jobtype, {_numbers(self.numbers)}"
        return f"{self.name}: {_numbers(self.numbers)} (was {self.before})"


def _numbers(numbers: tuple[int, ...]) -> str:
    if len(numbers) == 1:
        return f"version {numbers[0]}"
    return f"versions {numbers[0]} to {numbers[-1]}" if numbers else "no version"


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two catalogues of one branch.

    *ended* are names of jobtypes, *software_ended* of software, also of what was not there
    before; *withdrawn* and *restored* are (name, number); *files* the paths that changed
    and belong to no jobtype; *touched* the jobtypes that a step between the two changed,
    whatever a later one undid, and those whose lines in withdrawn.yaml it edited.
    """

    versions: tuple[NewVersions, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()
    ended: tuple[str, ...] = ()
    software_ended: tuple[str, ...] = ()
    withdrawn: tuple[tuple[str, int], ...] = ()
    restored: tuple[tuple[str, int], ...] = ()
    files: tuple[str, ...] = ()
    touched: frozenset[str] = frozenset()

    def jobtypes(self) -> frozenset[str]:
        """The names of all jobtypes that it touches."""
        return self.touched.union(
            (v.name for v in self.versions),
            (name for pair in self.renamed for name in pair),
            self.ended,
            (name for name, _ in (*self.withdrawn, *self.restored)),
        )

    def subject(self) -> str:
        """The name of what it is about: a jobtype, else software, else a file, else nothing."""
        return next(iter((*sorted(self.jobtypes()), *map(_subject, self.files))), "nothing")

    def sentences(self, notes: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
        """Yield a line for each thing, for the person who made the change.

        *notes* end the lines about the new versions of a jobtype, by its name.
        """
        yield from map(printable, self._sentences(notes))

    def _sentences(self, notes: Mapping[str, str]) -> Iterator[str]:
        for old, new in self.renamed:
            yield f"{old}: renamed to {new}"
        yield from (f"{version}{notes.get(version.name, '')}" for version in self.versions)
        yield from (f"{name}: deleted" for name in self.ended)
        yield from (f"{name}: version {number} withdrawn" for name, number in self.withdrawn)
        yield from (f"{name}: version {number} back in service" for name, number in self.restored)
        yield from (f"{path}: changed" for path in self.files if path.startswith(layout.SOFTWARE))


def by_steps(base: Catalogue, steps: Iterable[Step]) -> Difference:
    """What *steps* make of *base*, each by itself: also what a later one undoes.

    Git and the API show each step for ever, so everyone who pushes answers for all of them.
    """
    parts: list[Difference] = []
    for step in steps:
        after = base.extend([step])
        parts.append(difference(base, after, [step]))
        base = after
    return union(parts)


def union(parts: Sequence[Difference]) -> Difference:
    """The union of *parts*."""
    values = {
        field.name: dict.fromkeys(row for part in parts for row in getattr(part, field.name))
        for field in fields(Difference)
    }
    return Difference(
        **{name: tuple(rows) for name, rows in values.items() if name != "touched"},
        touched=frozenset(values["touched"]),
    )


def _subject(path: str) -> str:
    folder, _, name = path.partition("/")
    software = layout.software_name(name) if folder == layout.SOFTWARE else None
    return software or path


def difference(before: Catalogue, after: Catalogue, steps: Iterable[Step] = ()) -> Difference:
    """The difference from *before* to *after*, a later catalogue of the same branch.

    *steps* are those between the two, where one might undo what another did: numbers and
    ids are used up all the same.
    """
    steps = tuple(steps)
    old = _others(before.history.jobtypes, after.history.jobtypes)
    new = _others(after.history.jobtypes, before.history.jobtypes)
    old_numbers, new_numbers = _withdrawn(before), _withdrawn(after)
    renamed = {
        old[id].name: jobtype.name
        for id, jobtype in new.items()
        if id in old and old[id].name != jobtype.name
    }
    carried = {(renamed.get(name, name), number) for name, number in old_numbers}
    kept = set(new_numbers)
    names = after.history.jobtypes.keys()
    edited, more = _edited_list(before, after, steps)
    return Difference(
        versions=tuple(_new_versions(old, new)),
        renamed=tuple(sorted(renamed.items())),
        ended=tuple(sorted(set(_ended(before, after)))),
        software_ended=tuple(sorted(set(_software_ended(before, after)))),
        withdrawn=tuple(sorted(kept - carried)),
        restored=tuple(sorted(row for row in carried - kept if row[0] in names)),
        files=tuple(sorted({*_files(before, after), *(p for s in steps for p in s.strays), *more})),
        touched=frozenset(name for step in steps for name in step.jobtypes) | edited,
    )


def _others(jobtypes: Mapping[str, Jobtype], than: Mapping[str, Jobtype]) -> dict[int, Jobtype]:
    """Those of *jobtypes*, by id, that are not the very same in *than*: few, after a step."""
    return {jobtype.id: jobtype for _, jobtype in others(jobtypes, than)}


def others(items: Mapping[str, V], than: Mapping[str, V]) -> Iterator[tuple[str, V]]:
    """The *items* that are not the very same object in *than*, at the speed of C."""
    return compress(items.items(), map(is_not, items.values(), map(dict(than).get, items)))


def _ended(before: Catalogue, after: Catalogue) -> Iterator[str]:
    """Yield the jobtypes that ended, by the name they had before if they had one."""
    ended = after.history.ended[len(before.history.ended) :]
    known = {j.id: j.name for j in before.history.jobtypes.values()} if ended else {}
    for jobtype in ended:
        yield known.get(jobtype.id, jobtype.name)


def _software_ended(before: Catalogue, after: Catalogue) -> Iterator[str]:
    left = {software.id for software in after.history.software.values()}
    yield from (s.name for s in before.history.software.values() if s.id not in left)
    last = before.history.counters.software
    for name, ids in after.history.software_ids.items():
        if any(id > last and id not in left for _, id in ids):
            yield name


def _edited_list(
    before: Catalogue, after: Catalogue, steps: Sequence[Step]
) -> tuple[frozenset[str], tuple[str, ...]]:
    """The jobtypes whose lines in withdrawn.yaml *steps* edited; its path if more differs.

    Without steps it is an edit of ours, which keeps what others wrote.
    """
    if not any(layout.WITHDRAWN in step.files for step in steps):
        return frozenset(), ()
    read = before.contents.objects.read_blob
    entries = (_root(catalogue).get(layout.WITHDRAWN) for catalogue in (before, after))
    old, new = (read(entry.id) if entry and entry.is_file else b"" for entry in entries)
    edited, differs = edited_keys(old, new)
    return edited, (layout.WITHDRAWN,) if differs else ()


def _withdrawn(catalogue: Catalogue) -> set[tuple[str, int]]:
    listed = catalogue.history.withdrawn
    return {(name, number) for name, numbers in listed.items() for number in numbers}


def _new_versions(old: Mapping[int, Jobtype], new: Mapping[int, Jobtype]) -> Iterator[NewVersions]:
    for id, jobtype in sorted(new.items(), key=lambda item: item[1].name):
        known = old.get(id)
        if known is None or jobtype.versions != known.versions:
            last = known.versions[-1].number if known and known.versions else 0
            numbers = tuple(v.number for v in jobtype.versions if v.number > last)
            yield NewVersions(jobtype.name, numbers, last if known else None)


def _files(before: Catalogue, after: Catalogue) -> Iterator[str]:
    old, new = _root(before), _root(after)
    for name in old.keys() | new.keys():
        if old.get(name) == new.get(name) or name in (layout.JOBTYPES, layout.WITHDRAWN):
            continue
        if name == layout.SOFTWARE or (
            name == layout.TESTS and _are_trees(old.get(name), new.get(name))
        ):
            yield from _below(after, name, old.get(name), new.get(name))
        else:
            yield name


def _are_trees(*entries: Entry | None) -> bool:
    return all(entry is None or entry.is_tree for entry in entries)


def _below(
    catalogue: Catalogue, folder: str, old: Entry | None, new: Entry | None
) -> Iterator[str]:
    """Yield what differs in *folder*; a directory ends in a slash."""
    entries = catalogue.contents.objects.entries
    before, after = (entries(e.id) if e and e.is_tree else {} for e in (old, new))
    for name in before.keys() | after.keys():
        was, now = before.get(name), after.get(name)
        if was != now:
            yield f"{folder}/{name}{'/' if _are_trees(was, now) else ''}"


def _root(catalogue: Catalogue) -> Mapping[str, Entry]:
    tree = catalogue.history.tree
    return catalogue.contents.objects.entries(tree) if tree else {}
