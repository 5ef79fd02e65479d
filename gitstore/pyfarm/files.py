"""What a farm that was made to fit holds, as the format's models and bytes."""

from __future__ import annotations

from collections.abc import Iterable

from gitstore.format.schema import JobtypeMeta, Requirement, SoftwareFile, SoftwareVersion
from gitstore.pyfarm.farm import FarmSoftwareVersion, FarmVersion


def meta_of(version: FarmVersion) -> JobtypeMeta:
    """What meta.yaml says of *version*.

    Raises:
        pydantic.ValidationError: the format can't hold a value.
    """
    requirements = tuple(
        Requirement(software=n.software, min_version=n.min_version, max_version=n.max_version)
        for n in version.needs
    )
    values = {**version.fields, **version.texts}
    return JobtypeMeta(requirements=requirements, **values)  # type: ignore[arg-type]  # checked there


def software_of(
    versions: Iterable[FarmSoftwareVersion], before: tuple[SoftwareVersion, ...] = ()
) -> SoftwareFile:
    """The file of a software with *versions*, behind those that it has *before*.

    Raises:
        pydantic.ValidationError: the format can't hold a value.
    """
    return SoftwareFile(versions=(*before, *map(_software_version, versions)))


def _software_version(version: FarmSoftwareVersion) -> SoftwareVersion:
    values = {key: value for key, value in version.fields.items() if value is not None}
    return SoftwareVersion(version=version.version, **values)  # type: ignore[arg-type]  # checked


def code_of(code: str) -> bytes:
    """The bytes of code.py, also where they are no UTF-8."""
    try:
        return code.encode(errors="surrogateescape")
    except UnicodeEncodeError:  # Half of a pair, which JSON can hold.
        return code.encode(errors="surrogatepass")
