"""Between the catalogue and PyFarm's JSON. The wire's field names stand only here."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from operator import attrgetter
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from gitstore.branch.comparing import VersionComparison
from gitstore.catalogue.catalogue import Catalogue, Release
from gitstore.catalogue.entries import Jobtype, Software
from gitstore.catalogue.preview import is_preview, preview_classname, preview_code
from gitstore.catalogue.requiring import Requiring
from gitstore.edits.jobtypes import JobtypeWish
from gitstore.edits.software import SoftwareWish
from gitstore.errors import BadRequest
from gitstore.format.layout import NAME_LIMIT, is_text
from gitstore.format.schema import (
    INTEGER_LIMIT,
    FunctionName,
    JobtypeFields,
    JobtypeMeta,
    Model,
    Requirement,
    SoftwareFile,
    SoftwareVersion,
    Text,
    VersionText,
    check_unique,
    refusal,
)
from gitstore.git.tree_diff import FileDiff

RANK_STEP = 100

JOBTYPE_SCHEMA = {
    "id": "INTEGER",
    "jobtype_id": "INTEGER",
    "version": "INTEGER",
    "name": "VARCHAR(64)",
    "classname": "VARCHAR(64)",
    "code": "TEXT",
    "description": "TEXT",
    "max_batch": "INTEGER",
    "batch_contiguous": "BOOLEAN",
    "no_automatic_start_time": "BOOLEAN",
    "supports_tiling": "BOOLEAN",
    "success_subject": "TEXT",
    "success_body": "TEXT",
    "fail_subject": "TEXT",
    "fail_body": "TEXT",
}
SOFTWARE_SCHEMA = {"id": "INTEGER", "software": "VARCHAR(64)"}

Payload = dict[str, object]

# Jobtypes out


def jobtype_row(jobtype: Jobtype) -> Payload:
    """A jobtype as the list of jobtypes shows it."""
    return {"id": jobtype.id, "name": jobtype.name}


def jobtype_payload(catalogue: Catalogue, release: Release) -> Payload:
    """The jobtype object of one version."""
    return _jobtype_object(catalogue, release, {"code": _shown_code(catalogue, release)})


def newest_payload(catalogue: Catalogue, release: Release, has_code: bool) -> Payload:
    """The jobtype object in the list of newest versions: the SHA-256 of its code, or both."""
    if is_preview(release.version.number):
        code = _shown_code(catalogue, release)
        sha256 = hashlib.sha256(code.encode()).hexdigest()
    else:
        code = catalogue.code(release) if has_code else ""
        sha256 = catalogue.contents.sha256(release.directory.code)
    shown = {"code": code} if has_code else {}
    return _jobtype_object(catalogue, release, {**shown, "code_sha256": sha256})


def _shown_code(catalogue: Catalogue, release: Release) -> str:
    """The code in a jobtype object."""
    code, version = catalogue.code(release), release.version
    if not is_preview(version.number):
        return code
    return preview_code(code, release.jobtype.name, release.meta.classname, version.tree)


def _jobtype_object(catalogue: Catalogue, release: Release, code: Payload) -> Payload:
    """The jobtype object with what *code* says of its code."""
    meta, version, name = release.meta, release.version, release.jobtype.name
    classname = meta.classname
    if is_preview(version.number):
        classname = preview_classname(name, classname, version.tree)
    return {
        "id": release.jobtype.id,
        "name": name,
        "version": version.number,
        "classname": classname,
        "description": meta.description,
        **code,
        **dict(zip(_BEHIND_CODE, _values(meta), strict=True)),
        "software_requirements": [
            _requirement_row(catalogue, release, r) for r in meta.requirements
        ],
    }


_BEHIND_CODE = [f for f in JobtypeFields.model_fields if f not in ("classname", "description")]
_values = attrgetter(*_BEHIND_CODE)


def _requirement_row(catalogue: Catalogue, release: Release, requirement: Requirement) -> Payload:
    ids = catalogue.requirement_ids(release.version, requirement)
    return {
        "software": requirement.software,
        "software_id": ids.software,
        "min_version": requirement.min_version,
        "min_version_id": ids.min_version,
        "max_version": requirement.max_version,
        "max_version_id": ids.max_version,
    }


def requirement_payload(
    catalogue: Catalogue, release: Release, requirement: Requirement
) -> Payload:
    """The requirement object."""
    ids = catalogue.requirement_ids(release.version, requirement)
    return {
        "software": {"software": requirement.software, "id": ids.software},
        "min_version": _bound(requirement.min_version, ids.min_version),
        "max_version": _bound(requirement.max_version, ids.max_version),
        "jobtype_version": {
            "version": release.version.number,
            "jobtype": release.jobtype.name,
        },
    }


def _bound(version: str | None, id: int | None) -> Payload | None:
    return None if version is None else {"version": version, "id": id}


def requirements_payload(catalogue: Catalogue, release: Release) -> list[Payload]:
    """The requirement objects of one version."""
    return [requirement_payload(catalogue, release, r) for r in release.meta.requirements]


def requiring_row(requiring: Requiring) -> Payload:
    """A jobtype that requires a software."""
    return {
        "jobtype": requiring.jobtype,
        "version": requiring.version,
        "min_version": requiring.requirement.min_version,
        "max_version": requiring.requirement.max_version,
        "state": requiring.state,
    }


def diff_payload(diff: VersionComparison) -> Payload:
    """What differs between two versions."""
    changes = {change.name: {"old": change.old, "new": change.new} for change in diff.fields}
    return {
        "jobtype": diff.jobtype,
        "old": diff.old,
        "new": diff.new,
        "files": list(map(_file_diff, diff.files)),
        "fields": changes if diff.is_readable else None,
        "requirements_added": [r.model_dump() for r in diff.added],
        "requirements_removed": [r.model_dump() for r in diff.removed],
    }


def _file_diff(file: FileDiff) -> Payload:
    return {
        "status": file.status,
        "path": file.path,
        "old_path": file.old_path,
        "hunks": list(map(asdict, file.hunks)),
        "note": file.note,
    }


# Jobtypes in


def _or(default: bool) -> BeforeValidator:
    return BeforeValidator(
        lambda value: default if value is None else value, json_schema_input_type=bool | None
    )


def _code(text: str) -> str:
    """*text* with line ends as the repository keeps them; Python reads both alike.

    Beyond what can't be written, the validator tells what is wrong, as it does of a push.
    """
    if not is_text(text):
        raise refusal("holds a lone surrogate, which is no text; remove it")
    return text.replace("\r\n", "\n").replace("\r", "\n")


Code = Annotated[str, AfterValidator(_code)]

Name = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": NAME_LIMIT})]
"""A name, as it is described; layout.py tells what else it must be, and why it is not."""


class RequirementBody(Requirement):
    """An entry of a body's software_requirements."""

    software_id: int | None = None
    min_version_id: int | None = None
    max_version_id: int | None = None


