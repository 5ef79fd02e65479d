"""The commands of changes: list, show, merge and summary."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from tests.support.branches import Branch, jobtype, propose
from tests.support.commands import jobtypes
from tests.support.git import tip
from tests.support.server import free_port

TWO = jobtype("Blender", "    two = 2\n")


@pytest.fixture
def served(branch) -> Branch:
    """A served branch with one version of Blender and of Nuke."""
    branch.commit({**jobtype("Blender"), **jobtype("Nuke")}, "Begin\n")
    return branch


Run = Callable[..., str]


@pytest.fixture
def run(served) -> Run:
    """What ``jobtypes <args>`` prints on the served repository; it must succeed."""

    def call(*args: object) -> str:
        done = jobtypes(*args, "--repo", served.path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_the_command_line_lists_shows_and_merges_changes(served, run):
    commit = propose(served, "topic", TWO, "Tiles\n")

    listed = run("changes", "list")
    shown = run("changes", "show", "topic")
    merged = run("changes", "merge", "topic", "--delete-branch", "-m", "Tiles, at last")

    assert re.search(rf"^topic +{commit[:10]} .* Test TD +Tiles$", listed, re.M)
    assert "Blender: version 2 (was 1)" in shown
    assert f"commit {commit[:10]} Test TD: Tiles" in shown
    assert "+    two = 2" in shown
    assert merged == f"merged topic in {tip(served.path)[:10]}\n"
    assert run("log", "Blender").count("\n") == 3
    assert run("changes", "list").count("\n") == 1


@pytest.mark.parametrize("words", [["show"], ["merge"], ["comment", "-m", "x"]], ids=" ".join)
def test_a_branch_whose_name_is_no_text_is_no_change(served, words):
    propose(served, "t\udcff", TWO)

    done = jobtypes("changes", *words, "t\udcff", "--repo", served.path)

    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no change on a branch t\\udcff" in done.stderr


def test_the_command_line_says_why_it_does_not_merge(served):
    propose(served, "bad", {"jobtypes/Blender/code.py": "class Job:\npass\n"})
    propose(served, "conflict", TWO)
    served.commit(jobtype("Blender", "    other = 2\n"))

    for name, says in (
        ("bad", "jobtypes/Blender/code.py"),
        ("conflict", "conflicts in jobtypes/Blender/code.py"),
        ("none", "no change on a branch none"),
    ):
        done = jobtypes("changes", "merge", name, "--repo", served.path)
        assert done.returncode == 1
        assert says in done.stderr
    assert tip(served.path) == served.tip
    shown = jobtypes("changes", "show", "conflict", "--repo", served.path)
    assert "conflict: jobtypes/Blender/code.py" in shown.stdout


def test_summary_says_what_a_pull_request_would_make(served, clone):
    propose(served, "topic", {**TWO, **jobtype("Houdini")})
    worktree = clone(served.path, "--branch", "topic")

    done = jobtypes("summary", "origin/main", "--repo", worktree.path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [
        "Blender: version 2 (was 1)",
        "Houdini: new jobtype, version 1",
    ]


def test_summary_says_what_is_missing(served, clone):
    done = jobtypes("summary", "origin/none", "--repo", clone(served.path).path)

    assert done.returncode == 1
    assert "fetch it first" in done.stderr


def test_protect_comes_from_the_settings_file(served, tmp_path):
    config = tmp_path / "settings.toml"
    config.write_text(f"protect = true\nrepo = {json.dumps(str(served.path))}\nhost = '0.0.0.0'\n")

    done = jobtypes("--config", config, "serve", "--port", free_port())

    assert done.returncode == 1
    assert "can be reached from other machines" in done.stderr
