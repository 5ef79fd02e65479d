"""The page of a jobtype, and that of one of its versions."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Response
from markupsafe import Markup

from api.pages.code import LINES_SHOWN, Lines, highlighted
from api.pages.markdown import rendered
from api.pages.rendering import page, place
from api.web.parts import store
from gitstore.branch.stories import Story
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.contents import Directory
from gitstore.catalogue.entries import Jobtype, Version
from gitstore.catalogue.files import File, list_files
from gitstore.errors import OutOfBounds
from gitstore.format import layout
from gitstore.git.trees import Entry, Objects
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
    story: Story
    directory: Directory
    problems: tuple[Problem, ...]
    lines: Lines
    more: int
    readme: Markup
    files: tuple[File, ...]
    previous: Version | None
    next: Version | None


def jobtype(jobtype: str) -> Response:
    """Show a jobtype: its newest version in service, and its history."""
    catalogue = store().catalogue()
    log = store().stories(jobtype, place("before") or None, VERSIONS_SHOWN, catalogue)
    found = catalogue.find_jobtype(jobtype)
    release = catalogue.find_newest(found) if found else None
    version = release.version if release else None
    if version is None and found and found.versions:
        version = found.versions[-1]
    shown = _shown(catalogue, found, version) if found and version else None
    return page(
        "jobtype.html",
        commit=version.commit if version else None,
        name=log.name,
        jobtype=found,
        shown=shown,
        in_service=release is not None,
        log=log,
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


def blame(jobtype: str, number: int) -> Response:
    """Show who wrote each line of a version's code, when and why, and when it changed again."""
    catalogue = store().catalogue()
    found = catalogue.jobtype(jobtype)
    version = catalogue.version(found, number)
    runs = store().blame(jobtype, number, 1, None)
    code = catalogue.contents.objects.read_blob(catalogue.contents.directory(version.tree).code)
    lines = highlighted(code.decode(errors="replace"), layout.CODE)[:LINES_SHOWN]
    return page(
        "blame.html",
        commit=version.commit,
        name=found.name,
        number=number,
        runs=[(run, lines[run.first - 1 : run.last]) for run in runs],
    )


def _shown(catalogue: Catalogue, jobtype: Jobtype, version: Version) -> Shown:
    at = jobtype.versions.index(version)
    directory = catalogue.contents.directory(version.tree)
    objects = catalogue.contents.objects
    entries = objects.entries(version.tree)
    code = _text(catalogue, entries.get(layout.CODE))
    lines = highlighted(code, layout.CODE)
    return Shown(
        version=version,
        story=store().story(str(jobtype.id), version.number, catalogue),
        directory=directory,
        problems=tuple(directory.problems(jobtype.name)),
        lines=lines[:LINES_SHOWN],
        more=max(0, len(lines) - LINES_SHOWN),
        readme=rendered(_text(catalogue, entries.get(README))),
        files=_files(objects, version.tree),
        previous=jobtype.versions[at - 1] if at else None,
        next=jobtype.versions[at + 1] if at + 1 < len(jobtype.versions) else None,
    )


def _files(objects: Objects, tree: str) -> tuple[File, ...]:
    """The files of a version; none where there are too many to be listed."""
    try:
        return list_files(objects, tree)
    except OutOfBounds:
        return ()


def _text(catalogue: Catalogue, entry: Entry | None) -> str:
    """The text of the file *entry*; empty where there is none that can be shown."""
    if entry is None or not entry.is_file:
        return ""
    try:
        return catalogue.contents.objects.read_blob(entry.id).decode(errors="replace")
    except OutOfBounds:
        return ""
