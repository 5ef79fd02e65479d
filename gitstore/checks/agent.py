"""The rules of PyFarm's released agent: what it can't load, as warnings.

The agent writes a version's code to ``<name>_<classname>_v<version>.py``, keeps that
file for ever, and imports it as the module ``<classname><name><version>``. A studio with
another agent switches these rules off (``--ignore agent-...``).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping
from functools import cache, lru_cache

from gitstore.catalogue.contents import Contents, Directory
from gitstore.checks.parsing import Sources
from gitstore.checks.past import Past, by_fold, files_fold, heads, stem
from gitstore.checks.python_source import Facts
from gitstore.format import layout
from gitstore.format.schema import Parsed, SoftwareFile
from gitstore.git.trees import Entry
from gitstore.rules import Problem

_UNASKED = re.compile("[ #?<>`]|%[0-9A-Fa-f]{2}")
"""Characters that change an address, or break it, if nobody quotes them."""


class Neighbours:
    """A tree's jobtypes, found by the names that the agent would give their files and modules.

    Made once for a check, so that ten thousand jobtypes are not each compared with all. Which
    ones can meet shows in their names first, so that few files are read. The tree came from
    another whose jobtypes were *before*; it differs from that in those *changed*, at most. *past*
    knows the jobtypes that are not there any more.
    """

    def __init__(
        self,
        contents: Contents,
        jobtypes: Mapping[str, Entry],
        before: Mapping[str, Entry],
        changed: Collection[str],
        past: Past,
    ) -> None:
        self.contents = contents
        self.past = past
        self._jobtypes = jobtypes
        self._before = before
        self._changed = changed
        names = tuple(jobtypes)
        self._by_fold, self._by_stem = by_fold(names), _by_stem(names)
        self._modules = cache(self._read_modules)

    def directory(self, name: str) -> Directory:
        """The directory of jobtype *name*."""
        return self.contents.directory(self._jobtypes[name].id)

    def classname(self, name: str) -> str | None:
        """The class that jobtype *name* names, None without a readable one."""
        meta = self.directory(name).meta
        return meta.classname if meta else None

    def in_file(self, name: str, classname: str) -> Iterator[str]:
        """Yield the jobtypes whose cache files would be called as those of *name*."""
        file = files_fold(name, classname)
        for head in heads(file):
            for other in self._by_fold.get(head, ()) if head != layout.fold(name) else ():
                found = self.classname(other) if self._jobtypes[other].is_tree else None
                if found is not None and files_fold(other, found) == file:
                    yield other

    def in_module(self, module: str) -> Iterator[str]:
        """Yield the jobtypes whose module and *module* can become the same.

        That is, by appending a version number to each.
        """
        whole = stem(module)
        for start in range(len(whole) + 1):
            if whole[start:] in self._by_stem:
                modules = self._modules(whole[start:])
                for shorter in _without_digits(module):
                    if _is_number(module, shorter):
                        yield from (o for _, o in _between(modules, shorter, f"{shorter}\0"))
                # All that go on with a number, and what else begins as they do.
                longer = _between(modules, f"{module}1", f"{module}:")
                yield from (o for found, o in longer if stem(found) == whole)

    def _read_modules(self, name_stem: str) -> list[_Row]:
        """The modules of the jobtypes of that stem, each with its jobtype, in order."""
        namesakes = self._by_stem[name_stem]
        return namesakes.modules(self._jobtypes, self.contents, self._before, self._changed)


class _Namesakes:
    """The jobtypes of one stem. Of their modules, only those that differ are read again."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._last: tuple[Mapping[str, Entry], dict[str, _Row | None], list[_Row]] = ({}, {}, [])

    def modules(
        self,
        jobtypes: Mapping[str, Entry],
        contents: Contents,
        before: Mapping[str, Entry],
        changed: Collection[str],
    ) -> list[_Row]:
        """Their modules, each with its jobtype, in order; arguments as of Neighbours."""
        # At first nothing is known. Threads may be here at once, each with a tree of its own.
        known, rows, in_order = self._last
        if known is before:
            differing = self.names.intersection(changed)
        else:
            differing = {name for name in self.names if known.get(name) is not jobtypes[name]}
        read = {name: _module(name, jobtypes[name], contents) for name in differing}
        if any(rows.get(name) != row for name, row in read.items()):
            rows = rows | read
            in_order = sorted(filter(None, rows.values()))
        self._last = (jobtypes, rows, in_order)
        return in_order


_Row = tuple[str, str]
"""A module, less its number, and the jobtype whose it is."""


def _module(name: str, entry: Entry, contents: Contents) -> _Row | None:
    meta = contents.meta(entry.id) if entry.is_tree else None
    if meta is None or meta.classname is None:
        return None
    return f"{meta.classname}{name}", name


