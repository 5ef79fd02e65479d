"""The API's response bodies as models, for its description. payloads.py makes the bodies.

Where the repository has models of its own, these inherit the fields.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, RootModel

from api.rest.payloads import RequirementBody
from gitstore.catalogue.requiring import Met
from gitstore.format.schema import JobtypeFields, Model, Requirement

Id = Annotated[int, Field(ge=1)]
CommitId = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


def _require_time(text: str) -> str:
    """*text*, which a client can read as a time in a time zone."""
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without its zone")
    return text


Time = Annotated[str, AfterValidator(_require_time)]
"""A time in ISO 8601."""

# A client reads the answers of later releases, too, which may have more keys.
_OPEN = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": False})
_ANSWER = ConfigDict(json_schema_serialization_defaults_required=True, **_OPEN)


class Answer(Model):
    """An answer: all of its keys are always there."""

    model_config = _ANSWER


class JobtypeRow(Answer):
    """A jobtype in the list of jobtypes."""

    id: Id
    name: str


class RequirementRow(RequirementBody):
    """A requirement in a jobtype object; an id is null for what never was in the catalogue."""

    model_config = _ANSWER


class JobtypeAnswer(JobtypeFields):
    """The jobtype object: one version of a jobtype."""

    model_config = _ANSWER

    id: Id
    name: str
    version: Id
    code: str
    software_requirements: tuple[RequirementRow, ...]


class NewestAnswer(JobtypeFields):
    """The newest version in service of a jobtype; *code* is there if it was asked for."""

    model_config = _OPEN

    id: Id
    name: str
    version: Id
    code: str = Field("", description="code.py, only with code=true")
    code_sha256: Sha256 = Field(description="SHA-256 of the bytes of code.py, in hex")
    software_requirements: tuple[RequirementRow, ...]


class MatchAnswer(Answer):
    """A line in which a search found its text."""

    jobtype: str
    version: Id
    file: str | None = Field(description="code.py or meta.yaml; null for the jobtype's name")
    line: int | None = Field(description="The line's number in the file; null for a name")
    excerpt: str = Field(description="The line, or 200 characters of a longer one")


class SearchAnswer(Answer):
    """What a search found, by jobtype."""

    matches: tuple[MatchAnswer, ...] = Field(description="The lines, by jobtype")
    cut: str | None = Field(description="Why there may be more matches; null if these are all")


class RequiringAnswer(Answer):
    """A jobtype whose newest version requires a software."""

    jobtype: str
    version: Id
    min_version: str | None
    max_version: str | None
    state: Met | None = Field(
        description="How the version asked about compares; null if none was, or a bound is unknown"
    )


class HunkAnswer(Answer):
    """Lines that differ, with three lines around them."""

    old_start: int = Field(description="The number of the first line, in the earlier version")
    old_lines: int = Field(description="How many lines of the earlier version this shows")
    new_start: int = Field(description="The number of the first line, in the later version")
    new_lines: int = Field(description="How many lines of the later version this shows")
    lines: tuple[str, ...] = Field(
        description="The lines, each behind the sign of a unified diff: -, +, a space, or \\"
    )


class FileDiffAnswer(Answer):
    """A file that differs between two versions."""

    status: str = Field(description="Git's letter: A added, D deleted, M modified, R renamed")
    path: str = Field(description="Where it is in the directory")
    old_path: str | None = Field(description="Where it was before a rename, else null")
    hunks: tuple[HunkAnswer, ...] = Field(description="What differs in it")
    note: str | None = Field(description="Why hunks are left out: binary, or too large; else null")


class FieldChangeAnswer(Answer):
    """A field of meta.yaml with the values that it has in two versions."""

    old: JsonValue = Field(description="The value in the earlier version")
    new: JsonValue = Field(description="The value in the later version")


class DiffAnswer(Answer):
    """What differs between two versions of a jobtype."""

    jobtype: str
    old: int = Field(description="The number of the earlier version")
    new: int = Field(description="The number of the later version")
    files: tuple[FileDiffAnswer, ...] = Field(description="The files that differ")
    fields: dict[str, FieldChangeAnswer] | None = Field(
        description="The fields of meta.yaml that differ, by name; null if one can't be read"
    )
    requirements_added: tuple[Requirement, ...] = Field(
        description="Requirements that only the later version has"
    )
    requirements_removed: tuple[Requirement, ...] = Field(
        description="Requirements that only the earlier version has"
    )


class RequiredSoftware(Answer):
    """The software of a requirement."""

    software: str
    id: Id | None


class RequiredVersion(Answer):
    """A bound of a requirement."""

    version: str
    id: Id | None


class RequiringVersion(Answer):
    """The version of a jobtype that a requirement belongs to."""

    version: Id
    jobtype: str


class RequirementAnswer(Answer):
    """The requirement object."""

    software: RequiredSoftware
    min_version: RequiredVersion | None
    max_version: RequiredVersion | None
    jobtype_version: RequiringVersion


class VersionFile(Answer):
    """A regular file in the directory of a version."""

    path: str = Field(description="Where it is in the directory")
    size: int = Field(ge=0, description="How many bytes it has")
    sha256: Sha256 = Field(description="SHA-256 of its bytes, in hex")
    executable: bool = Field(description="Whether Git has it as executable")


class SoftwareVersionRowAnswer(Answer):
    """A version of a software in a list."""

    id: Id
    version: str
    rank: int


class SoftwareVersionAnswer(SoftwareVersionRowAnswer):
    """A version of a software."""

    discovery_function_name: str | None


class SoftwareAnswer(Answer):
    """The software object, its versions by rank."""

    id: Id
    software: str
    versions: tuple[SoftwareVersionRowAnswer, ...]


class Columns(RootModel[dict[str, str]]):
    """Fields with their types as database columns."""


class CommitAnswer(Answer):
    """A commit of a change."""

    commit: CommitId
    author: str
    email: str
    date: Time | None
    subject: str


class ChangeRow(CommitAnswer):
    """A change in the list of changes, with its last commit."""

    branch: str


class ProblemAnswer(Answer):
    """What the validator says about a merge."""

    path: str
    line: int | None
    severity: Literal["error", "warning"]
    rule: str = Field(description="The rule's id, such as meta-field")
    message: str


class FileAnswer(Answer):
    """A file that a change touches, with Git's letter for how."""

    status: str
    path: str


