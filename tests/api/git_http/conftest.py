"""A service with few slots, and a TD who has something to push to it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.cloning import add_large_branch
from tests.support.git import Worktree
from tests.support.git_http import SLOTS
from tests.support.server import Server, sample_server

OPTIONS = ("--workers", "1", "--threads", "8", "--git-places", str(SLOTS), "--body-limit-s", "2")


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Server]:
    """A service on the sample jobtypes with few slots, and a branch that is long to clone."""
    with sample_server(tmp_path_factory.mktemp("farm"), *OPTIONS) as server:
        add_large_branch(server.repo)
        yield server


@pytest.fixture
def td(farm, clone) -> Worktree:
    """A TD's clone of the served branch, with a new version to push."""
    made: Worktree = clone(f"{farm.url}/jobtypes.git", "--single-branch")
    made.write("jobtypes/Maya/notes.txt", os.urandom(9).hex())
    made.commit()
    return made
