"""The code and the metadata of a jobtype that is tried: of a working copy, or of a version."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gitstore.catalogue.catalogue import Catalogue
from gitstore.desk.loading import Source
from gitstore.errors import BadRequest, NotFound
from gitstore.format import layout
from gitstore.format.schema import JobtypeMeta, parse_meta
from gitstore.format.spelling import did_you_mean


@dataclass(frozen=True, slots=True)
class Tried:
    """A jobtype that is tried: its code, its metadata, and words for where they come from."""

    source: Source
    meta: JobtypeMeta
    origin: str


def of_folder(root: Path, name: str) -> Tried:
    """The jobtype *name* as it stands in the working copy or folder *root*.

    Raises:
        NotFound: there is none.
        BadRequest: its files can't be read.
    """
    folder = root / layout.JOBTYPES
    if not os.path.isfile(folder / name / layout.CODE):  # A name may be too long to be one.
        names = sorted(p.parent.name for p in folder.glob(f"*/{layout.CODE}"))
        raise NotFound(f"{folder} has no jobtype {layout.shown(name)}{did_you_mean(name, names)}")
    path = root / layout.code_path(name)
    try:
        code = path.read_bytes().decode()
    except UnicodeDecodeError:
        raise BadRequest(f"{path} is no UTF-8; save it in UTF-8") from None
    try:
        data = (root / layout.meta_path(name)).read_bytes()
    except FileNotFoundError:
        raise NotFound(f"{root / layout.meta_path(name)} is missing; a jobtype has one") from None
    parsed = parse_meta(data)
    if parsed.value is None:
        fault = parsed.faults[0]
        where = f"{root / layout.meta_path(name)}:{fault.line or 1}"
        raise BadRequest(f"{where}: {fault.message}")
    source = Source(name, 1, parsed.value.classname or name, code, str(path))
    return Tried(source, parsed.value, f"as it stands in {path}")


def of_catalogue(catalogue: Catalogue, name: str, number: int | None) -> Tried:
    """Version *number* of the jobtype *name*, or its newest one in service.

    Raises:
        NotFound: there is none.
    """
    release = catalogue.newest(name) if number is None else catalogue.release(name, number)
    jobtype, version = release.jobtype.name, release.version.number
    classname = release.meta.classname or jobtype
    path = layout.agents_file(jobtype, classname, version)
    source = Source(jobtype, version, classname, catalogue.code(release), path)
    return Tried(source, release.meta, f"version {version}")
