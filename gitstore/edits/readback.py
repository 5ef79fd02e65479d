"""Reading back what an edit wrote, before the service acknowledges it.

A file over its limit is one that the next read passes over: what it says is lost, and the write
that it came from would be acknowledged all the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.history import TRAILER_VERSION, parse_trailers
from gitstore.edits.jobtypes import Edit
from gitstore.errors import Problem
from gitstore.format import layout
from gitstore.format.schema import parse_as
from gitstore.git.tree_edit import Wanted


def check_written(after: Catalogue, edit: Edit) -> list[Problem]:
    """What *after*, the catalogue at the commit of *edit*, does not say though it was wanted."""
    return [*_check_files(after, edit), *_check_versions(after, edit)]


def _check_files(after: Catalogue, edit: Edit) -> Iterator[Problem]:
    for path, content in edit.changes.items():
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


def _check_versions(after: Catalogue, edit: Edit) -> Iterator[Problem]:
    """The versions that *edit* asks for by its trailers, and that are not in service."""
    trailers = [*parse_trailers("\n\n".join((edit.subject, "\n".join(edit.trailers))))]
    if len(trailers) != len(edit.trailers):
        yield _problem(layout.JOBTYPES, f"no version has the number of: {edit.trailers[0]}")
    for key, number, name in trailers:
        jobtype = after.history.jobtypes.get(name)
        version = jobtype.find_version(number) if jobtype else None
        says = f"version {number} could not be made"
        if jobtype and version:
            says = after.fault(jobtype, version) or ""
        if says and key == TRAILER_VERSION:
            yield _problem(layout.jobtype_path(name), says)


def _problem(path: str, says: str) -> Problem:
    return Problem("read-back", path, f"{says}; nothing was written. Make it smaller")
