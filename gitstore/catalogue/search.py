"""Text in the newest versions of all jobtypes: in their names, code.py and meta.yaml."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.contents import Contents
from gitstore.errors import Damaged, OutOfBounds
from gitstore.format import layout

MATCHES_LIMIT = 500
"""Matches of one search. There may be more."""

TIME_LIMIT_S = 2.0
"""Seconds after which a search ends with what it found until then."""

_EXCERPT_LIMIT = 200
"""Characters of a line that an excerpt shows."""


class Where(StrEnum):
    """What is searched."""

    CODE = "code"
    META = "meta"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Match:
    """A line that holds the text; *file* and *line* are None for a jobtype's name."""

    jobtype: str
    version: int
    file: str | None
    line: int | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class Found:
    """The matches of a search, by jobtype; *cut* says why there may be more, None if not."""

    matches: tuple[Match, ...]
    cut: str | None


def search(catalogue: Catalogue, text: str, where: Collection[Where]) -> Found:
    """The lines of the newest versions in service that hold *text*, in any case."""
    end = time.monotonic() + TIME_LIMIT_S
    wanted = text.lower()
    matches: list[Match] = []
    jobtypes = catalogue.jobtypes()
    for number, jobtype in enumerate(jobtypes):
        if time.monotonic() > end:
            cut = f"{TIME_LIMIT_S:g} seconds, the limit: {number} of {len(jobtypes)} jobtypes seen"
            return Found(tuple(matches), cut)
        release = catalogue.find_newest(jobtype)
        for match in _matches(catalogue.contents, release, wanted, where) if release else ():
            if len(matches) == MATCHES_LIMIT:
                return Found(tuple(matches), f"{MATCHES_LIMIT} matches, the limit")
            matches.append(match)
    return Found(tuple(matches), None)


def _matches(
    contents: Contents, release: Release, wanted: str, where: Collection[Where]
) -> Iterator[Match]:
    name, number = release.jobtype.name, release.version.number
    if Where.NAME in where and wanted in name.lower():
        yield Match(name, number, None, None, name)
    files = {Where.CODE: (layout.CODE, release.directory.code)}
    files[Where.META] = (layout.META, release.directory.meta_blob)
    for kind, (file, blob) in files.items():
        if kind not in where:
            continue
        for line, excerpt in _lines(contents, blob, wanted):
            yield Match(name, number, file, line, excerpt)


def _lines(contents: Contents, blob: str, wanted: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line that holds *wanted*, and an excerpt of the line."""
    try:
        text = contents.objects.read_blob(blob).decode(errors="replace")
    except (Damaged, OutOfBounds):
        return  # What can't be read is no reason to find nothing else.
    if wanted not in text.lower():
        return
    for number, line in enumerate(text.split("\n"), 1):
        place = line.lower().find(wanted)
        if place >= 0:
            yield number, _excerpt(line, place)


def _excerpt(line: str, place: int) -> str:
    """*line*, or the part of it around *place*."""
    stripped = line.strip()
    if len(stripped) <= _EXCERPT_LIMIT:
        return stripped
    start = max(0, place - _EXCERPT_LIMIT // 4)
    end = start + _EXCERPT_LIMIT
    return ("..." if start else "") + line[start:end] + ("..." if end < len(line) else "")
