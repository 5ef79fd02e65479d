"""The rules of PyFarm's released agent: what it can't load, as warnings.

The agent writes a version's code to ``<name>_<classname>_v<version>.py``, keeps that
file for ever, and imports it as the module ``<classname><name><version>``. A studio with
another agent switches these rules off (``--ignore agent-...``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from gitstore.catalogue.contents import Contents, Directory
from gitstore.checks.parsing import Sources
from gitstore.checks.past import Past, by_fold, by_stem, files_fold, heads, meeting
from gitstore.checks.python_source import Facts
from gitstore.format import layout
from gitstore.format.schema import Parsed, SoftwareFile
from gitstore.git.trees import Entry
from gitstore.rules import Problem

_UNASKED = re.compile("[ #?<>`]|%[0-9A-Fa-f]{2}")
"""Characters that change an address, or break it, if nobody quotes them."""


class Neighbours:
    """A tree's jobtypes, found by the names that the agent would give their files and modules.

    Made once for a check, so that ten thousand jobtypes are not each compared with all. The
    names show which few can meet, so few files are read. *past* knows the former jobtypes.
    """

    def __init__(self, contents: Contents, jobtypes: Mapping[str, Entry], past: Past) -> None:
        self.contents = contents
        self.past = past
        self._jobtypes = jobtypes
        self._by_fold, self._by_stem = by_fold(tuple(jobtypes)), by_stem(tuple(jobtypes))

    def directory(self, name: str) -> Directory:
        """The directory of jobtype *name*."""
        return self.contents.directory(self._jobtypes[name].id)

    def classname(self, name: str) -> str | None:
        """The class that jobtype *name* names, None without a readable one."""
        entry = self._jobtypes[name]
        meta = self.contents.meta(entry.id) if entry.is_tree else None
        return meta.classname if meta else None

    def in_file(self, name: str, classname: str) -> Iterator[str]:
        """Yield the jobtypes whose cache files would have the names of *name*'s."""
        file = files_fold(name, classname)
        for head in heads(file):
            for other in self._by_fold.get(head, ()) if head != layout.fold(name) else ():
                theirs = self.classname(other)
                if theirs is not None and files_fold(other, theirs) == file:
                    yield other

    def in_module(self, module: str) -> Iterator[str]:
        """Yield the jobtypes whose module and *module* can become the same.

        That is, by appending a version number to each.
        """
        for theirs, other in meeting(self._by_stem, module):
            if self.classname(other) == theirs:
                yield other


def check_agent(neighbours: Neighbours, name: str, sources: Sources) -> Iterator[Problem]:
    """Problems that the agent would have with jobtype *name* among its *neighbours*."""
    contents, directory = neighbours.contents, neighbours.directory(name)
    if not name.isascii():
        message = "the name has a character outside ASCII, which the released agent can't ask for"
        yield Problem("agent-name", layout.jobtype_path(name), f"{message}; choose another name")
    if directory.meta is not None and directory.meta.classname is None:
        message = (
            "classname is null, with which the released agent can't load the jobtype; write the"
            " class's name"
        )
        yield Problem("agent-classname", layout.meta_path(name), message)
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
        matches = ((what, _UNASKED.search(text)) for what, text in texts.items())
        what, match = next(((what, match) for what, match in matches if match), ("", None))
        if match is not None and version.discovery_code is not None:
            message = (
                f"{what} holds {match[0]!r}, so the released agent can't ask for this discovery"
                " code; choose another name, or remove the code"
            )
            line = parsed.document.line(("versions", position, "discovery_code"))
            field = f"versions.{position}.discovery_code"
            yield Problem("agent-software-space", path, message, line, field)


def _check_facts(name: str, facts: Facts) -> Iterator[Problem]:
    path = layout.code_path(name)
    if facts.beyond_ascii_line is not None:
        message = (
            "a character outside ASCII, which leaves the released agent an empty file;"
            r" write it as an escape such as \u00e9"
        )
        yield Problem("agent-ascii", path, message, facts.beyond_ascii_line)
    for line, what in facts.newer:
        message = f"{what} does not exist in Python 2.7; write it in the older way"
        yield Problem("agent-python27", path, message, line)


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
    message = (
        f"the released agent would take {what} of {name} and of {other} for one another;"
        " give one of them another classname"
    )
    return Problem(rule, layout.meta_path(name), message)


def _past_collision(rule: str, name: str, other: str, what: str) -> Problem:
    message = (
        f"the released agent may have {what} of versions that {layout.printable(other)} had"
        f" before, and would run those; give {name} another classname"
    )
    return Problem(rule, layout.meta_path(name), message)
