"""Which jobtypes require a software, and whether a version of it meets what they require."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Software
from gitstore.format.schema import Requirement, SoftwareFile, SoftwareVersion


class Met(StrEnum):
    """How a version of a software compares with what a jobtype requires."""

    MET = "met"
    TOO_OLD = "too_old"
    TOO_NEW = "too_new"


@dataclass(frozen=True, slots=True)
class Requiring:
    """The newest *version* in service of a jobtype, and what it requires of a software.

    *state* is None if no version was asked about, or the catalogue lacks the bound.
    """

    jobtype: str
    version: int
    requirement: Requirement
    state: Met | None


def required_by(
    catalogue: Catalogue, software: Software, version: SoftwareVersion | None
) -> Iterator[Requiring]:
    """Yield each jobtype that requires *software*, by name, with what it says of *version*."""
    file = catalogue.software_file(software)
    for jobtype in catalogue.jobtypes():
        release = catalogue.find_newest(jobtype)
        for requirement in release.meta.requirements if release else ():
            if release is not None and requirement.software == software.name:
                state = None if version is None else _state(file, requirement, version)
                yield Requiring(jobtype.name, release.version.number, requirement, state)


def _state(file: SoftwareFile, requirement: Requirement, version: SoftwareVersion) -> Met | None:
    bounds = (requirement.min_version, requirement.max_version)
    low, high = (file.find(bound) if bound is not None else None for bound in bounds)
    if low is not None and version.rank < low.rank:
        return Met.TOO_OLD
    if high is not None and version.rank > high.rank:
        return Met.TOO_NEW
    is_known = all(bound is None or file.find(bound) for bound in bounds)
    return Met.MET if is_known else None
