"""The rules of withdrawn.yaml."""

from __future__ import annotations

from collections.abc import Iterator

from gitstore.catalogue.contents import read_yaml
from gitstore.checks.comparison import Comparison, field_of
from gitstore.format import layout
from gitstore.format.schema import (
    Parsed,
    Withdrawn,
    parse_withdrawn,
)
from gitstore.rules import Problem


def check_withdrawn(compared: Comparison) -> Iterator[Problem]:
    """What is wrong with the list of withdrawn versions."""
    entry = compared.withdrawn
    if entry is None or not entry.is_file:
        return
    parsed = parse_withdrawn(read_yaml(compared.objects, entry.id))
    if layout.WITHDRAWN in compared.changed_root:
        for fault in parsed.faults:
            yield Problem(
                "withdrawn-yaml", layout.WITHDRAWN, fault.message, fault.line, field_of(fault)
            )
    if parsed.value is not None:
        yield from _check_withdrawn_numbers(compared, parsed, parsed.value)


def _check_withdrawn_numbers(
    compared: Comparison, parsed: Parsed[Withdrawn], withdrawn: Withdrawn
) -> Iterator[Problem]:
    assert parsed.document is not None
    base = compared.base.history
    for name, numbers in withdrawn.root.items():
        message = ""
        if name not in compared.jobtypes:
            if name in base.jobtypes or name not in base.withdrawn:
                message = (
                    f"there is no jobtype {layout.shown(name)} (any more);"
                    " if it was renamed, rename it here too"
                )
        elif numbers - base.withdrawn.get(name, frozenset()):
            message = _unknown_number(compared, name, numbers)
        if message:
            line = parsed.document.line((name,))
            yield Problem("withdrawn-unknown", layout.WITHDRAWN, message, line)


def _unknown_number(compared: Comparison, name: str, numbers: frozenset[int]) -> str:
    """What is wrong with *numbers*, listed for *name*, by the names and numbers of this step."""
    if max(numbers) <= compared.base.history.numbers.get(name, 0):
        return ""
    past = compared.past
    last = past.after.numbers.get(name, 0)
    listed = compared.base.history.withdrawn.get(past.name_before(name), frozenset())
    unknown = min((number for number in numbers - listed if number > last), default=None)
    return f"{name} has no version {unknown}; its newest is {last}" if unknown else ""
