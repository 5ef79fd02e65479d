"""The repository's YAML files as typed values: bytes in, models and faults out.

The models are the single list of fields: the REST bodies extend them, and the
description of the API is derived from them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from gitstore.format.layout import NAME_LIMIT, YAML_LIMIT_BYTES
from gitstore.format.yaml_reader import Document, Place, YamlData, YamlFault, parse_yaml

INTEGER_LIMIT = 2**31 - 1
"""The largest integer a field holds: the range of the database columns they came from."""
FUNCTION_NAME_LIMIT = 255
"""Characters in the name of a discovery function, as in the column it came from."""


def refusal(message: str) -> PydanticCustomError:
    """An error of a model's validator; *message* is the end of a sentence on the field."""
    return PydanticCustomError("value", "{message}", {"message": message})


def _check_text(value: str) -> str:
    """*value*, if it is text: no lone surrogates, no control characters but white space."""
    for c in value:
        if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n\r\f":
            raise refusal(f"holds the character U+{ord(c):04X}, which is no text; remove it")
    return value


def _check_version(value: str) -> str:
    if not value:
        raise refusal("is empty; give it 1 to 64 characters")
    return _check_line(value)


def _check_line(value: str) -> str:
    if any(unicodedata.category(c) == "Cc" for c in value):
        raise refusal("holds a control character; remove it")
    return _check_text(value)


# Patterns are for the description alone: the checks say what is wrong, and where.
_TEXT = {"pattern": r"^[^\u0000-\u0008\u000b\u000e-\u001f\u007f-\u009f]*$"}
_LINE = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"}
_LIMIT = Field(max_length=NAME_LIMIT)

Text = Annotated[str, AfterValidator(_check_text), Field(json_schema_extra=_TEXT)]
ShortText = Annotated[str, _LIMIT, AfterValidator(_check_line), Field(json_schema_extra=_LINE)]
FunctionName = Annotated[
    str,
    Field(max_length=FUNCTION_NAME_LIMIT),
    AfterValidator(_check_line),
    Field(json_schema_extra=_LINE),
]
VersionText = Annotated[
    str, _LIMIT, AfterValidator(_check_version), Field(json_schema_extra={**_LINE, "minLength": 1})
]


class Model(BaseModel):
    """A frozen record that takes no unknown keys and converts no types."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Requirement(Model):
    """A software that a jobtype needs, from *min_version* to *max_version*, both included."""

    software: Text = Field(description="The software's name", examples=["blender"])
    min_version: VersionText | None = Field(
        None,
        description="The lowest version of the software that will do, null for any",
        examples=["4.2"],
    )
    max_version: VersionText | None = Field(
        None,
        description="The highest version of the software that will do, null for any",
        examples=["4.5"],
    )

    def is_turned(self, ranks: Mapping[str, int]) -> bool:
        """Whether min_version is above max_version by *ranks*, the software's by version."""
        low, high = (ranks.get(text or "") for text in (self.min_version, self.max_version))
        return low is not None and high is not None and low > high


def check_unique(values: Iterable[object], what: str) -> None:
    """Raise an error for a list with duplicates, for use within a model's validator."""
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise refusal(f"lists {what} {value} twice; keep one")
        seen.add(value)


def _check_requirements(value: tuple[Requirement, ...]) -> tuple[Requirement, ...]:
    check_unique((r.software for r in value), "the software")
    return value


class JobtypeFields(Model):
    """A jobtype's metadata, except for its requirements."""

    classname: ShortText | None = Field(
        None,
        description="The class in the code that agents take; null for one that only a person knows",
        examples=["Blender"],
    )
    description: Text | None = Field(
        None, description="What the jobtype does", examples=["Renders frames of a .blend file"]
    )
    max_batch: Annotated[int, Field(ge=1, le=INTEGER_LIMIT)] | None = Field(
        1,
        description="The most tasks that an agent gets at once; null for no limit",
        examples=[10],
    )
    batch_contiguous: bool = Field(
        True, description="Whether a batch must consist of neighbouring frames", examples=[True]
    )
    no_automatic_start_time: bool = Field(
        False,
        description="Whether the jobtype, and not the farm, says when a task started",
        examples=[False],
    )
    supports_tiling: bool = Field(
        False, description="Whether the jobtype can render tiles", examples=[True]
    )
    success_subject: Text | None = Field(
        None,
        description="The template of the notification's subject, for a job that is done",
        examples=["{{ job.title }} is rendered"],
    )
    success_body: Text | None = Field(
        None,
        description="The template of the notification's text, for a job that is done",
        examples=["All frames of {{ job.title }} are rendered."],
    )
    fail_subject: Text | None = Field(
        None,
        description="The template of the notification's subject, for a job that failed",
        examples=["{{ job.title }} failed"],
    )
    fail_body: Text | None = Field(
        None,
        description="The template of the notification's text, for a job that failed",
        examples=["Some frames of {{ job.title }} failed."],
    )


Requirements = Annotated[
    tuple[Requirement, ...], Field(strict=False), AfterValidator(_check_requirements)
]


class JobtypeMeta(JobtypeFields):
    """A meta.yaml."""

    requirements: Requirements = Field(
        (),
        description="The software that an agent must have, each at most once",
        examples=[[{"software": "blender", "min_version": "4.2"}]],
    )


class SoftwareVersion(Model):
    """One version of a software, as its file lists it."""

    version: VersionText = Field(
        description="The version, as requirements name it; in quotes", examples=["4.2"]
    )
    rank: Annotated[int, Field(ge=-INTEGER_LIMIT, le=INTEGER_LIMIT)] = Field(
        description="The place among the software's versions: a newer version has a higher rank",
        examples=[100],
    )
    default: bool = Field(
        False,
        description="Whether the software's own default is this version",
        examples=[True],
    )
    discovery_code: Text | None = Field(
        None,
        description="Python source of the function that finds the version on an agent",
        examples=["def find():\n    return False\n"],
    )
    discovery_function_name: FunctionName | None = Field(
        None,
        description="The function in the discovery code that agents call",
        examples=["find"],
    )


