"""A service that reaches its limits soon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cloning import add_large_branch
from tests.support.server import Server, sample_server

OPTIONS = {
    "--workers": 1,
    "--threads": 8,
    "--connections": 24,
    "--connection-idle-s": 2,
    "--body-limit-bytes": 8192,
    "--body-limit-s": 1,
    "--code-limit-bytes": 2000,
    "--meta-limit-bytes": 400,
    "--push-limit-bytes": 1024 * 1024,
    "--push-jobtypes-limit": 2,
    "--write-places": 2,
    "--git-places": 1,
    "--git-idle-s": 2,
}


@pytest.fixture(scope="module")
def tight(tmp_path_factory) -> Iterator[Server]:
    """A service with low limits, on a repository made from sample_repo and a large file."""
    options = (str(word) for option in OPTIONS.items() for word in option)
    with sample_server(tmp_path_factory.mktemp("tight"), *options) as server:
        add_large_branch(server.repo)
        yield server
