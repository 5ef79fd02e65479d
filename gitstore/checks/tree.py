"""The one validator: what is wrong with a tree, compared with the one it came from.

REST writes, pushes and ``jobtypes check`` all ask here. Only what differs is looked at,
and what it touches: a thousand untouched jobtypes cost nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from itertools import islice

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Contents, Directory, read_yaml
from gitstore.catalogue.difference import others
from gitstore.catalogue.history import Blob, History
from gitstore.catalogue.preview import preview_fault
from gitstore.checks.agent import Neighbours, check_agent, check_agent_software
from gitstore.checks.code import check_code, check_discovery, late, make_sources
from gitstore.checks.extras import check_extras
from gitstore.checks.parsing import Late, Sources
from gitstore.checks.past import Past, by_fold, case_fault
from gitstore.checks.settings import Checks
from gitstore.format import layout
from gitstore.format.schema import (
    Fault,
    Parsed,
    Requirement,
    SoftwareFile,
    Withdrawn,
    parse_meta,
    parse_software,
    parse_withdrawn,
)
from gitstore.git.trees import REGULAR_FILE, Entry, Objects
from gitstore.rules import Problem

PROBLEMS_LIMIT = 10_000
TEXT_LIMIT = 1000
"""The most problems of one check, and characters of each: all are kept in memory."""

_SUGGESTIONS = 20
_NEIGHBOURS = 1000
"""Suggestions in one check, and names that each is chosen from, which takes long."""


def check_tree(
    objects: Objects,
    tree: str,
    base: Catalogue,
    checks: Checks,
    everything: bool = False,
    touched: Collection[str] = (),
    after: History | None = None,
) -> list[Problem]:
    """What is wrong with root tree *tree*, which came from *base*, by path and line.

    Looks at what differs from *base*'s own tree and at the jobtypes *touched*, or at all
    of it where *everything*. *after* is the history with that tree, where it takes other than
    one step to get there.
    """
    sources = make_sources(checks)
    change = _Change(objects, tree, base, everything, touched, sources, after)
    found: list[Problem] = []
    try:
        for problem in _check(change, checks, sources):
            found.append(_clipped(problem))
            if len(found) > PROBLEMS_LIMIT:
                raise Late
    except Late:
        # Always an error: parts that were not checked must not pass.
        found.append(late())
    kept = [problem for problem in found if problem.rule not in checks.ignored]
    return sorted(kept, key=lambda p: (p.path, p.line or 0, p.rule))


def _check(change: _Change, checks: Checks, sources: Sources) -> Iterator[Problem]:
    yield from _check_layout(change)
    yield from _check_jobtypes(change, checks, sources)
    yield from _check_software(change, checks, sources)
    yield from _check_withdrawn(change)


def _clipped(problem: Problem) -> Problem:
    """*problem* with its quotes from files cut, so that many can be kept."""
    if max(len(problem.message), len(problem.field), len(problem.path)) <= TEXT_LIMIT:
        return problem
    cut = (text[:TEXT_LIMIT] for text in (problem.path, problem.message, problem.field))
    path, message, field = cut
    return replace(problem, path=path, message=message, field=field)


class _Change:
    """A tree and the one it came from: what differs, and what then holds."""

    def __init__(
        self,
        objects: Objects,
        tree: str,
        base: Catalogue,
        everything: bool,
        touched: Collection[str],
        sources: Sources,
        after: History | None,
    ) -> None:
        self.objects = objects
        self.check_time = sources.check_time
        self.suggestions = iter(range(_SUGGESTIONS))
        self.base = base
        self._touched = touched
        # What *base* has parsed is known by its id, wherever it turns up again.
        known = base.contents
        self.contents = known if known.objects is objects else Contents(objects)
        self._new = objects.entries(tree)
        came_from = base.history.tree
        self._old = {} if came_from is None or everything else objects.entries(came_from)
        self._after = after

    @cached_property
    def past(self) -> Past:
        """The history that the change comes upon."""
        entry = self.withdrawn
        is_file = entry is not None and entry.is_file
        blob = Blob(entry.id, read_yaml(self.objects, entry.id)) if entry and is_file else None
        return Past(self.base, self.jobtypes, blob, self._after)

    @cached_property
    def jobtypes(self) -> Mapping[str, Entry]:
        """What stands under jobtypes/."""
        return self._below(self._new, layout.JOBTYPES)

    @cached_property
    def jobtypes_before(self) -> Mapping[str, Entry]:
        """What stood under jobtypes/."""
        return self._below(self._old, layout.JOBTYPES)

    @cached_property
    def software(self) -> Mapping[str, Entry]:
        """What stands under software/."""
        return self._below(self._new, layout.SOFTWARE)

    @cached_property
    def withdrawn(self) -> Entry | None:
        """withdrawn.yaml."""
        return self._new.get(layout.WITHDRAWN)

    @cached_property
    def changed_jobtypes(self) -> dict[str, Entry]:
        """The entries under jobtypes/ that are new, differ, or were touched."""
        differing = _differing(self.jobtypes_before, self.jobtypes)
        return differing | {n: self.jobtypes[n] for n in self._touched if n in self.jobtypes}

    @cached_property
    def changed_software(self) -> dict[str, Entry]:
        """The entries under software/ that are new or differ."""
        return _differing(self._below(self._old, layout.SOFTWARE), self.software)

    @cached_property
    def changed_root(self) -> dict[str, Entry]:
        """The entries of the root that are new or differ."""
        return _differing(self._old, self._new)

    def _below(self, root: Mapping[str, Entry], name: str) -> Mapping[str, Entry]:
        entry = root.get(name)
        return self.objects.entries(entry.id) if entry and entry.is_tree else {}

    def directory(self, name: str) -> Directory:
        """The directory of jobtype *name*, which is one."""
        return self.contents.directory(self.jobtypes[name].id)

    @cached_property
    def _parsed_software(self) -> dict[str, tuple[str, Parsed[SoftwareFile]]]:
        """The changed software files: their path and what they hold, by software name."""
        found = {}
        for file_name, entry in self.changed_software.items():
            name = layout.software_name(file_name)
            if name and entry.is_file:
                self.check_time()
                parsed = parse_software(read_yaml(self.objects, entry.id))
                found[name] = (f"{layout.SOFTWARE}/{file_name}", parsed)
        return found

    def software_changes(self) -> Iterator[tuple[str, str, Parsed[SoftwareFile]]]:
        """Yield (name, path, content) for each changed software file with a valid name."""
        for name, (path, parsed) in self._parsed_software.items():
            yield name, path, parsed

    @cached_property
    def software_names(self) -> dict[str, str]:
        """The software of the new tree: file names by software name."""
        names = ((layout.software_name(file), file) for file in self.software)
        return {name: file for name, file in names if name}

    def software_file(self, name: str) -> SoftwareFile | None:
        """The software *name* in the new tree; None if there is none."""
        if name not in self.software_names:
            return None
        if name in self._parsed_software:
            parsed = self._parsed_software[name][1]
            if parsed.value is not None:
                return parsed.value
        known = self.base.history.software.get(name)
        return self.base.software_file(known) if known else None


def _differing(old: Mapping[str, Entry], new: Mapping[str, Entry]) -> dict[str, Entry]:
    # Nearly all are the same object, as Repository.entries() gives them.
    return {name: entry for name, entry in others(new, old) if old.get(name) != entry}


def _field(fault: Fault) -> str:
    return ".".join(str(part) for part in fault.place)


# Layout


def _check_layout(change: _Change) -> Iterator[Problem]:
    wanted = {layout.JOBTYPES: True, layout.SOFTWARE: True, layout.WITHDRAWN: False}
    for name, is_tree in wanted.items():
        entry = change.changed_root.get(name)
        if entry and not (entry.is_tree if is_tree else entry.is_file):
            kind = "directory" if is_tree else "regular file"
            yield Problem("layout-entry", name, f"is {entry.kind}; make it a {kind}")
    for name, entry in change.changed_jobtypes.items():
        path = layout.jobtype_path(layout.printable(name))
        if entry.is_tree:
            yield from _check_links(change, entry.id, path)
        elif entry.is_file:
            yield Problem("layout-stray", path, "is no directory and is ignored")
        else:
            yield Problem("layout-entry", path, f"is {entry.kind}; put a directory here")
    for name, entry in change.changed_software.items():
        if not entry.is_file and (not entry.is_tree or name.endswith(layout.YAML)):
            path = f"{layout.SOFTWARE}/{layout.printable(name)}"
            yield Problem("layout-entry", path, f"is {entry.kind}; put a regular file here")


def _check_links(change: _Change, tree: str, path: str) -> Iterator[Problem]:
    """Links and submodules anywhere in a jobtype's directory."""
    waiting = [(tree, path)]
    while waiting:
        change.check_time()
        tree, path = waiting.pop()
        for name, entry in change.objects.entries(tree).items():
            below = f"{path}/{layout.printable(name)}"
            if entry.is_tree:
                waiting.append((entry.id, below))
            elif not entry.is_file and name not in (layout.CODE, layout.META):
                yield Problem("layout-entry", below, f"is {entry.kind}; put a regular file here")


