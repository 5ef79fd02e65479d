"""What a push asks for, ref by ref, and the verdict on it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from gitstore.errors import BadRequest
from gitstore.format.layout import shown

_UPDATE = re.compile(r"([0-9a-f]{40}) ([0-9a-f]{40}) (.+)")
NOWHERE = "0" * 40
"""The id of a ref that does not exist, in a hook's input."""


@dataclass(frozen=True, slots=True)
class Update:
    """One line of a pre-receive hook's input: a ref, and its ids before and after."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        """Whether the push deletes the ref."""
        return self.new == NOWHERE


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a push is taken, and what its client reads."""

    taken: bool
    lines: tuple[str, ...]


def parse_updates(lines: Iterable[str]) -> list[Update]:
    """The updates in a pre-receive hook's input.

    Raises:
        BadRequest: a ref's name holds a line end. Git refuses such names, but only later.
    """
    return [_parse_update(line) for line in lines if line.strip()]


def _parse_update(line: str) -> Update:
    match = _UPDATE.fullmatch(line.rstrip("\n"))
    if match is None:
        raise BadRequest(f"{shown(line)} is no ref; a name holds no line end: rename the branch")
    return Update(*match.groups())
