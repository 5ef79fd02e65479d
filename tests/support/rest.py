"""The REST API as tests speak to it: its prefix, bodies that are accepted, fewer words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient

from gitstore.git.repository import init_repository
from tests.support.server import Answer, Server

PREFIX = "/api/v1"
CODE = "class Job:\n    pass\n"

NOWHERE = (
    "/favicon.ico",
    "/api",
    "/api/v2/jobtypes/",
    "/api/v1/Jobtypes/",
    "/api/v1//jobtypes/",
    "/api/v1/jobtypes/a/b",
    "/api/v1/jobtypes/Made/versions/01",
    "/api/v1/jobtypes/Made/versions/1/codes",
    "/api/v1/jobtypes/Made/versions/1/code/x",
    "/api/v1/jobtypes/../jobtypes/",
    "/%ff%fe",
    "/%3Cscript%3E",
)
"""Paths where nothing is, at every layer."""

Json = Any
"""What a body says; tests look into it without asking its types."""


def body(name: str, /, **fields: object) -> dict[str, object]:
    """A body that a POST or PUT of a jobtype accepts."""
    return {"name": name, "classname": "Job", "code": CODE, **fields}


def code(mark: object) -> str:
    """Valid code that differs from others by *mark*."""
    return f"{CODE}    mark = {mark!r}\n"


def item(kind: str, key: object, *rest: object) -> str:
    """The path of a jobtype or software, or of something below it; *key* is quoted whole."""
    return "/".join([f"/{kind}", quote(str(key), safe=""), *map(str, rest)])


def error(answer: Answer, status: int) -> Json:
    """The body of *answer*, which must be an error of that *status*, as every error is."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    said: Json = answer.json
    assert isinstance(said.pop("error"), str)
    for detail in said.pop("details", []):
        assert sorted(detail) == ["message", "path"]
        assert all(isinstance(text, str) for text in detail.values())
    assert said == {}
    return answer.json


@dataclass
class Rest:
    """A server, spoken to below the prefix."""

    server: Server

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        return self.server.request(method, PREFIX + path, body, headers)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self("GET", path, headers=headers)

    def json(self, path: str) -> Json:
        """What a GET says, which must be answered with 200."""
        answer = self.get(path)
        assert answer.status == 200, answer.body
        return answer.json

    def jobtype(self, name: str, /, **fields: object) -> Json:
        """Make a new version of jobtype *name*, which must be accepted; what was answered."""
        answer = self("PUT", item("jobtypes", name), body(name, **fields))
        assert answer.status == 201, answer.body
        return answer.json

    def software(self, name: str, *versions: str) -> Json:
        """Make or change software *name*, which must be accepted; what was answered."""
        sent = {"software": name, "versions": [{"version": v} for v in versions]}
        answer = self("PUT", item("software", name), sent)
        assert answer.status in (200, 201), answer.body
        return answer.json


@dataclass
class Direct:
    """The application in this process, spoken to below the prefix as if over HTTP."""

    client: FlaskClient

    def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        said = self.client.open(PREFIX + path, method=method, json=body, headers=headers)
        found = {name.lower(): value for name, value in said.headers.items()}
        return Answer(said.status_code, found, said.data)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self("GET", path, headers=headers)


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Rest]:
    """A service on a new repository in *folder*, for a whole module of tests."""
    git_dir = init_repository(folder / "served.git", "main").git_dir
    server = Server(git_dir, *(options or ("--workers", "1")))
    try:
        yield Rest(server)
    finally:
        server.stop()


def put_jobtype(server: Server, name: str, **fields: object) -> Answer:
    """The answer to a PUT of a jobtype."""
    return server.request("PUT", f"{PREFIX}/jobtypes/{name}", body(name, **fields))