# Jobtypes


def _check_jobtypes(change: _Change, checks: Checks, sources: Sources) -> Iterator[Problem]:
    before, differing = change.jobtypes_before, change.changed_jobtypes
    changed = {name for name, entry in differing.items() if entry.is_tree}
    yield from _check_case(change, changed)
    neighbours = Neighbours(change.contents, change.jobtypes, before, differing, change.past)
    known = {entry.id for entry in before.values()} if changed else set()
    for name in changed:
        change.check_time()
        fault = layout.jobtype_name_fault(name)
        if fault:
            path = layout.jobtype_path(layout.printable(name))
            yield Problem("name-invalid", path, f"the jobtype's name {fault}", None, "name")
            continue
        directory = change.directory(name)
        yield from directory.problems(name)
        yield from _check_meta_size(change, name, directory, checks)
        yield from _check_mark(name, directory)
        yield from _check_requirements(change, name, directory)
        yield from check_code(change.contents, name, directory, checks, sources)
        yield from check_agent(neighbours, name, sources)
        old = before.get(name) or (differing[name] if differing[name].id in known else None)
        yield from check_extras(change.objects, name, old, differing[name], change.check_time)


def _check_mark(name: str, directory: Directory) -> Iterator[Problem]:
    fault = preview_fault(name, directory.meta.classname) if directory.meta else None
    if fault:
        says = f"classname {fault}"
        yield Problem("preview-mark", layout.meta_path(name), says, None, "classname")