def _check_versions(value: tuple[SoftwareVersion, ...]) -> tuple[SoftwareVersion, ...]:
    check_unique((v.version for v in value), "the version")
    check_unique((v.rank for v in value), "the rank")
    return value


class SoftwareFile(Model):
    """A software/<name>.yaml."""

    versions: Annotated[
        tuple[SoftwareVersion, ...], Field(strict=False), AfterValidator(_check_versions)
    ] = Field(
        (),
        description="The versions; their ranks are their order",
        examples=[[{"version": "4.2", "rank": 100}]],
    )

    def by_rank(self) -> tuple[SoftwareVersion, ...]:
        """The versions, lowest rank first."""
        return tuple(sorted(self.versions, key=lambda v: v.rank))

    def ranks(self) -> dict[str, int]:
        """The rank of each version."""
        return {v.version: v.rank for v in self.versions}

    def find(self, version: str) -> SoftwareVersion | None:
        """The version of that string, or None."""
        return next((v for v in self.versions if v.version == version), None)


Numbers = Annotated[frozenset[Annotated[int, Field(ge=1)]], Field(strict=False)]


class Withdrawn(RootModel[dict[str, Numbers]]):
    """A withdrawn.yaml: the version numbers out of service, by jobtype name."""

    model_config = ConfigDict(frozen=True, strict=True)


ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a file's data: where in it, and what."""

    message: str
    line: int | None
    place: Place = ()


@dataclass(frozen=True, slots=True)
class Parsed(Generic[ModelT]):
    """A parsed file: its *value*; None if *faults* say why there is none."""

    value: ModelT | None
    faults: tuple[Fault, ...] = ()
    document: Document | None = None


def parse_meta(data: YamlData) -> Parsed[JobtypeMeta]:
    """The meta.yaml in *data*."""
    return parse_as(JobtypeMeta, data)


def parse_software(data: YamlData) -> Parsed[SoftwareFile]:
    """The software file in *data*."""
    return parse_as(SoftwareFile, data)


def parse_withdrawn(data: YamlData) -> Parsed[Withdrawn]:
    """The withdrawn.yaml in *data*."""
    return parse_as(Withdrawn, data)


FAULTS_SHOWN = 100
"""The most reported faults of one file: they are kept, and a file has room for thousands."""


def parse_as(model: type[ModelT], data: YamlData) -> Parsed[ModelT]:
    """The *model* that the file in *data* holds."""
    try:
        document = parse_yaml(data, YAML_LIMIT_BYTES)
    except YamlFault as fault:
        return Parsed(None, (Fault(fault.message, fault.line),))
    value = {} if document.value is None else document.value
    try:
        return Parsed(model.model_validate(value), (), document)
    except ValidationError as error:
        details = error.errors(include_url=False)
        faults = [_fault_of(detail, document) for detail in details[:FAULTS_SHOWN]]
        if len(details) > FAULTS_SHOWN:
            more = len(details) - FAULTS_SHOWN
            faults.append(Fault(f"{more} more of its fields are wrong; fix these first", None))
        return Parsed(None, tuple(faults), document)


def _fault_of(detail: ErrorDetails, document: Document) -> Fault:
    place = tuple(detail["loc"])
    key = ".".join(str(part) for part in place) or "the file"
    text = document.texts.get(place)
    if detail["type"] == "string_type" and text is not None:
        message = f'{_leaf(place)} is {_kind(detail["input"])} {text}; write it in quotes: "{text}"'
        return Fault(message, document.line(place), place)
    return Fault(f"{key} {explain(detail)}", document.line(place), place)


def _kind(value: object) -> str:
    """The type that YAML gives a scalar, as words before its text."""
    if isinstance(value, bool):
        return "the truth value"
    return "the number" if isinstance(value, int | float) else "not a string but"


def _leaf(place: Place) -> str:
    names = [part for part in place if isinstance(part, str)]
    return names[-1] if names else "the value"


_SENTENCES: dict[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda d: "is missing; it is required",
    "extra_forbidden": lambda d: "is no known field; remove it or fix its spelling",
    "string_type": lambda d: f"must be a string, not {_shown(d['input'])}",
    "int_type": lambda d: f"must be an integer, not {_shown(d['input'])}",
    "bool_type": lambda d: f"must be true or false, not {_shown(d['input'])}",
    "greater_than_equal": lambda d: f"is {_shown(d['input'])}; at least {d['ctx']['ge']} is wanted",
    "less_than_equal": lambda d: f"is {_shown(d['input'])}; at most {d['ctx']['le']} is allowed",
    "string_too_long": lambda d: f"is too long; {d['ctx']['max_length']} characters is the limit",
    "value": lambda d: str(d["ctx"]["message"]),
}
_SHAPES = {
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "frozen_set_type": "must be a list",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
}


def explain(detail: ErrorDetails) -> str:
    """The message for pydantic's *detail*: the end of a sentence that begins with the field."""
    if detail["type"] in _SHAPES:
        return f"{_SHAPES[detail['type']]}, not {_shown(detail['input'])}"
    sentence = _SENTENCES.get(detail["type"])
    return sentence(detail) if sentence else f"is not valid: {detail['msg']}"


def _shown(value: object) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, dict):
        return "a mapping"
    shown = ascii(value) if isinstance(value, str) else str(value)
    return shown if len(shown) <= 40 else f"{shown[:37]}..."
