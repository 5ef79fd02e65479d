"""The page of a jobtype, and that of one of its versions."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response
from markupsafe import Markup

from api.pages.code import LINES_SHOWN, Lines, highlighted
from api.pages.markdown import rendered
from api.pages.rendering import page, place
from api.web.parts import store
from gitstore.branch.log import LogRow
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Directory
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.errors import OutOfBounds
from gitstore.format import layout
from gitstore.git.trees import Entry
from gitstore.rules import Problem

README = "README.md"

VERSIONS_SHOWN = 100
"""Versions in the history next to the code; there are links to the others."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A version as its page shows it: what its directory holds, and its neighbours.

    *lines* are those of its code, of which *more* are left out. *readme* is empty if it has none.
    """

    version: Version
    row: LogRow
    directory: Directory
    problems: tuple[Problem, ...]
    lines: Lines
    more: int
    readme: Markup
    files: tuple[tuple[str, Entry, int], ...]
    previous: Version | None
    next: Version | None


def jobtype(jobtype: str) -> Response:
    """Show a jobtype: its newest version in service, and its history."""
    catalogue = store().catalogue()
    log = store().log_page(jobtype, place("until") or None, VERSIONS_SHOWN)
    found = catalogue.find_jobtype(jobtype)
    release = catalogue.find_newest(found) if found else None
    version = release.version if release else None
    if version is None and found and found.versions:
        version = found.versions[-1]
    shown = _shown(catalogue, found, version) if found and version else None
    return page(
        "jobtype.html",
        commit=version.commit if version else None,
        name=found.name if found else jobtype,
        jobtype=found,
        shown=shown,
        in_service=release is not None,
        log=log,
        # By their place in the whole history, so that a link shows the same versions for ever.
        older=log.start or None,
        newer=log.end + VERSIONS_SHOWN if log.end < log.total else None,
    )


def version(jobtype: str, number: int) -> Response:
    """Show one version of a jobtype, in service or not."""
    catalogue = store().catalogue()
    found = catalogue.jobtype(jobtype)
    version = catalogue.version(found, number)
    release = catalogue.find_newest(found)
    return page(
        "version.html",
        commit=version.commit,
        name=found.name,
        jobtype=found,
        shown=_shown(catalogue, found, version),
        newest=release.version if release else None,
    )


def _shown(catalogue: Catalogue, jobtype: Jobtype, version: Version) -> Shown:
    at = jobtype.versions.index(version)
    directory = catalogue.contents.directory(version.tree)
    objects = catalogue.contents.objects
    entries = objects.entries(version.tree)
    code = _text(catalogue, entries.get(layout.CODE))
    lines = highlighted(code, layout.CODE)
    headers = ((name, entry, objects.header(entry.id)) for name, entry in sorted(entries.items()))
    return Shown(
        version=version,
        row=store().log_row(catalogue, jobtype, version),
        directory=directory,
        problems=tuple(directory.problems(jobtype.name)),
        lines=lines[:LINES_SHOWN],
        more=max(0, len(lines) - LINES_SHOWN),
        readme=rendered(_text(catalogue, entries.get(README))),
        files=tuple((name, entry, header.size if header else 0) for name, entry, header in headers),
        previous=jobtype.versions[at - 1] if at else None,
        next=jobtype.versions[at + 1] if at + 1 < len(jobtype.versions) else None,
    )


def _text(catalogue: Catalogue, entry: Entry | None) -> str:
    """The text of the file *entry*; empty where there is none that can be shown."""
    if entry is None or not entry.is_file:
        return ""
    try:
        return catalogue.contents.objects.read_blob(entry.id).decode(errors="replace")
    except OutOfBounds:
        return ""