def _check_meta_size(
    change: _Change, name: str, directory: Directory, checks: Checks
) -> Iterator[Problem]:
    if directory.meta is None or not directory.meta_blob:
        return
    size = len(change.objects.read_blob(directory.meta_blob))
    if size > checks.meta_limit_bytes:
        says = f"has {size} bytes; {checks.meta_limit_bytes} is the limit"
        yield Problem("meta-size", layout.meta_path(name), says)


def _check_case(change: _Change, changed: set[str]) -> Iterator[Problem]:
    """Names that differ only in case from one in the same tree, or one that was ever used."""
    known = change.base.history.jobtypes
    twins = by_fold(tuple(change.jobtypes)) if changed else {}
    for name in changed:
        change.check_time()
        others = [o for o in twins[layout.fold(name)] if o != name and change.jobtypes[o].is_tree]
        former = [o for o in change.past.spellings(name) if o not in others]
        says = case_fault(former[0]) if former else ""
        if others:
            says = (
                f"differs only in case from {layout.printable(others[0])}, with which a checkout"
                " on macOS or Windows would merge it; choose another name"
            )
        if says:
            is_kept = name in known and all(other in known for other in others)
            rule = "name-case-kept" if is_kept else "name-case"
            path = layout.jobtype_path(layout.printable(name))
            yield Problem(rule, path, says, None, "name")


