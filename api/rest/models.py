"""The API's response bodies as models, for its description. payloads.py makes the bodies.

Where the repository has models of its own, these inherit the fields.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, RootModel

from api.rest.payloads import RequirementBody
from gitstore.format.schema import JobtypeFields, Model

Id = Annotated[int, Field(ge=1)]
CommitId = Annotated[str, Field(pattern="^[0-9a-f]{40}$")]


class Answer(Model):
    """An answer: all of its keys are always there."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class JobtypeRow(Answer):
    """A jobtype in the list of jobtypes."""

    id: Id
    name: str


class RequirementRow(RequirementBody):
    """A requirement in a jobtype object; an id is null for what never was in the catalogue."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class JobtypeAnswer(JobtypeFields):
    """The jobtype object: one version of a jobtype."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: Id
    name: str
    version: Id
    code: str
    software_requirements: tuple[RequirementRow, ...]


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
    date: str | None
    subject: str


class ChangeRow(CommitAnswer):
    """A change in the list of changes, with its last commit."""

    branch: str


class ProblemAnswer(Answer):
    """What the validator says about a merge."""

    path: str
    line: int | None
    severity: Literal["error", "warning"]
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

    error: str
    details: tuple[Detail, ...] = ()
