"""The hot path and the application behind it, asked the same and compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask
from werkzeug.test import Client, TestResponse

from api.app import create_app, create_service
from api.cache.front import Hot
from api.config import PREFIX, Config
from api.telemetry.requests import Observed
from api.web.parts import parts_of
from tests.support.branches import BLENDER, Branch, jobtype

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LIMIT_BYTES = 1 << 20
JOB = f"{PREFIX}/jobtypes/Job"
OTHER = f"{PREFIX}/jobtypes/Other"


@dataclass
class Pair:
    """The same repository asked through the hot path and by the long way."""

    branch: Branch
    hot: Client
    long: Client
    seen: list[bool]

    def get(self, path: str, method: str = "GET", **headers: str) -> TestResponse:
        """What the hot path answers, which the long way must say too."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given["X-Request-Id"] = "the-same"
        answer = self.hot.open(path, method=method, headers=given)
        other = self.long.open(path, method=method, headers=given)
        assert (answer.status, list(answer.headers), answer.data) == (
            other.status,
            list(other.headers),
            other.data,
        ), path
        return answer

    @property
    def was_hot(self) -> bool:
        """Whether the last answer came from memory."""
        return self.seen[-1]

    def warm(self, *paths: str) -> None:
        """Have the answers of *paths* ready."""
        for path in paths:
            self.get(path)
            assert self.get(path).status_code == 200
            assert self.was_hot


def make_pair(path: Path, limit_bytes: int = LIMIT_BYTES) -> Pair:
    branch = Branch(path)
    branch.commit(jobtype("Job") | jobtype("Other") | BLENDER)
    service = create_service(Config(path, hot_bytes=limit_bytes))
    app, plain = service.app, create_app(Config(path, hot_bytes=0))
    seen: list[bool] = []
    observed = in_view(app, app)
    observed.record = lambda record: seen.append(record.is_hot)
    hot = Hot(observed, service.cache, parts_of(app).hosts)
    return Pair(branch, Client(hot), Client(in_view(plain, plain)), seen)


def in_view(application: WSGIApplication, app: Flask) -> Observed:
    """*application*, which *app* is behind, as the service puts it behind the hot path."""
    return Observed(application, parts_of(app).store, None)
