"""From a traceback in an agent's log to the versions that it ran, and who wrote those lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gitstore.branch.blame import Lines
from gitstore.branch.store import Store
from gitstore.branch.stories import Story
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype
from gitstore.errors import BadRequest, NotFound
from gitstore.format.layout import NAME_LIMIT, parse_number

FRAMES_LIMIT = 20
"""Frames of one text that are looked up: each takes a run of Git."""

TEXT_LIMIT = 200_000
"""Characters of a traceback, or of a log with one, that a service takes."""

LINE_LIMIT = 4000
"""Characters of a line of the text that are looked at."""

_STEM_LIMIT = 2 * NAME_LIMIT + 1
_WORDS_LIMIT = 8
"""Characters and words of the name of a file, which has those of a jobtype and of a class."""

_FILE = re.compile(r"_v([0-9]{1,9})\.py[co]?[\"']?(?:, line |:)([0-9]{1,9})")
"""The end of an agent's file for a version, and a line of it."""

_BEFORE = re.compile(r"[/\\\"'(<\[]")
"""What stands before the name of a file."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A line of a version's code.py, as a traceback names it."""

    jobtype: str
    number: int
    line: int


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the line of *frame* comes from.

    *text* is the line itself, and *lines* says who wrote it. *changed* is the story of the first
    later version without it, None if the newest still has it. *fault* is why nothing else is
    known.
    """

    frame: Frame
    text: str = ""
    lines: Lines | None = None
    story: Story | None = None
    changed: Story | None = None
    fault: str = ""


def abridged(text: str) -> str:
    """The lines of *text*, perhaps a whole log, that may name lines of versions.

    They are text: a log may have colours, a NUL, or bytes that are none.
    """
    lines = (line[:LINE_LIMIT] for line in text.splitlines())
    named = "\n".join(line for line in lines if _FILE.search(line))[:TEXT_LIMIT]
    return "".join(c if c.isprintable() or c in "\t\n" else " " for c in named)


def find_frames(catalogue: Catalogue, text: str) -> list[Frame]:
    """The lines of versions that *text* names, in its order and each once."""
    frames: dict[Frame, None] = {}
    for line in text.splitlines():
        end = 0
        for match in _FILE.finditer(line[:LINE_LIMIT]):
            stem = _BEFORE.split(line[end : match.start()])[-1][-_STEM_LIMIT:]
            number, at, end = parse_number(match[1]), parse_number(match[2]), match.end()
            jobtype = _jobtype(catalogue, stem, number) if at else None
            if jobtype is not None:
                frames[Frame(jobtype.name, number, at)] = None
            if len(frames) == FRAMES_LIMIT:
                return [*frames]
    return [*frames]


def _jobtype(catalogue: Catalogue, stem: str, number: int) -> Jobtype | None:
    """The jobtype whose version *number* agents keep as *stem*; its class decides between two.

    *stem* may begin with words of the text that do not belong to it.
    """
    found = [
        (jobtype, stem[end + 1 :])
        for start in [0, *(m.end() for m in re.finditer(" ", stem))][-_WORDS_LIMIT:]
        for end in (m.start() for m in re.finditer("_", stem))
        if (jobtype := catalogue.find_jobtype(stem[start:end])) and jobtype.find_version(number)
    ]
    named = [jobtype for jobtype, name in found if _classname(catalogue, jobtype, number) == name]
    return next(iter((*named, *(jobtype for jobtype, _ in found))), None)


def _classname(catalogue: Catalogue, jobtype: Jobtype, number: int) -> str | None:
    version = jobtype.find_version(number)
    meta = catalogue.contents.directory(version.tree).meta if version else None
    return meta.classname if meta else None


def find_origins(store: Store, text: str) -> Iterator[Origin]:
    """Yield where each line that *text* names comes from."""
    for frame in find_frames(store.catalogue(), text):
        try:
            yield _origin(store, frame)
        except (NotFound, BadRequest) as error:
            yield Origin(frame, fault=str(error))


def _origin(store: Store, frame: Frame) -> Origin:
    key, number, line = frame.jobtype, frame.number, frame.line
    (lines,) = store.blame(key, number, line, line)
    catalogue = store.catalogue()
    version = catalogue.version(catalogue.jobtype(key), number)
    blob = catalogue.contents.directory(version.tree).code
    code = catalogue.contents.objects.read_blob(blob).decode(errors="replace")
    changed = None if lines.changed_in is None else store.story(key, lines.changed_in)
    came = number if lines.came_in is None else lines.came_in
    text = code.split("\n")[line - 1]
    return Origin(frame, text, lines, store.story(key, came), changed)
