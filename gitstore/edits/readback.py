"""Reading back what an edit wrote, before the client gets a success.

The next read skips a file that is over its limit. Without this check, such a write would be
acknowledged and lost.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.trailers import TRAILER_VERSION, parse_trailers
from gitstore.edits.edit import Edited
from gitstore.format import layout
from gitstore.format.schema import parse_as
from gitstore.git.tree_edit import Wanted
from gitstore.rules import Problem


def check_written(after: Catalogue, edited: Edited) -> list[Problem]:
    """What *edited* wanted and *after*, the catalogue at its commit, does not have."""
    return [*_check_files(after, edited), *_check_versions(after, edited)]


def _check_files(after: Catalogue, edited: Edited) -> Iterator[Problem]:
    for path, content in edited.files.items():
        if isinstance(content, Wanted):
            parsed = parse_as(type(content.value), _read(after, path))
            if parsed.value != content.value:
                reason = parsed.faults[0].message if parsed.faults else "it says something else"
                yield _problem(path, f"the file could not be read again: {reason}")


def _read(after: Catalogue, path: str) -> bytes:
    """The file at *path*, as the tree at the tip has it."""
    objects = after.contents.objects
    id = after.history.tree
    for part in path.split("/"):
        assert id is not None
        entry = objects.entries(id).get(part)
        id = entry.id if entry else None
    return objects.read_blob(id) if id else b""


def _check_versions(after: Catalogue, edited: Edited) -> Iterator[Problem]:
    """The versions that *edited* asks for by its trailers, and that are not in service."""
    trailers = [*parse_trailers("\n\n".join((edited.subject, "\n".join(edited.trailers))))]
    if len(trailers) != len(edited.trailers):
        yield _problem(layout.JOBTYPES, f"no version has the number of: {edited.trailers[0]}")
    for key, number, name in trailers:
        jobtype = after.history.jobtypes.get(name)
        version = jobtype.find_version(number) if jobtype else None
        fault: str | None = f"version {number} could not be made"
        if jobtype and version:
            fault = after.fault(jobtype, version)
        if fault and key == TRAILER_VERSION:
            yield _problem(layout.jobtype_path(name), fault)


def _problem(path: str, message: str) -> Problem:
    return Problem("read-back", path, f"{message}; nothing was written. Make it smaller")
