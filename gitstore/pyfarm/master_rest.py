"""Reading a master over its REST API, which tells less than its tables do."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.client import HTTPException
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from gitstore.errors import BadRequest, FarmFailed
from gitstore.format.schema import explain
from gitstore.git.remote_url import parse_remote_url
from gitstore.pyfarm.farm import (
    FIELDS,
    TEXTS,
    Farm,
    FarmJobtype,
    FarmSoftware,
    FarmSoftwareVersion,
    FarmVersion,
    Need,
    Value,
)

LIMIT_S = 60
_ADVICE = "name the API, as in http://master.example:5000/api/v1"
Progress = Callable[[int, int], None]


def read_master(url: str, progress: Progress = lambda done, total: None) -> Farm:
    """What the master whose API is at *url* says of jobtypes and software.

    Raises:
        FarmFailed: it can't be reached, or answers otherwise than a master.
    """
    return _Master(url).farm(progress)


class _Answer(BaseModel):
    """What the import needs of an answer. The fields that masters may lack are in *told*."""

    model_config = ConfigDict(extra="allow")

    def told(self, keys: tuple[str, ...]) -> dict[str, Value]:
        return {key: value for key, value in (self.model_extra or {}).items() if key in keys}


class _Jobtype(_Answer):
    id: int
    name: str


class _Need(_Answer):
    software: str
    min_version: str | None
    max_version: str | None


class _Version(_Answer):
    version: int
    code: str | None
    software_requirements: list[_Need]


class _SoftwareVersion(_Answer):
    id: int
    version: str
    rank: int


class _Software(_Answer):
    id: int
    software: str
    versions: list[_SoftwareVersion]


T = TypeVar("T")


class _Master:
    """One reading of a master."""

    def __init__(self, url: str) -> None:
        parsed = parse_remote_url(url)
        if parsed.user or parsed.password is not None or not parsed.is_clear:
            raise BadRequest(
                f"the URL {parsed.shown} has a user or password, which a master's API doesn't"
                f" take; {_ADVICE}"
            )
        self._url = url.rstrip("/")
        self._notes: list[str] = []
        self._untold: set[str] = {"default"}

    def farm(self, progress: Progress) -> Farm:
        rows = sorted(self._ask("/jobtypes/", list[_Jobtype]), key=lambda row: row.id)
        software = sorted(self._ask("/software/", list[_Software]), key=lambda row: row.id)
        jobtypes = []
        for done, row in enumerate(rows, 1):
            jobtypes.append(self._jobtype(row))
            progress(done, len(rows))
        entries = tuple(map(self._software, software))
        untold = ", ".join(sorted(self._untold))
        self._notes.append(f"the REST API doesn't tell {untold}; the database does")
        return Farm(tuple(jobtypes), entries, tuple(self._notes))

    def _text(self, path: str) -> str | None:
        """What a GET says, None for a 404."""
        try:
            with urlopen(f"{self._url}{path}", timeout=LIMIT_S) as answer:
                return str(answer.read().decode())
        except HTTPError as error:
            if error.code == 404:
                return None
            raise self._failed(path, str(error)) from None
        except (OSError, ValueError, HTTPException) as error:
            raise self._failed(path, str(error) or type(error).__name__) from None

    def _failed(self, path: str, says: str) -> FarmFailed:
        return FarmFailed(f"{self._url}{path}: {says}")

    def _ask(self, path: str, kind: type[T]) -> T:
        """What a GET says, which is JSON of that kind."""
        found = self._find(path, kind)
        if found is None:
            raise self._failed(
                path, f"is not there; {_ADVICE}, or run again if it was just deleted"
            )
        return found

    def _find(self, path: str, kind: type[T]) -> T | None:
        """What a GET says, None for a 404."""
        text = self._text(path)
        if text is None:
            return None
        try:
            said = json.loads(text)
        except (ValueError, RecursionError):
            raise self._failed(path, f"answers no JSON; {_ADVICE}") from None
        try:
            return TypeAdapter(kind).validate_python(said)
        except ValidationError as error:
            detail = error.errors(include_url=False)[0]
            place = ".".join(map(str, detail["loc"])) or "the answer"
            says = f"answers otherwise than a master: {place} {explain(detail)}; {_ADVICE}"
            raise self._failed(path, says) from None

    def _jobtype(self, row: _Jobtype) -> FarmJobtype:
        path = f"/jobtypes/{row.id}/versions/"
        numbers = sorted(set(self._ask(path, list[int])))
        answers = [self._ask(f"{path}{number}", _Version) for number in numbers]
        versions = tuple(map(self._version, answers))
        texts = versions[-1].texts if versions else {}
        return FarmJobtype(row.id, row.name, versions, texts)

    def _version(self, said: _Version) -> FarmVersion:
        fields, texts = said.told(FIELDS), said.told(TEXTS)
        self._untold.update({*FIELDS, *TEXTS} - fields.keys() - texts.keys())
        needs = (Need(n.software, n.min_version, n.max_version) for n in said.software_requirements)
        return FarmVersion(said.version, said.code or "", fields, tuple(needs), texts)

    def _software(self, row: _Software) -> FarmSoftware:
        versions = sorted(row.versions, key=lambda version: version.id)
        made = (self._software_version(row, version) for version in versions)
        return FarmSoftware(row.software, tuple(made))

    def _software_version(self, row: _Software, version: _SoftwareVersion) -> FarmSoftwareVersion:
        name, text = row.software, version.version
        fields: dict[str, Value] = {"rank": version.rank}
        path = f"/software/{row.id}/versions/{version.id}"
        said = self._find(path, dict[str, Any]) or {}
        if "discovery_function_name" in said:
            fields["discovery_function_name"] = said["discovery_function_name"]
        parts = (quote(part, safe="") for part in (name, text))
        code = self._text("/software/{}/versions/{}/discovery_code".format(*parts))
        if code is None and "/" in f"{name}{text}":
            # The master's routes end a name at a slash, however it is written.
            if fields.get("discovery_function_name") is not None:
                self._notes.append(
                    f"the discovery code of {name} {text} can't be asked for: its path has a slash"
                )
        elif "discovery_function_name" in said or code is not None:
            fields["discovery_code"] = code
        return FarmSoftwareVersion(text, fields)
