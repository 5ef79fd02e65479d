"""What a change does to the commands of a jobtype's cases: before and after, as a diff."""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from gitstore.branch.growth import growth_of_merge
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.desk.cases import (
    ENVIRONMENT,
    FILE,
    Case,
    Expected,
    Outcome,
    assignments,
    expected,
    parse_cases,
)
from gitstore.desk.process import CodeDied, Order, run
from gitstore.desk.sources import Tried, of_catalogue
from gitstore.errors import BadRequest, NotFound
from gitstore.format import layout


def compare_merge(store: Store, commit: str) -> Iterator[str]:
    """Yield lines of text for what merging *commit* changes in the commands of cases.

    This runs the code of *commit*. Cases are those that it has in tests/<Name>/cases.yaml.

    Raises:
        MergeConflict: it doesn't merge.
    """
    base = store.catalogue()
    _, growth = growth_of_merge(store.repository, base, commit)
    after = growth.base.extend(growth.steps)
    for name in sorted(growth.jobtypes):
        new = _newest(after, name)
        if new is None:
            continue
        try:
            cases = _cases(after, growth.tree, name)
        except BadRequest as error:
            yield f"{name}: {error}"
            continue
        if not cases:
            yield f"{name}: no cases in {layout.TESTS}/{name}/{FILE}"
            continue
        yield from _compared(name, cases, _newest(base, name), new)


def _newest(catalogue: Catalogue, name: str) -> Tried | None:
    """The newest version of *name*, None if none is in service; errors name its code.py."""
    try:
        tried = of_catalogue(catalogue, name, None)
    except NotFound:
        return None
    return replace(tried, source=replace(tried.source, path=layout.CODE))


def _cases(catalogue: Catalogue, tree: str, name: str) -> tuple[Case, ...]:
    """The cases of jobtype *name* in *tree*.

    Raises:
        BadRequest: they can't be read.
    """
    objects = catalogue.contents.objects
    for part in (layout.TESTS, name):
        entry = objects.entries(tree).get(part)
        if entry is None or not entry.is_tree:
            return ()
        tree = entry.id
    entry = objects.entries(tree).get(FILE)
    if entry is None or not entry.is_file:
        return ()
    parsed = parse_cases(objects.read_blob(entry.id, layout.YAML_LIMIT_BYTES))
    if parsed.value is None:
        fault = parsed.faults[0]
        raise BadRequest(f"{layout.TESTS}/{name}/{FILE}:{fault.line or 1}: {fault.message}")
    return parsed.value.root


def _compared(name: str, cases: Sequence[Case], old: Tried | None, new: Tried) -> Iterator[str]:
    """Yield the cases of *name* that differ."""
    before = _outcomes(old, cases) if old else [Outcome()] * len(cases)
    after = _outcomes(new, cases)
    differing = 0
    for case, was, now in zip(cases, before, after, strict=True):
        if was != now:
            differing += 1
            yield f"{name}: {case.name}"
            rows = difflib.unified_diff(was.lines(), now.lines(), n=0, lineterm="")
            yield from (f"  {row}" for row in list(rows)[2:] if not row.startswith("@@"))
    yield f"{name}: {differing} of {len(cases)} cases run other commands"


def _outcomes(tried: Tried, cases: Sequence[Case]) -> list[Outcome]:
    """What the farm would run for each of *cases*, in a process of their own."""
    made: list[tuple[int, dict[str, object]]] = []
    errors: dict[int, str] = {}
    for place, case in enumerate(cases):
        try:
            made += [(place, row) for row in assignments(tried, case.job())]
        except BadRequest as error:
            errors[place] = str(error)
    commands: dict[int, list[Expected]] = {}
    with tempfile.TemporaryDirectory(prefix="jobtypes-cases-") as name:
        folder = Path(name).resolve()
        order = Order(tried.source, [row for _, row in made], ENVIRONMENT, folder, cwd=folder)
        try:
            for message in run(order):
                place = made[message.assignment][0]
                if message.kind == "error":
                    errors.setdefault(place, message.text)
                found = (expected(command, folder) for command in message.commands)
                commands.setdefault(place, []).extend(found)
        except CodeDied as error:
            errors = dict.fromkeys(range(len(cases)), str(error))
    return [
        Outcome(error=errors[place]) if place in errors else Outcome(tuple(commands.get(place, ())))
        for place in range(len(cases))
    ]
