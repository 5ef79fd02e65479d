"""The one validator: what is wrong with a tree, compared with the one it came from.

REST writes, pushes and ``jobtypes check`` all ask here. Only what differs is looked at,
and what it touches: a thousand untouched jobtypes cost nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.history import History
from gitstore.catalogue.steps import Progress
from gitstore.checks.code import late, make_sources
from gitstore.checks.comparison import Comparison
from gitstore.checks.jobtypes import check_jobtypes
from gitstore.checks.parsing import Late, Sources
from gitstore.checks.settings import Checks
from gitstore.checks.software import check_software
from gitstore.checks.withdrawn import check_withdrawn
from gitstore.format import layout
from gitstore.git.trees import Objects
from gitstore.rules import Problem

PROBLEMS_LIMIT = 10_000
TEXT_LIMIT = 1000
"""The most problems of one check, and characters of each: all are kept in memory."""


def check_tree(
    objects: Objects,
    tree: str,
    base: Catalogue,
    checks: Checks,
    everything: bool = False,
    touched: Collection[str] = (),
    after: History | None = None,
    progress: Progress | None = None,
    only: Collection[str] | None = None,
) -> list[Problem]:
    """What is wrong with root tree *tree*, which came from *base*, by path and line.

    Looks at what differs from *base*'s own tree and at the jobtypes *touched*, or at all
    of it where *everything*; and at no jobtypes but *only* those, unless that is None. *after* is
    the history with that tree, where it takes other than one step to get there. *progress* counts
    the jobtypes that are looked at.
    """
    sources = make_sources(checks)
    compared = Comparison(objects, tree, base, everything, touched, sources, after, only)
    problems: list[Problem] = []
    try:
        for problem in _check(compared, checks, sources, progress):
            problems.append(_clipped(problem))
            if len(problems) > PROBLEMS_LIMIT:
                raise Late
    except Late:
        # Always an error: parts that were not checked must not pass.
        problems.append(late())
    kept = [problem for problem in problems if problem.rule not in checks.ignored]
    return sorted(kept, key=lambda p: (p.path, p.line or 0, p.rule))


def _check(
    compared: Comparison, checks: Checks, sources: Sources, progress: Progress | None
) -> Iterator[Problem]:
    yield from _check_layout(compared)
    yield from check_jobtypes(compared, checks, sources, progress)
    yield from check_software(compared, checks, sources)
    yield from check_withdrawn(compared)


def _clipped(problem: Problem) -> Problem:
    """*problem* with its quotes from files cut, so that many can be kept."""
    if max(len(problem.message), len(problem.field), len(problem.path)) <= TEXT_LIMIT:
        return problem
    cut = (text[:TEXT_LIMIT] for text in (problem.path, problem.message, problem.field))
    path, message, field = cut
    return replace(problem, path=path, message=message, field=field)


# Layout


def _check_layout(compared: Comparison) -> Iterator[Problem]:
    wanted = {layout.JOBTYPES: True, layout.SOFTWARE: True, layout.WITHDRAWN: False}
    for name, is_tree in wanted.items():
        entry = compared.changed_root.get(name)
        if entry and not (entry.is_tree if is_tree else entry.is_file):
            kind = "directory" if is_tree else "regular file"
            yield Problem("layout-entry", name, f"is {entry.kind}; make it a {kind}")
    for name, entry in compared.changed_jobtypes.items():
        path = layout.jobtype_path(layout.printable(name))
        if entry.is_tree:
            yield from _check_links(compared, entry.id, path)
        elif entry.is_file:
            yield Problem("layout-stray", path, "is no directory and is ignored")
        else:
            yield Problem("layout-entry", path, f"is {entry.kind}; put a directory here")
    for name, entry in compared.changed_software.items():
        if not entry.is_file and (not entry.is_tree or name.endswith(layout.YAML)):
            path = f"{layout.SOFTWARE}/{layout.printable(name)}"
            yield Problem("layout-entry", path, f"is {entry.kind}; put a regular file here")


def _check_links(compared: Comparison, tree: str, path: str) -> Iterator[Problem]:
    """Links and submodules anywhere in a jobtype's directory."""
    waiting = [(tree, path)]
    while waiting:
        compared.check_time()
        tree, path = waiting.pop()
        for name, entry in compared.objects.entries(tree).items():
            below = f"{path}/{layout.printable(name)}"
            if entry.is_tree:
                waiting.append((entry.id, below))
            elif not entry.is_file and name not in (layout.CODE, layout.META):
                yield Problem("layout-entry", below, f"is {entry.kind}; put a regular file here")
