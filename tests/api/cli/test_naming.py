"""Versions and names as people write them, and what is suggested for near misses."""

from __future__ import annotations

from pathlib import Path

import pytest

from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.git import git


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Path:
    """A bare repository: Maya of three versions, Blender of one, a change, and a token."""
    path: Path = tmp_path_factory.mktemp("naming") / "jobtypes.git"
    branch = Branch(path)
    branch.commit(jobtype("Maya", "# 1\n") | jobtype("Blender"), "First\n")
    branch.commit(jobtype("Maya", "# 2\n"), "Second\n\nBecause of this.\n")
    branch.commit(jobtype("Maya", "# 3\n"), "Third\n")
    git(path, "branch", "fix-tiles", "main~1")
    Tokens(path).create("alice", Role.WRITE, "alice@studio.example", ())
    return path


@pytest.mark.parametrize("named", ["Maya@2", "Maya@v2", "Maya@V2", "2@v2"])
def test_show_takes_a_version_with_and_without_its_letter(repo, named):
    assert "# Maya version 2\n" in jobtypes("show", named, "--repo", repo).stdout


@pytest.mark.parametrize(
    "words",
    ["Maya 1 2", "Maya v1 v2", "Maya 1..2", "Maya v1..v2", "Maya@1..2", "Maya@v1 Maya@v2"],
)
def test_diff_takes_two_versions_or_a_range(repo, words):
    done = jobtypes("diff", *words.split(), "--repo", repo)

    assert (done.returncode, done.stderr) == (0, "")
    assert "-# 1\n+# 2\n" in done.stdout


@pytest.mark.parametrize("words", ["Maya", "Maya 1", "Maya@1", "Maya 1 2 3", "Maya 1..2..3"])
def test_diff_asks_for_two_versions(repo, words):
    done = jobtypes("diff", *words.split(), "--repo", repo)

    assert done.returncode == 2
    assert "name two versions of Maya: 1 2, or 1..2\n" in done.stderr


@pytest.mark.parametrize("words", [["Maya@v2"], ["Maya", "--version", "v2"]], ids=" ".join)
def test_run_takes_a_version_with_the_name_or_as_an_option(repo, words):
    done = jobtypes("run", *words, "--frames", "1", "--repo", repo)

    assert "running the code of Maya, version 2, in" in done.stderr


def test_run_takes_one_version(repo):
    done = jobtypes("run", "Maya@1", "--version", "2", "--frames", "1", "--repo", repo)

    assert done.returncode == 2
    assert "name the version once" in done.stderr


def test_log_of_a_version_tells_all_about_it(repo):
    told = jobtypes("log", "Maya@v2", "--repo", repo).stdout

    assert told.startswith("Maya version 2: in service\ncommit: ")
    assert f"commit: {git(repo, 'rev-parse', 'main~1').strip()}\n" in told
    assert "authors: Test TD <td@studio.example>\n" in told
    assert "version before: 1\nfiles: M code.py\n" in told
    assert told.endswith("\n\n    Second\n\n    Because of this.\n")


def test_log_of_a_version_as_json_is_its_story_in_the_list(repo):
    rows = jobtypes("log", "Maya", "--format", "json", "--repo", repo).stdout
    row = jobtypes("log", "Maya@2", "--format", "json", "--repo", repo).stdout

    assert row.count('"number"') == 1
    assert row.strip("[]\n") in rows


NEAR = {
    "a jobtype to show": (["show", "Blnder"], "did you mean Blender?"),
    "a jobtype in another case": (["log", "maya"], "did you mean Maya?"),
    "a jobtype to compare": (["diff", "Mya", "1..2"], "did you mean Maya?"),
    "a jobtype to run": (["run", "Blendr", "--frames", "1"], "did you mean Blender?"),
    "a version": (["show", "Maya@7"], "Maya has no version 7; it has versions 1 to 3"),
    "a version's story": (["log", "Maya@v7"], "Maya has no version 7; it has versions 1 to 3"),
    "a version to compare": (["diff", "Maya", "1..7"], "it has versions 1 to 3"),
    "the only version": (["show", "Blender@2"], "it has only version 1"),
    "no number": (["show", "Maya@vv"], "vv is no version number; write it as 3 or v3"),
    "nothing": (["show", "Maya@"], " is no version number; write it as 3 or v3"),
    "a change to show": (["changes", "show", "fix-tile"], "did you mean fix-tiles?"),
    "a change to merge": (["changes", "merge", "fixtiles"], "did you mean fix-tiles?"),
    "a base": (["summary", "mian"], "did you mean main?"),
    "a preview": (["mirror", "sqlite:///x", "--preview", "fixtiles"], "did you mean fix-tiles?"),
    "a rule": (["check", "--ignore", "agent-asci"], "no rule agent-asci; did you mean agent-ascii"),
    "a token to revoke": (["token", "revoke", "Alcie"], "did you mean alice?"),
    "a token to rotate": (["token", "rotate", "alise"], "did you mean alice?"),
}


@pytest.mark.parametrize(("args", "message"), NEAR.values(), ids=NEAR)
def test_what_was_probably_meant_is_suggested(repo, args, message):
    done = jobtypes(*args, "--repo", repo)

    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words", [["shw"], ["changes", "mrge"], ["log", "--rpo", "x"]], ids=" ".join
)
def test_commands_and_options_are_suggested_too(words):
    assert "Did you mean" in jobtypes(*words).stderr


def test_numbers_with_gaps_are_counted(branch):
    branch.commit(jobtype("A", "# 1\n"))
    branch.commit(jobtype("A", "# 2\n"), "Jump\n\nJobtype-Version: 7 A\n")

    done = jobtypes("show", "A@3", "--repo", branch.path)

    assert done.stderr == "jobtypes: A has no version 3; it has 2 versions from 1 to 7\n"
