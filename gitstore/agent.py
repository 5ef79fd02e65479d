"""The rules of PyFarm's released agent: what it can't load, as warnings.

The agent writes a version's code to ``<name>_<classname>_v<version>.py``, keeps that
file for ever, and imports it as the module ``<classname><name><version>``. A studio with
another agent switches these rules off (``--ignore agent-...``).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from gitstore import layout
from gitstore.catalogue import Catalogue
from gitstore.codecheck import Checks, CodeChecks
from gitstore.contents import Contents, Directory
from gitstore.errors import Problem
from gitstore.pycode import parse_code, python3_only
from gitstore.trees import Entry


def check_agent(
    contents: Contents,
    base: Catalogue,
    jobtypes: Mapping[str, Entry],
    name: str,
    checks: Checks,
) -> Iterator[Problem]:
    """What the agent could not do with jobtype *name*, one of the tree's *jobtypes*."""
    directory = contents.directory(jobtypes[name].id)
    if not name.isascii():
        says = "the name has a character outside ASCII, which the released agent can't ask for"
        yield Problem("agent-name", layout.jobtype_path(name), f"{says}; choose another name")
    if directory.meta is not None and directory.meta.classname is None:
        says = "classname is null, with which the released agent can't load the jobtype"
        yield Problem("agent-classname", layout.meta_path(name), f"{says}; write the class's name")
    if directory.code:
        yield from _check_source(name, contents.objects.read_blob(directory.code), checks)
    yield from _check_collisions(contents, jobtypes, name, directory)


def _check_source(name: str, data: bytes, checks: Checks) -> Iterator[Problem]:
    path = layout.code_path(name)
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.isascii():
            says = (
                "a character outside ASCII, which leaves the released agent an empty file;"
                r" write it as an escape such as \u00e9"
            )
            yield Problem("agent-ascii", path, says, number)
            break
    if checks.python27 and checks.code is not CodeChecks.OFF:
        module = parse_code(data.decode(errors="replace"), path)
        if isinstance(module, ast.Module):
            for line_number, what in dict.fromkeys(python3_only(module)):
                says = f"{what} does not exist in Python 2.7; write it in the older way"
                yield Problem("agent-python27", path, says, line_number)


def _check_collisions(
    contents: Contents, jobtypes: Mapping[str, Entry], name: str, directory: Directory
) -> Iterator[Problem]:
    """Other jobtypes whose cache file or module would bear the same name as this one's.

    Which those can be is told by their names first, so that few files are read.
    """
    own = directory.meta.classname if directory.meta else None
    if own is None:
        return
    file, module = f"{name}_{own}", f"{own}{name}"
    stem = module.rstrip("0123456789")
    for other, entry in jobtypes.items():
        in_file = file.startswith(f"{other}_")
        in_module = stem.endswith(other.rstrip("0123456789"))
        if other == name or not entry.is_tree or not (in_file or in_module):
            continue
        meta = contents.directory(entry.id).meta
        classname = meta.classname if meta else None
        if classname is None:
            continue
        if in_file and f"{other}_{classname}" == file:
            yield _collision("agent-cache-file", name, other, f"the cache file {file}_v...")
        if in_module and _can_meet(module, f"{classname}{other}"):
            yield _collision("agent-module", name, other, f"a module such as {module}1...")


def _can_meet(a: str, b: str) -> bool:
    """Whether *a* and *b* can become the same by appending a version number to each."""
    short, long = sorted((a, b), key=len)
    rest = long[len(short) :]
    return long.startswith(short) and (not rest or (rest.isdecimal() and rest[0] != "0"))


def _collision(rule: str, name: str, other: str, what: str) -> Problem:
    says = (
        f"the released agent would take {what} of {name} and of {other} for one another;"
        " give one of them another classname"
    )
    return Problem(rule, layout.meta_path(name), says)
