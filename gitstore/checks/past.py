"""The names and numbers of the past, which a new tree must not reuse.

Agents keep code for ever, by names that are made of a jobtype's, its class's and a number. So
names that were used once count, whatever became of the jobtype.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice, takewhile

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype
from gitstore.catalogue.history import Blob, History, Step
from gitstore.format import layout
from gitstore.git.trees import Entry


@lru_cache(maxsize=8)
def by_fold(names: tuple[str, ...]) -> dict[str, list[str]]:
    """*names* by their form without case. The last few results are cached."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(layout.fold(name), []).append(name)
    return groups


@lru_cache(maxsize=8)
def by_stem(names: tuple[str, ...]) -> dict[str, list[str]]:
    """*names* by their stems, sorted. The last few results are cached."""
    groups: dict[str, list[str]] = {}
    for name in sorted(names):
        groups.setdefault(stem(name), []).append(name)
    return groups


def stem(name: str) -> str:
    """*name* without the digits that it ends with."""
    return name.rstrip("0123456789")


def meeting(stems: Mapping[str, list[str]], module: str) -> Iterator[tuple[str, str]]:
    """Yield the classes and names whose modules *module* can meet.

    Two modules meet if they can become the same by appending a version number to each. *stems*
    are the names to choose from, by their stems; of ten thousand that differ only in the number
    that they end with, few are looked at.
    """
    whole = stem(module)
    for start in range(len(whole) + 1):
        prefix, tail = module[:start], module[start:]
        for name in _alike(stems.get(whole[start:], []), tail, len(whole) - start):
            if _can_meet(module, f"{prefix}{name}"):
                yield prefix, name


def _alike(names: list[str], tail: str, least: int) -> Iterator[str]:
    """Yield those of the sorted *names* that begin *tail*, of *least* length, or begin with it."""
    for end in range(least, len(tail)):
        place = bisect_left(names, tail[:end])
        if names[place : place + 1] == [tail[:end]]:
            yield tail[:end]
    begin = bisect_left(names, tail)
    yield from takewhile(lambda name: name.startswith(tail), islice(names, begin, None))


def other_spellings(history: History, name: str) -> list[str]:
    """The names ever used that differ from *name* in case alone."""
    used = by_fold(tuple(history.numbers)).get(layout.fold(name), ())
    return [other for other in used if other != name]


def case_fault(other: str) -> str:
    """The problem of a name that differs only in case from *other*, which was used before."""
    return (
        f"differs only in case from {layout.printable(other)}, which was used before: an agent on"
        " macOS or Windows keeps the code of that under the same name; choose another name"
    )


def files_fold(name: str, classname: str) -> str:
    """The agent's name for the file of a version, without its number and without case."""
    return f"{layout.fold(name)}_{layout.fold(classname)}"


def heads(file: str) -> Iterator[str]:
    """Yield the part of *file* before each ``_``: the names that it may be made of."""
    return (file[:place] for place, character in enumerate(file) if character == "_")


@dataclass(frozen=True)
class Past:
    """The history that a change comes upon, *after* it has happened if that is known.

    *jobtypes* and *withdrawn* are what the change leaves.
    """

    base: Catalogue
    jobtypes: Mapping[str, Entry]
    withdrawn: Blob | None
    known: History | None = None

    @cached_property
    def after(self) -> History:
        """The history after the change, as one step where its steps are not known."""
        if self.known is not None:
            return self.known
        old = self.base.history.jobtypes
        trees = {name: entry.id for name, entry in self.jobtypes.items() if entry.is_tree}
        changed: dict[str, str | None] = {
            name: tree
            for name, tree in trees.items()
            if name not in old or old[name].tree != tree
        }  # fmt: skip
        changed.update({name: None for name in old.keys() - trees.keys()})
        files = {layout.WITHDRAWN: self.withdrawn}
        return self.base.history.extend([Step("", "", (), changed, files)])

    @property
    def used(self) -> History:
        """The history that knows the names ever used, with those of all steps if they are known."""
        return self.known or self.base.history

    @cached_property
    def _folded(self) -> Mapping[str, list[str]]:
        return by_fold(tuple(self.used.numbers))

    @cached_property
    def _stems(self) -> Mapping[str, list[str]]:
        return by_stem(tuple(self.used.numbers))

    def spellings(self, name: str) -> list[str]:
        """The names ever used that differ from *name* in case alone."""
        return [other for other in self._folded.get(layout.fold(name), ()) if other != name]

    def name_before(self, name: str) -> str:
        """The name that jobtype *name* had before the change."""
        jobtype = self.after.jobtypes.get(name)
        known = self.base.history.jobtypes.values()
        return next((j.name for j in known if jobtype and j.id == jobtype.id), name)

    # The agent's files

    def in_file(self, name: str, classname: str) -> Iterator[str]:
        """Yield the names whose earlier versions an agent may have in *name*'s files."""
        file = files_fold(name, classname)
        for head in heads(file):
            for other in self._folded.get(head, ()):
                if head != layout.fold(name) and any(
                    files_fold(other, theirs) == file
                    for theirs in self._classnames(name, classname, other)
                ):
                    yield other

    def in_module(self, name: str, classname: str) -> Iterator[str]:
        """Yield the names whose earlier modules can have the name of one of *name*'s."""
        module = f"{classname}{name}"
        for theirs, other in meeting(self._stems, module):
            if other != name and theirs in self._classnames(name, classname, other):
                yield other

    def _classnames(self, name: str, classname: str, other: str) -> set[str]:
        """The classes of the versions that were made under the name *other*.

        Of a jobtype that goes on under that name, those of its old versions count where *name*
        begins to have *classname*: earlier pairs were reported at that time.
        """
        own, live = self.used.jobtypes.get(name), self.used.jobtypes.get(other)
        jobtypes = [*self._gone.get(other, ())]
        if live is not None and not self._has_borne(name, classname):
            jobtypes.append(live)
        return {
            known
            for jobtype in jobtypes
            if own is None or jobtype.id != own.id
            for known in self._classes_of(jobtype)
        }

    @cached_property
    def _gone(self) -> Mapping[str, list[Jobtype]]:
        """The jobtypes that no longer have a name, by that name."""
        history = self.used
        gone: dict[str, list[Jobtype]] = {}
        for jobtype in history.ended:
            gone.setdefault(jobtype.name, []).append(jobtype)
        if history.former:
            by_id = {j.id: j for j in (*history.ended, *history.jobtypes.values())}
            for name, id in history.former:
                gone.setdefault(name, []).append(by_id[id])
        return gone

    def _has_borne(self, name: str, classname: str) -> bool:
        jobtype = self.base.history.jobtypes.get(name)
        meta = self.base.contents.meta(jobtype.tree) if jobtype else None
        return meta is not None and meta.classname == classname

    def _classes_of(self, jobtype: Jobtype) -> Iterator[str]:
        for tree in {version.tree for version in jobtype.versions}:
            meta = self.base.contents.meta(tree)
            if meta is not None and meta.classname is not None:
                yield meta.classname


def _can_meet(one: str, other: str) -> bool:
    """Whether two modules can become the same by appending a version number to each."""
    short, long = sorted((one, other), key=len)
    tail = long[len(short) :]
    return long.startswith(short) and (not tail or (tail.isdecimal() and tail[0] != "0"))