def _check_requirements(change: _Change, name: str, directory: Directory) -> Iterator[Problem]:
    found = [
        (position, *fault)
        for position, requirement in enumerate(
            directory.meta.requirements if directory.meta else ()
        )
        for fault in _requirement_faults(change, requirement)
    ]
    if not found:
        return
    document = parse_meta(change.objects.read_blob(directory.meta_blob)).document
    assert document is not None
    for position, rule, key, says in found:
        place = ("requirements", position, key)
        field = f"requirements.{position}.{key}"
        yield Problem(rule, layout.meta_path(name), says, document.line(place), field)


def _requirement_faults(
    change: _Change, requirement: Requirement
) -> Iterator[tuple[str, str, str]]:
    """Yield (rule, key, sentence) for what is wrong with one requirement."""
    change.check_time()
    file = change.software_file(requirement.software)
    if file is None:
        near = _suggestion(change, requirement.software, change.software_names)
        says = f"the software {requirement.software} is not in the catalogue; {near}"
        yield "requirement-software", "software", says
        return
    ranks = {v.version: v.rank for v in file.versions}
    bounds = {"min_version": requirement.min_version, "max_version": requirement.max_version}
    for key, text in bounds.items():
        if text is not None and text not in ranks:
            near = _suggestion(change, text, ranks)
            says = f"{requirement.software} has no version {text} in the catalogue; {near}"
            yield "requirement-version", key, says
    low, high = (ranks.get(text) if text else None for text in bounds.values())
    if low is not None and high is not None and low > high:
        says = (
            f"{requirement.min_version} ranks above max_version {requirement.max_version};"
            " swap them or fix the ranks"
        )
        yield "requirement-order", "min_version", f"min_version {says}"


def _suggestion(change: _Change, wanted: str, known: Mapping[str, object]) -> str:
    near: list[str] = []
    if len(wanted) <= layout.NAME_LIMIT and next(change.suggestions, None) is not None:
        names = list(islice(known, _NEIGHBOURS))
        near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.6)
        near = near or [name for name in names if name.casefold() == wanted.casefold()]
    if near:
        return f'did you mean "{near[0]}"?'
    return "add it there first" if known else "the catalogue has none; add it there first"


# Software


def _check_software(change: _Change, checks: Checks, sources: Sources) -> Iterator[Problem]:
    yield from _check_software_names(change)
    for name, path, parsed in change.software_changes():
        rule = "software-field" if parsed.document else "software-yaml"
        for fault in parsed.faults:
            yield Problem(rule, path, fault.message, fault.line, _field(fault))
        if parsed.value is not None:
            yield from _check_version_names(path, parsed)
            yield from check_discovery(path, parsed, checks, sources)
            yield from check_agent_software(name, path, parsed)
    yield from _check_required(change)


def _check_software_names(change: _Change) -> Iterator[Problem]:
    twins: dict[str, list[str]] = {}
    for name in change.software_names if change.changed_software else ():
        twins.setdefault(layout.fold(name), []).append(name)
    for file_name, entry in change.changed_software.items():
        if not entry.is_file or not file_name.endswith(layout.YAML):
            continue
        path = f"{layout.SOFTWARE}/{layout.printable(file_name)}"
        software = layout.software_name(file_name)
        if software is None or layout.software_name_fault(software):
            yield Problem("software-name", path, layout.software_file_advice(file_name))
        elif len(twins[layout.fold(software)]) > 1:
            says = "differs only in case from another software's file; rename one of them"
            yield Problem("software-case", path, says)


