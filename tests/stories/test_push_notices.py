"""What a push says beside what it makes: options, junk, pointers, files no agent sees."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from gitstore.setup import create_repository, sample_path
from tests.support.git import Worktree
from tests.support.server import Server


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Server]:
    """A service on the sample jobtypes."""
    repo = tmp_path_factory.mktemp("farm") / "farm.git"
    create_repository(repo, "main", sample_path())
    server = Server(repo, "--workers", "1")
    yield server
    server.stop()


@pytest.fixture
def td(farm, clone) -> Worktree:
    """A TD's clone of it."""
    made: Worktree = clone(f"{farm.url}/jobtypes.git")
    return made


def said(result: subprocess.CompletedProcess[str]) -> str:
    """What the push was told, its lines joined again."""
    lines = (line for line in result.stderr.splitlines() if line.startswith("remote: "))
    return " ".join(" ".join(line.removeprefix("remote: ").split()) for line in lines)


# Push options


def test_options_for_another_forge_are_ignored_with_one_line(td):
    td.git("config", "--add", "push.pushOption", "ci.skip")
    td.git("config", "--add", "push.pushOption", "merge_request.create\x1b[31m")
    td.write("jobtypes/Maya/code.py", (td.path / "jobtypes/Maya/code.py").read_text() + "# x\n")

    result = td.push()

    assert result.returncode == 0
    assert "Maya: version 2" in said(result)
    assert said(result).count("ignored") == 1
    assert "ci.skip" in said(result)
    assert "\x1b[31m" not in result.stderr


def test_they_do_not_hide_the_one_that_is_known(td):
    td.write("jobtypes/Nuke/notes.txt", "x\n")

    result = td.push("-o", "ci.skip", "-o", "dry-run", "origin", "HEAD:main")

    assert result.returncode != 0
    assert "Dry run: nothing was taken" in said(result)


@pytest.mark.parametrize("option", ["dryrun", "Dry_Run", "dry-run=true", "--dry-run"])
def test_a_misspelt_dry_run_takes_nothing(td, option):
    td.write("jobtypes/Nuke/notes.txt", "x\n")

    result = td.push("-o", option, "origin", "HEAD:main")

    assert result.returncode != 0
    assert "is not known; dry-run is" in said(result)
