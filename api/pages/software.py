"""The pages of the software catalogue: all software, and one of them."""

from __future__ import annotations

from collections import Counter

from flask import Response, request

from api.pages.code import highlighted
from api.pages.rendering import ROWS, page, place, places
from api.web.parts import store
from gitstore.catalogue.requiring import required_by


def all_software() -> Response:
    """List the software, each with its versions and how many jobtypes require it."""
    catalogue = store().catalogue()
    listed = sorted(catalogue.software(), key=lambda software: software.name.casefold())
    users = Counter(requirement.software for _, requirement in catalogue.all_users())
    start = place("start")
    rows = [
        (software, catalogue.software_file(software), users[software.name])
        for software in listed[start : start + ROWS]
    ]
    return page(
        "all_software.html", rows=rows, total=len(listed), places=places(start, len(listed))
    )


def software(name: str) -> Response:
    """Show a software: its versions by rank, and which jobtypes require it."""
    catalogue = store().catalogue()
    found = catalogue.software_entry(name)
    versions = [
        (version, found.version_id(version.version), _lines(version.discovery_code))
        for version in reversed(catalogue.software_file(found).by_rank())
    ]
    file = catalogue.software_file(found)
    asked = request.args.get("version", "")
    chosen = file.find(asked) or next(reversed(file.by_rank()), None)
    users, start = list(required_by(catalogue, found, chosen)), place("start")
    return page(
        "software.html",
        software=found,
        versions=versions,
        chosen=chosen,
        users=users[start : start + ROWS],
        total=len(users),
        places=places(start, len(users)),
    )


def _lines(code: str | None) -> tuple[object, ...]:
    return highlighted(code, "discovery.py") if code else ()