def _check_version_names(path: str, parsed: Parsed[SoftwareFile]) -> Iterator[Problem]:
    assert parsed.value is not None
    assert parsed.document is not None
    for position, version in enumerate(parsed.value.versions):
        fault = layout.software_version_fault(version.version)
        if fault:
            place = ("versions", position, "version")
            field = f"versions.{position}.version"
            says = f"the version {layout.shown(version.version)} {fault}"
            yield Problem("software-version", path, says, parsed.document.line(place), field)


def _check_required(change: _Change) -> Iterator[Problem]:
    """Removed software and versions that an untouched jobtype's newest version needs."""
    for software in change.base.history.software.values():
        path = layout.software_path(software.name)
        if change.software.get(path.split("/")[1]) == Entry(REGULAR_FILE, software.file):
            continue
        file = change.software_file(software.name)
        left = {v.version for v in file.versions} if file else set()
        lost = {text for text, _ in software.versions} - left
        if file is None or lost:
            yield from _check_users(change, software.name, path, None if file is None else lost)


def _check_users(
    change: _Change, software: str, path: str, lost: set[str] | None
) -> Iterator[Problem]:
    """Who needs *software*, or (where it stays) its *lost* versions, and was not changed."""
    users: dict[str, list[str]] = {}
    for jobtype, requirement in change.base.users(software):
        entry = change.jobtypes.get(jobtype.name)
        if entry is None or jobtype.name in change.changed_jobtypes:
            continue
        wanted = {requirement.min_version, requirement.max_version} - {None}
        for text in ["it"] if lost is None else sorted(wanted & lost, key=str):
            users.setdefault(str(text), []).append(jobtype.name)
    for text, names in users.items():
        what = software if lost is None else f"version {text} of {software}"
        says = f"{what} is required by {', '.join(names)}; change what requires it first"
        yield Problem("software-required", path, says)


# Withdrawn versions


def _check_withdrawn(change: _Change) -> Iterator[Problem]:
    entry = change.withdrawn
    if entry is None or not entry.is_file:
        return
    parsed = parse_withdrawn(read_yaml(change.objects, entry.id))
    if layout.WITHDRAWN in change.changed_root:
        for fault in parsed.faults:
            yield Problem(
                "withdrawn-yaml", layout.WITHDRAWN, fault.message, fault.line, _field(fault)
            )
    if parsed.value is not None:
        yield from _check_withdrawn_numbers(change, parsed, parsed.value)


def _check_withdrawn_numbers(
    change: _Change, parsed: Parsed[Withdrawn], withdrawn: Withdrawn
) -> Iterator[Problem]:
    assert parsed.document is not None
    base = change.base.history
    for name, numbers in withdrawn.root.items():
        says = ""
        if name not in change.jobtypes:
            if name in base.jobtypes or name not in base.withdrawn:
                says = (
                    f"there is no jobtype {layout.shown(name)} (any more);"
                    " if it was renamed, rename it here too"
                )
        elif numbers - base.withdrawn.get(name, frozenset()):
            says = _unknown_number(change, name, numbers)
        if says:
            line = parsed.document.line((name,))
            yield Problem("withdrawn-unknown", layout.WITHDRAWN, says, line)


def _unknown_number(change: _Change, name: str, numbers: frozenset[int]) -> str:
    """What is wrong with *numbers*, listed for *name*, by the names and numbers of this step."""
    if max(numbers) <= change.base.history.numbers.get(name, 0):
        return ""
    past = change.past
    last = past.after.numbers.get(name, 0)
    listed = change.base.history.withdrawn.get(past.name_before(name), frozenset())
    unknown = min((number for number in numbers - listed if number > last), default=None)
    return f"{name} has no version {unknown}; its newest is {last}" if unknown else ""
