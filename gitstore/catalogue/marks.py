"""Marks: what the steps of a history did to the catalogue, other than to make versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gitstore.catalogue.entries import Jobtype


class Deed(StrEnum):
    """What a step can do to the catalogue, other than to make a version."""

    RENAMED = "renamed"
    DELETED = "deleted"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    SOFTWARE = "software"
    SOFTWARE_RENAMED = "software-renamed"
    SOFTWARE_DELETED = "software-deleted"


JOBTYPE_DEEDS = (Deed.RENAMED, Deed.DELETED, Deed.WITHDRAWN, Deed.RESTORED)


@dataclass(frozen=True, slots=True)
class Mark:
    """What the *step*-th step, *commit*, did to the jobtype or software *name* of that *id*.

    *other* is the new name after a rename, and the blob of a software that has new content.
    *numbers* are the versions that were withdrawn or restored, lowest first.
    """

    step: int
    commit: str
    deed: Deed
    name: str
    id: int
    other: str = ""
    numbers: tuple[int, ...] = ()


def find_mark(marks: Sequence[Mark], deed: Deed, id: int, number: int) -> Mark | None:
    """The last of *marks* by which *deed* happened to version *number* of the jobtype *id*."""
    for mark in reversed(marks):
        is_about = mark.id == id and (not mark.numbers or number in mark.numbers)
        if is_about and mark.deed is deed:
            return mark
    return None


def name_at(marks: Sequence[Mark], jobtype: Jobtype, step: int) -> str:
    """What *jobtype* was called after that step."""
    for mark in marks:
        if mark.step > step and mark.id == jobtype.id and mark.deed is Deed.RENAMED:
            return mark.name
    return jobtype.name
