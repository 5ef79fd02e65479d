"""What the catalogue lists, as values: jobtypes, their versions, and software, with their ids."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import attrgetter


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a jobtype: its directory's *tree*, made by *commit*, the *step*-th of all."""

    number: int
    commit: str
    tree: str
    step: int


@dataclass(frozen=True, slots=True)
class Jobtype:
    """A jobtype and its versions, lowest number first; *tree* is its directory at the tip."""

    id: int
    name: str
    tree: str
    versions: tuple[Version, ...]

    def find_version(self, number: int) -> Version | None:
        """The version of that number, in service or not."""
        at = bisect_left(self.versions, number, key=_number)
        versions = self.versions[at : at + 1]
        return versions[0] if versions and versions[0].number == number else None


_number = attrgetter("number")


@dataclass(frozen=True, slots=True)
class Software:
    """An entry of the software catalogue: *file* is its blob at the tip.

    *blob* is the last that was readable, which is what counts; *versions* are its
    version strings in the file's order, each with its id.
    """

    id: int
    name: str
    file: str
    blob: str
    versions: tuple[tuple[str, int], ...]

    def version_id(self, version: str) -> int | None:
        """The id of that version string, or None."""
        return next((id for text, id in self.versions if text == version), None)


Since = tuple[tuple[int, int], ...]
"""The ids that one name has had: pairs of the step from which on, and the id."""


def id_at(ids: Since, step: int) -> int | None:
    """The id in force at *step*; the first id if *step* is before all of them; None without any."""
    current: int | None = ids[0][1] if ids else None
    for since, id in ids:
        if since <= step:
            current = id
    return current
