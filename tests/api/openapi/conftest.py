"""The description of the API, as a service on the sample jobtypes has it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitstore.branch.setup import create_repository, sample_path
from tests.support.git import git
from tests.support.rest import Json, Rest
from tests.support.server import Server


@pytest.fixture(scope="module")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service on a repository made from sample_repo, with a change under review."""
    path = tmp_path_factory.mktemp("openapi") / "sample.git"
    create_repository(path, "main", sample_path())
    git(path, "branch", "fix-tiles", "main")
    server = Server(path, "--workers", "1")
    yield Rest(server)
    server.stop()


@pytest.fixture(scope="module")
def described(rest) -> Json:
    """The description, as it is served."""
    return rest.json("/openapi.json")
