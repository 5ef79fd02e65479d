"""Reading a master over its REST API, which tells less than its tables do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import urlopen

from gitstore.errors import FarmFailed
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
Progress = Callable[[int, int], None]


def read_master(url: str, progress: Progress = lambda done, total: None) -> Farm:
    """What the master whose API is at *url* says of jobtypes and software.

    Raises:
        FarmFailed: it can't be reached, or answers otherwise than a master.
    """
    return _Master(url).farm(progress)


class _Master:
    """One reading of a master."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._notes: list[str] = []
        self._untold: set[str] = {"default"}

    def farm(self, progress: Progress) -> Farm:
        rows = sorted(self._json("/jobtypes/"), key=lambda row: int(row["id"]))
        software = sorted(self._json("/software/"), key=lambda row: int(row["id"]))
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
            raise self._failed(path, error) from None
        except (URLError, OSError, ValueError) as error:
            raise self._failed(path, error) from None

    def _failed(self, path: str, error: Exception) -> FarmFailed:
        return FarmFailed(parse_remote_url(self._url).scrub(f"{self._url}{path}: {error}"))

    def _json(self, path: str) -> Any:
        text = self._text(path)
        try:
            return json.loads(text or "")
        except ValueError:
            says = "answers no JSON; name the API, as in http://master.example:5000/api/v1"
            raise FarmFailed(
                parse_remote_url(self._url).scrub(f"{self._url}{path} {says}")
            ) from None

    def _jobtype(self, row: Mapping[str, Any]) -> FarmJobtype:
        path = f"/jobtypes/{row['id']}/versions/"
        numbers = sorted(int(number) for number in self._json(path))
        answers = [self._json(f"{path}{number}") for number in numbers]
        versions = tuple(map(self._version, answers))
        texts = versions[-1].texts if versions else {}
        return FarmJobtype(int(row["id"]), row["name"], versions, texts)

    def _version(self, said: Mapping[str, Any]) -> FarmVersion:
        self._untold.update(key for key in (*FIELDS, *TEXTS) if key not in said)
        needs = (
            Need(need["software"], need["min_version"], need["max_version"])
            for need in said["software_requirements"]
        )
        return FarmVersion(
            int(said["version"]),
            said["code"],
            _some(said, FIELDS),
            tuple(needs),
            _some(said, TEXTS),
        )

    def _software(self, row: Mapping[str, Any]) -> FarmSoftware:
        versions = sorted(row["versions"], key=lambda version: int(version["id"]))
        made = (self._software_version(row, version) for version in versions)
        return FarmSoftware(row["software"], tuple(made))

    def _software_version(
        self, row: Mapping[str, Any], version: Mapping[str, Any]
    ) -> FarmSoftwareVersion:
        name, text = row["software"], version["version"]
        fields: dict[str, Value] = {"rank": version["rank"]}
        found = self._text(f"/software/{row['id']}/versions/{version['id']}")
        said = json.loads(found) if found else {}
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


def _some(said: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Value]:
    return {key: said[key] for key in keys if key in said}
