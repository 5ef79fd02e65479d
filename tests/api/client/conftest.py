"""The service that the tests of the client share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.asked import Farm, asked_farm
from tests.support.git import git


@pytest.fixture
def kept(isolated) -> Path:
    """The file in which Git's credential helper keeps what it knows."""
    path: Path = isolated / "kept"
    git(isolated, "config", "--global", "credential.helper", f"store --file {path}")
    return path


@pytest.fixture(scope="package")
def farm(tmp_path_factory) -> Iterator[Farm]:
    """A service with a history, a change and tokens. Tests that write keep apart by names."""
    with asked_farm(tmp_path_factory.mktemp("asked")) as made:
        yield made
