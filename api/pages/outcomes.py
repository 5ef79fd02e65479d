"""What a write or a merge made, for the person who did it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flask import Response

from api.pages.rendering import page
from api.web.parts import store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.errors import NotFound
from gitstore.git.commits import Commit

_ID = re.compile("[0-9a-f]{40}")

STEPS_SEARCHED = 1000
"""How many steps back the page is shown. It is for what was done just now."""


@dataclass(frozen=True, slots=True)
class Made:
    """What one step made: versions, as pairs of a jobtype and a number."""

    commit: Commit
    versions: tuple[tuple[str, int], ...]


def released(commit: str) -> Response:
    """Show what a step of the served branch made: "released as Blender 8"."""
    return page("released.html", commit=commit, made=_made(store().catalogue(), commit))


def _made(catalogue: Catalogue, id: str) -> Made:
    """What step *id* made.

    Raises:
        NotFound: it is no step, or none of the last ones.
    """
    repository = store().repository
    at = catalogue.history.tip
    for _ in range(STEPS_SEARCHED if _ID.fullmatch(id) else 0):
        if at is None or at == id:
            break
        parents = repository.commit(at).parents
        at = parents[0] if parents else None
    if at is None or at != id:
        raise NotFound("this commit is none of the last steps of the served branch")
    versions = (
        (jobtype.name, version.number)
        for jobtype in catalogue.jobtypes()
        for version in jobtype.versions
        if version.commit == id
    )
    return Made(repository.commit(id), tuple(versions))