def _check_requirements(value: tuple[RequirementBody, ...]) -> tuple[RequirementBody, ...]:
    check_unique((r.software for r in value), "the software")
    return value


class JobtypeBody(JobtypeFields):
    """The body of a POST or PUT of a jobtype."""

    name: Name
    code: Code
    batch_contiguous: Annotated[bool, _or(True)] = True
    no_automatic_start_time: Annotated[bool, _or(False)] = False
    supports_tiling: Annotated[bool, _or(False)] = False
    software_requirements: Annotated[
        tuple[RequirementBody, ...], Field(strict=False), AfterValidator(_check_requirements)
    ] = ()
    id: int | None = None
    version: int | None = None

    def wish(self) -> JobtypeWish:
        """What the body asks for."""
        fields = {name: getattr(self, name) for name in JobtypeFields.model_fields}
        requirements = tuple(
            Requirement(software=r.software, min_version=r.min_version, max_version=r.max_version)
            for r in self.software_requirements
        )
        return JobtypeWish(
            name=self.name,
            code=self.code,
            meta=JobtypeMeta(**fields, requirements=requirements),
            requirements_given="software_requirements" in self.model_fields_set,
            id=self.id,
        )


# Software


def software_payload(catalogue: Catalogue, software: Software) -> Payload:
    """The software object."""
    return {
        "id": software.id,
        "software": software.name,
        "versions": software_versions_payload(catalogue, software),
    }