class ChangeAnswer(ChangeRow):
    """A change, and what merging it would make."""

    merged: bool
    mergeable: bool
    conflicts: tuple[str, ...]
    makes: tuple[str, ...]
    versions: dict[str, tuple[int, ...]]
    problems: tuple[ProblemAnswer, ...]
    commits: tuple[CommitAnswer, ...]
    files: tuple[FileAnswer, ...]
    diff: str


class MergedAnswer(Answer):
    """A merge that is done."""

    branch: str
    merged: Literal[True]
    commit: CommitId
    deleted: bool


class CommentAnswer(Answer):
    """A comment on a change, on a file of it, or on a line of the file."""

    id: Id
    commit: CommitId
    path: str | None
    line: int | None
    text: str
    author: str
    email: str
    date: str


class ApprovalRow(Answer):
    """An approval of a change, and whether it counts for the change's last commit."""

    commit: CommitId
    author: str
    email: str
    date: str
    counts: bool


class ApprovalsAnswer(Answer):
    """The approvals of a change; a merge of *commit*, its last one, needs *missing* more."""

    commit: CommitId
    required: int
    missing: int
    approvals: tuple[ApprovalRow, ...]


class ProposedAnswer(Answer):
    """A write that became a branch of the upstream, for review."""

    branch: str
    commit: CommitId
    review: str | None


class LiveAnswer(Answer):
    """That the process answers."""

    live: Literal[True]


class ReadyAnswer(Answer):
    """That agents can be served, and with what; *damaged* are ids of objects."""

    ready: Literal[True]
    tip: CommitId | None
    jobtypes: int
    damaged: tuple[CommitId, ...]


class UnreadyAnswer(Answer):
    """That they can't, and why."""

    ready: Literal[False]
    error: str


class ServedProblem(Model):
    """An error in what is served, which the upstream has."""

    path: str
    line: int | None
    message: str


class MirrorAnswer(Model):
    """How mirroring goes; only *state* and *says* where nothing is mirrored."""

    state: Literal["none", "in-step", "pending", "away"]
    says: str | None = None
    database: str | None = None
    tip: str | None = None
    last_good_run_age_s: float | None = None
    lag_steps: int = 0
    drift: int = 0
    conflicts: dict[str, str] | None = None
    error: str | None = None


class FollowingAnswer(Model):
    """How following an upstream goes; only *state* and *says* where none is followed."""

    state: Literal["none", "following", "refused", "unreachable"]
    says: str | None = None
    upstream: str | None = None
    branch: str | None = None
    last_good_fetch_age_s: float | None = None
    stale: bool = False
    refusal: str | None = None
    error: str | None = None
    problems: list[ServedProblem] | None = None
    problems_total: int | None = None


class DeliveredAnswer(Model):
    """What a forge's delivery is about, and whether a fetch begins; *says* is why none does."""

    event: str
    fetches: bool
    says: str | None = None


class Detail(Answer):
    """One thing that is wrong with a body, or with the jobtype that would come of it."""

    path: str
    message: str


class ErrorAnswer(Model):
    """An error: a sentence for a person, and for what is not valid every reason."""

    model_config = _OPEN

    error: str
    details: tuple[Detail, ...] = ()
    next: CommitId | None = Field(None, description="After a 410, the cursor to go on from")
