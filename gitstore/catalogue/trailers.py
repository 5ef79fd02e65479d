"""Our trailers in commit messages: they ask for a version's number or a jobtype's id."""

from __future__ import annotations

import re
from collections.abc import Iterator

Trailer = tuple[str, int, str]
"""Its key, the number that it asks for, and the name that the number is for."""

_TRAILERS = "Jobtype-"
TRAILER_VERSION = f"{_TRAILERS}Version"
TRAILER_ID = f"{_TRAILERS}Id"
_TRAILER = re.compile(rf"({TRAILER_VERSION}|{TRAILER_ID}):[ \t]*([0-9]{{1,9}})[ \t]+(\S.*)")


def trailer(key: str, number: int, name: str) -> str:
    """The line of a commit message that asks for *number* for *name*."""
    return f"{key}: {number} {name}"


def trailers_of(message: str) -> tuple[Trailer, ...]:
    """Our trailers in a commit message; most messages have none."""
    return tuple(parse_trailers(message)) if _TRAILERS in message else ()


def parse_trailers(message: str) -> Iterator[Trailer]:
    """Yield (key, number, name) for each of our trailers in a commit message.

    Trailers stand in the last paragraph, which, as Git has it, is never the first.
    """
    lines = message.strip().split("\n")
    blank = next((n for n in range(len(lines) - 1, 0, -1) if not lines[n].strip(" \t\r")), 0)
    for line in lines[blank + 1 :] if blank else ():
        match = _TRAILER.fullmatch(line.rstrip())
        if match:
            yield match[1], int(match[2]), match[3]