def software_versions_payload(catalogue: Catalogue, software: Software) -> list[Payload]:
    """A software's versions, by rank."""
    file = catalogue.software_file(software)
    return [software_version_row(software, version) for version in file.by_rank()]


def software_version_row(software: Software, version: SoftwareVersion) -> Payload:
    """One version as lists show it."""
    id = software.version_id(version.version)
    return {"id": id, "version": version.version, "rank": version.rank}


def software_version_payload(software: Software, version: SoftwareVersion) -> Payload:
    """One version by itself."""
    row = software_version_row(software, version)
    return {**row, "discovery_function_name": version.discovery_function_name}


Rank = Annotated[int, Field(ge=-INTEGER_LIMIT, le=INTEGER_LIMIT)]


class SoftwareVersionRow(Model):
    """An entry of a software body's versions."""

    version: VersionText
    rank: Rank = RANK_STEP


def _check_rows(rows: tuple[SoftwareVersionRow, ...]) -> tuple[SoftwareVersionRow, ...]:
    check_unique((row.version for row in rows), "the version")
    ranks = list(_ranks(rows))
    check_unique(ranks, "the rank")
    if max(ranks, default=0) > INTEGER_LIMIT:
        raise refusal(f"lists a version for which {_NO_RANK}")
    return rows


class SoftwareBody(Model):
    """The body of a POST or PUT of a software."""

    software: Name
    versions: Annotated[
        tuple[SoftwareVersionRow, ...], Field(strict=False), AfterValidator(_check_rows)
    ] = ()

    def wish(self) -> SoftwareWish:
        """What the body asks for; versions left out stay as they are."""
        if "versions" not in self.model_fields_set:
            return SoftwareWish(self.software)
        return SoftwareWish(self.software, _ranked(self.versions))


def _ranked(rows: tuple[SoftwareVersionRow, ...]) -> tuple[SoftwareVersion, ...]:
    """*rows* with the ranks that were left out: after the version before, in steps of 100."""
    pairs = zip(rows, _ranks(rows), strict=True)
    return tuple(SoftwareVersion(version=row.version, rank=rank) for row, rank in pairs)


def _ranks(rows: tuple[SoftwareVersionRow, ...]) -> Iterator[int]:
    running = RANK_STEP
    for row in rows:
        rank = row.rank if "rank" in row.model_fields_set else running
        yield rank
        running = max(rank, running) + RANK_STEP


_NO_RANK = f"no rank up to {INTEGER_LIMIT} is left above the others; give it one"


class SoftwareVersionBody(Model):
    """The body of a POST of one version."""

    version: VersionText
    rank: Rank = RANK_STEP
    default: bool = False
    discovery_code: Text | None = None
    discovery_function_name: FunctionName | None = None

    def make(self, file: SoftwareFile) -> SoftwareVersion:
        """The version, ranked above those in *file* where it says no rank.

        Raises:
            BadRequest: there is no rank above them.
        """
        fields = self.model_dump()
        if "rank" not in self.model_fields_set:
            fields["rank"] = _next_rank(file)
        return SoftwareVersion(**fields)


def _next_rank(file: SoftwareFile) -> int:
    if not file.versions:
        return RANK_STEP
    above = max(v.rank for v in file.versions) + RANK_STEP
    rank = -(-above // RANK_STEP) * RANK_STEP
    if rank > INTEGER_LIMIT:
        raise BadRequest(_NO_RANK, "rank")
    return rank
