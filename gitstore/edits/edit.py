"""An edit, and what comes out of it. Nothing is written here; branch/writing.py does that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gitstore.catalogue.catalogue import Catalogue
from gitstore.format import layout
from gitstore.git.tree_edit import Changes


@dataclass(frozen=True, slots=True)
class Edited:
    """A tree after an edit: the *files* that differ, the commit's subject and its trailers.

    *is_checked* False is for an edit that is only valid together with the next one. If it
    *keeps_subject*, a message of the writer's own stands below the subject, else in its place.
    """

    files: Changes
    subject: str
    trailers: tuple[str, ...] = ()
    is_checked: bool = True
    keeps_subject: bool = False

    @property
    def jobtypes(self) -> frozenset[str]:
        """The names of the jobtypes that the edit writes, even where nothing differs."""
        parts = (path.split("/") for path in self.files)
        return frozenset(part[1] for part in parts if part[0] == layout.JOBTYPES)


Edit = Callable[[Catalogue], Edited | None]
"""A function from the catalogue at the tip to an edited tree; None where nothing is to do."""
