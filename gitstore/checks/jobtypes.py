"""The rules of jobtypes: names, metadata, requirements, and what other modules check of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gitstore.catalogue.contents import Directory
from gitstore.catalogue.preview import preview_fault
from gitstore.catalogue.steps import Progress
from gitstore.checks.agent import Neighbours, check_agent
from gitstore.checks.code import check_code
from gitstore.checks.comparison import Comparison
from gitstore.checks.extras import check_extras
from gitstore.checks.parsing import Sources
from gitstore.checks.past import by_fold, case_fault
from gitstore.checks.settings import Checks
from gitstore.format import layout
from gitstore.format.schema import (
    Requirement,
    parse_meta,
)
from gitstore.format.spelling import nearest
from gitstore.rules import Problem


def check_jobtypes(
    compared: Comparison, checks: Checks, sources: Sources, progress: Progress | None = None
) -> Iterator[Problem]:
    """What is wrong with the jobtypes that differ or were touched."""
    before, differing = compared.jobtypes_before, compared.changed_jobtypes
    changed = {name for name, entry in differing.items() if entry.is_tree}
    yield from _check_case(compared, changed)
    neighbours = Neighbours(compared.contents, compared.jobtypes, compared.past)
    known = {entry.id for entry in before.values()} if changed else set()
    for done, name in enumerate(changed):
        compared.check_time()
        if progress:
            progress(done, len(changed))
        fault = layout.jobtype_name_fault(name)
        if fault:
            path = layout.jobtype_path(layout.printable(name))
            yield Problem("name-invalid", path, f"the jobtype's name {fault}", None, "name")
            continue
        directory = compared.directory(name)
        yield from directory.problems(name)
        yield from _check_meta_size(compared, name, directory, checks)
        yield from _check_mark(name, directory)
        yield from _check_requirements(compared, name, directory)
        yield from check_code(compared.contents, name, directory, checks, sources)
        yield from check_agent(neighbours, name, sources)
        old = before.get(name) or (differing[name] if differing[name].id in known else None)
        yield from check_extras(compared.objects, name, old, differing[name], compared.check_time)


def _check_mark(name: str, directory: Directory) -> Iterator[Problem]:
    fault = preview_fault(name, directory.meta.classname) if directory.meta else None
    if fault:
        message = f"classname {fault}"
        yield Problem("preview-mark", layout.meta_path(name), message, None, "classname")


def _check_meta_size(
    compared: Comparison, name: str, directory: Directory, checks: Checks
) -> Iterator[Problem]:
    if directory.meta is None or not directory.meta_blob:
        return
    size = len(compared.objects.read_blob(directory.meta_blob))
    if size > checks.meta_limit_bytes:
        message = f"has {size} bytes; {checks.meta_limit_bytes} is the limit"
        yield Problem("meta-size", layout.meta_path(name), message)


def _check_case(compared: Comparison, changed: set[str]) -> Iterator[Problem]:
    """Names that differ only in case from one in the same tree, or one that was ever used."""
    known = compared.base.history.jobtypes
    twins = by_fold(tuple(compared.jobtypes)) if changed else {}
    for name in changed:
        compared.check_time()
        others = [o for o in twins[layout.fold(name)] if o != name and compared.jobtypes[o].is_tree]
        former = [o for o in compared.past.spellings(name) if o not in others]
        message = case_fault(former[0]) if former else ""
        if others:
            message = (
                f"differs only in case from {layout.printable(others[0])}, with which a checkout"
                " on macOS or Windows would merge it; choose another name"
            )
        if message:
            is_kept = name in known and all(other in known for other in others)
            rule = "name-case-kept" if is_kept else "name-case"
            path = layout.jobtype_path(layout.printable(name))
            yield Problem(rule, path, message, None, "name")


def _check_requirements(compared: Comparison, name: str, directory: Directory) -> Iterator[Problem]:
    faults = [
        (position, *fault)
        for position, requirement in enumerate(
            directory.meta.requirements if directory.meta else ()
        )
        for fault in _requirement_faults(compared, requirement)
    ]
    if not faults:
        return
    document = parse_meta(compared.objects.read_blob(directory.meta_blob)).document
    assert document is not None
    for position, rule, key, message in faults:
        place = ("requirements", position, key)
        field = f"requirements.{position}.{key}"
        yield Problem(rule, layout.meta_path(name), message, document.line(place), field)


def _requirement_faults(
    compared: Comparison, requirement: Requirement
) -> Iterator[tuple[str, str, str]]:
    """Yield (rule, key, sentence) for what is wrong with one requirement."""
    compared.check_time()
    file = compared.software_file(requirement.software)
    if file is None:
        near = _suggestion(compared, requirement.software, compared.software_names)
        message = f"the software {requirement.software} is not in the catalogue; {near}"
        yield "requirement-software", "software", message
        return
    ranks = file.ranks()
    bounds = {"min_version": requirement.min_version, "max_version": requirement.max_version}
    for key, text in bounds.items():
        if text is not None and text not in ranks:
            near = _suggestion(compared, text, ranks)
            message = f"{requirement.software} has no version {text} in the catalogue; {near}"
            yield "requirement-version", key, message
    if requirement.is_turned(ranks):
        message = (
            f"{requirement.min_version} ranks above max_version {requirement.max_version};"
            " swap them or fix the ranks"
        )
        yield "requirement-order", "min_version", f"min_version {message}"


def _suggestion(compared: Comparison, wanted: str, known: Mapping[str, object]) -> str:
    if next(compared.suggestions, None) is not None and (near := nearest(wanted, known)):
        return f'did you mean "{near}"?'
    return "add it there first" if known else "the catalogue has none; add it there first"