def _between(rows: list[_Row], low: str, high: str) -> list[_Row]:
    """The *rows*, which are in order, from *low* on and below *high*."""
    return rows[bisect_left(rows, (low,)) : bisect_left(rows, (high,))]


@lru_cache(maxsize=4)
def _by_stem(names: tuple[str, ...]) -> dict[str, _Namesakes]:
    """*names* by their stems; from one write to the next they are mostly the same."""
    found: dict[str, _Namesakes] = {}
    for name in names:
        found.setdefault(stem(name), _Namesakes()).names.add(name)
    return found


def _without_digits(module: str) -> Iterator[str]:
    """Yield *module* as it is, and with fewer and fewer of the digits that it ends with."""
    for end in range(len(module), len(stem(module)) - 1, -1):
        yield module[:end]


def _is_number(whole: str, shorter: str) -> bool:
    """Whether what *whole* has after *shorter* is nothing, or a number as versions have."""
    return not whole.startswith("0", len(shorter))


def check_agent(neighbours: Neighbours, name: str, sources: Sources) -> Iterator[Problem]:
    """Problems that the agent would have with jobtype *name* among its *neighbours*."""
    contents, directory = neighbours.contents, neighbours.directory(name)
    if not name.isascii():
        says = "the name has a character outside ASCII, which the released agent can't ask for"
        yield Problem("agent-name", layout.jobtype_path(name), f"{says}; choose another name")
    if directory.meta is not None and directory.meta.classname is None:
        says = "classname is null, with which the released agent can't load the jobtype"
        yield Problem("agent-classname", layout.meta_path(name), f"{says}; write the class's name")
    blob = directory.code
    if blob:
        facts = sources.facts(blob, lambda: contents.objects.read_blob(blob))
        yield from _check_facts(name, facts)
    yield from _check_collisions(neighbours, name)


def check_agent_software(name: str, path: str, parsed: Parsed[SoftwareFile]) -> Iterator[Problem]:
    """Discovery code that the agent never gets, in the file at *path* of software *name*.

    It puts the name and the version into the address as they are.
    """
    if parsed.value is None or parsed.document is None:
        return
    for position, version in enumerate(parsed.value.versions):
        texts = {"the name": name, "the version": version.version}
        found = ((what, _UNASKED.search(text)) for what, text in texts.items())
        what, match = next(((what, match) for what, match in found if match), ("", None))
        if match is not None and version.discovery_code is not None:
            says = (
                f"{what} holds {match[0]!r}, so the released agent can't ask for this discovery"
                " code; choose another name, or remove the code"
            )
            line = parsed.document.line(("versions", position, "discovery_code"))
            field = f"versions.{position}.discovery_code"
            yield Problem("agent-software-space", path, says, line, field)


def _check_facts(name: str, facts: Facts) -> Iterator[Problem]:
    path = layout.code_path(name)
    if facts.beyond_ascii_line is not None:
        says = (
            "a character outside ASCII, which leaves the released agent an empty file;"
            r" write it as an escape such as \u00e9"
        )
        yield Problem("agent-ascii", path, says, facts.beyond_ascii_line)
    for line, what in facts.newer:
        says = f"{what} does not exist in Python 2.7; write it in the older way"
        yield Problem("agent-python27", path, says, line)


def _check_collisions(neighbours: Neighbours, name: str) -> Iterator[Problem]:
    """Other jobtypes whose cache file or module would have the same name as this one's."""
    own = neighbours.classname(name)
    if own is None:
        return
    module = f"{own}{name}"
    files = f"the cache file {name}_{own}_v..."
    modules = f"a module such as {module}1..."
    in_file = set(neighbours.in_file(name, own))
    in_module = {other for other in neighbours.in_module(module) if other != name}
    for other in sorted(in_file):
        yield _collision("agent-cache-file", name, other, files)
    for other in sorted(in_module):
        yield _collision("agent-module", name, other, modules)
    for other in sorted({*neighbours.past.in_file(name, own)} - in_file):
        yield _past_collision("agent-cache-file", name, other, files)
    for other in sorted({*neighbours.past.in_module(name, own)} - in_module):
        yield _past_collision("agent-module", name, other, modules)


def _collision(rule: str, name: str, other: str, what: str) -> Problem:
    says = (
        f"the released agent would take {what} of {name} and of {other} for one another;"
        " give one of them another classname"
    )
    return Problem(rule, layout.meta_path(name), says)


def _past_collision(rule: str, name: str, other: str, what: str) -> Problem:
    says = (
        f"the released agent may have {what} of versions that {layout.printable(other)} had"
        f" before, and would run those; give {name} another classname"
    )
    return Problem(rule, layout.meta_path(name), says)
