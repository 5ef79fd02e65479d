"""The rules of the software catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitstore.checks.agent import check_agent_software
from gitstore.checks.code import check_discovery
from gitstore.checks.comparison import Comparison, field_of
from gitstore.checks.parsing import Sources
from gitstore.checks.settings import Checks
from gitstore.format import layout
from gitstore.format.schema import (
    Parsed,
    Requirement,
    SoftwareFile,
)
from gitstore.git.trees import REGULAR_FILE, Entry
from gitstore.rules import Problem


def check_software(compared: Comparison, checks: Checks, sources: Sources) -> Iterator[Problem]:
    """What is wrong with the software files that differ, and which jobtypes need what goes."""
    yield from _check_software_names(compared)
    for name, path, parsed in compared.software_changes():
        rule = "software-field" if parsed.document else "software-yaml"
        for fault in parsed.faults:
            yield Problem(rule, path, fault.message, fault.line, field_of(fault))
        if parsed.value is not None:
            yield from _check_version_names(path, parsed)
            yield from check_discovery(path, parsed, checks, sources)
            yield from check_agent_software(name, path, parsed)
    yield from _check_required(compared)


def _check_software_names(compared: Comparison) -> Iterator[Problem]:
    twins: dict[str, list[str]] = {}
    for name in compared.software_names if compared.changed_software else ():
        twins.setdefault(layout.fold(name), []).append(name)
    for file_name, entry in compared.changed_software.items():
        if not entry.is_file or not file_name.endswith(layout.YAML):
            continue
        path = f"{layout.SOFTWARE}/{layout.printable(file_name)}"
        software = layout.software_name(file_name)
        if software is None or layout.software_name_fault(software):
            yield Problem("software-name", path, layout.software_file_advice(file_name))
        elif len(twins[layout.fold(software)]) > 1:
            message = "differs only in case from another software's file; rename one of them"
            yield Problem("software-case", path, message)


def _check_version_names(path: str, parsed: Parsed[SoftwareFile]) -> Iterator[Problem]:
    assert parsed.value is not None
    assert parsed.document is not None
    for position, version in enumerate(parsed.value.versions):
        fault = layout.software_version_fault(version.version)
        if fault:
            place = ("versions", position, "version")
            field = f"versions.{position}.version"
            message = f"the version {layout.shown(version.version)} {fault}"
            yield Problem("software-version", path, message, parsed.document.line(place), field)


def _check_required(compared: Comparison) -> Iterator[Problem]:
    """Software, versions and orders of two that an untouched jobtype's newest version loses."""
    for software in compared.base.history.software.values():
        path = layout.software_path(software.name)
        if compared.software.get(path.split("/")[1]) == Entry(REGULAR_FILE, software.file):
            continue
        file = compared.software_file(software.name)
        before = compared.base.software_file(software).ranks()
        after = file.ranks() if file else None
        if after is None or _has_moved(before, after):
            yield from _check_users(compared, software.name, path, before, after)


def _has_moved(before: Mapping[str, int], after: Mapping[str, int]) -> bool:
    """Whether versions went, or those that stay come in another order."""
    left = [text for text in sorted(after, key=after.__getitem__) if text in before]
    return left != sorted(before, key=before.__getitem__)


def _check_users(
    compared: Comparison,
    software: str,
    path: str,
    before: Mapping[str, int],
    after: Mapping[str, int] | None,
) -> Iterator[Problem]:
    """Who loses something of *software* and was not changed. *after* None: all of it."""
    users: dict[str, list[str]] = {}
    for jobtype, requirement in compared.base.users(software):
        entry = compared.jobtypes.get(jobtype.name)
        if entry is None or jobtype.name in compared.changed_jobtypes:
            continue
        for what in _lost(requirement, before, after):
            users.setdefault(what, []).append(jobtype.name)
    for what, names in users.items():
        message = f"{what} is required by {', '.join(names)}; change what requires it first"
        yield Problem("software-required", path, message)


def _lost(
    requirement: Requirement, before: Mapping[str, int], after: Mapping[str, int] | None
) -> Iterator[str]:
    """Yield what *requirement* needs and would lose between those ranks."""
    name, low, high = requirement.software, requirement.min_version, requirement.max_version
    if after is None:
        yield name
        return
    for text in sorted({text for text in (low, high) if text is not None}):
        if text in before and text not in after:
            yield f"version {text} of {name}"
    if requirement.is_turned(after) and not requirement.is_turned(before):
        yield f"the order of {name} {low} and {high}"
