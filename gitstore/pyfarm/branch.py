"""The branch as a Farm: what the master's tables are to say."""

from __future__ import annotations

from collections.abc import Iterator

from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.entries import Jobtype, Software, Version
from gitstore.errors import Damaged
from gitstore.format.schema import JobtypeMeta, SoftwareVersion
from gitstore.pyfarm.farm import (
    FIELDS,
    SOFTWARE_FIELDS,
    TEXTS,
    Farm,
    FarmJobtype,
    FarmSoftware,
    FarmSoftwareVersion,
    FarmVersion,
    Need,
)

WITHDRAWN = "was withdrawn"
DAMAGED = "is damaged; git fsck names what is missing"


def branch_farm(catalogue: Catalogue) -> Farm:
    """What *catalogue* says, with the versions that are out of service and why they are."""
    jobtypes = sorted(catalogue.jobtypes(), key=lambda jobtype: jobtype.id)
    return Farm(
        tuple(branch_jobtype(catalogue, jobtype) for jobtype in jobtypes),
        tuple(_software(catalogue, software) for software in catalogue.software()),
    )


def branch_jobtype(catalogue: Catalogue, jobtype: Jobtype) -> FarmJobtype:
    """The jobtype with all its versions; its texts are those of the newest in service, if any."""
    versions = tuple(_versions(catalogue, jobtype))
    newest = next((v for v in reversed(versions) if v.fault is None), None)
    newest = newest or (versions[-1] if versions else None)
    return FarmJobtype(jobtype.id, jobtype.name, versions, newest.texts if newest else {})


def _versions(catalogue: Catalogue, jobtype: Jobtype) -> Iterator[FarmVersion]:
    for version in jobtype.versions:
        is_withdrawn = catalogue.history.is_withdrawn(jobtype.name, version.number)
        try:
            fault = WITHDRAWN if is_withdrawn else catalogue.fault(jobtype, version)
        except Damaged:
            fault = DAMAGED
        yield farm_version(catalogue, version, fault)


def farm_version(catalogue: Catalogue, version: Version, fault: str | None) -> FarmVersion:
    """*version*, as far as it can be read. Code that is too large is left out.

    A damaged version is out of service, so that all others go on.
    """
    try:
        return _farm_version(catalogue, version, fault)
    except Damaged:
        return FarmVersion(version.number, "", {}, (), {}, fault or DAMAGED)


def _farm_version(catalogue: Catalogue, version: Version, fault: str | None) -> FarmVersion:
    directory = catalogue.contents.directory(version.tree)
    code = catalogue.contents.objects.read_blob(directory.code) if directory.code else b""
    meta = directory.meta or JobtypeMeta()
    values = meta.model_dump()
    needs = (Need(r.software, r.min_version, r.max_version) for r in meta.requirements)
    return FarmVersion(
        version.number,
        code.decode(errors="surrogateescape"),
        {key: values[key] for key in FIELDS},
        tuple(needs),
        {key: values[key] for key in TEXTS},
        fault,
    )


def _software(catalogue: Catalogue, software: Software) -> FarmSoftware:
    versions = catalogue.software_file(software).versions
    return FarmSoftware(software.name, tuple(map(_software_version, versions)))


def _software_version(version: SoftwareVersion) -> FarmSoftwareVersion:
    values = version.model_dump()
    return FarmSoftwareVersion(version.version, {key: values[key] for key in SOFTWARE_FIELDS})
