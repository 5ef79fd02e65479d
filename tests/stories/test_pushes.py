"""Pushes over HTTP with the real git: what is taken, and what is refused in which words."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support.forms import forms
from tests.support.git import git, require_whole, said, tip
from tests.support.processes import require_tidy
from tests.support.rest import CODE
from tests.support.server import Server, sample_server, state


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Server]:
    """A service of two workers on the sample jobtypes."""
    with sample_server(tmp_path_factory.mktemp("farm"), "--workers", "2") as server:
        yield server


def versions(farm: Server, name: str) -> object:
    return farm.get(f"/api/v1/jobtypes/{name}/versions/").json


# What is taken


def test_a_push_says_what_it_makes_and_every_worker_serves_it(farm, td):
    td.write("jobtypes/FFmpeg/code.py", (td.path / "jobtypes/FFmpeg/code.py").read_text() + "#\n")
    td.write("jobtypes/NukeRender/code.py", "class NukeRender:\n    pass\n")
    td.write("jobtypes/NukeRender/meta.yaml", "classname: NukeRender\n")

    result = td.push()

    assert result.returncode == 0, result.stderr
    assert "FFmpeg: version 2 (was 1)" in said(result)
    assert "NukeRender: new jobtype" in said(result)
    assert f"{farm.url}/diff/FFmpeg/1..2" in said(result)
    for _ in range(8):
        assert versions(farm, "FFmpeg") == [1, 2]
    difference = farm.get("/diff/FFmpeg/1..2")
    assert (difference.status, b"+#" in difference.body) == (200, True)


def test_a_dry_run_says_the_same_and_takes_nothing(farm, td):
    before, newest = state(farm), versions(farm, "Maya")[-1]
    td.write("jobtypes/Maya/notes.txt", "dry\n")

    result = td.push("-o", "dry-run", "origin", "HEAD:main")

    assert result.returncode != 0
    assert f"Maya: version {newest + 1} (was {newest})" in said(result)
    assert "Dry run: nothing was taken" in said(result)
    assert state(farm) == before


def test_an_unknown_push_option_is_refused_by_name(farm, td):
    before = state(farm)
    td.write("jobtypes/Maya/notes.txt", "dry\n")

    result = td.push("-o", "dryrun", "origin", "HEAD:main")

    assert "the push option dryrun is not known; dry-run is" in said(result)
    assert state(farm) == before


def test_another_branch_is_taken_with_a_word_on_what_main_would_refuse(farm, td):
    td.write("jobtypes/Maya/meta.yaml", "max_batch: ten\n")

    result = td.push("origin", "HEAD:refs/heads/mine")

    assert result.returncode == 0
    assert "mine is taken; main would refuse this:" in said(result)
    assert "jobtypes/Maya/meta.yaml:1: max_batch" in said(result)
    assert td.push("origin", "--delete", "mine").returncode == 0


@pytest.mark.parametrize("protocol", ["0", "1", "2"])
def test_each_version_of_the_protocol_clones_and_pushes(farm, clone, protocol):
    worktree = clone(f"{farm.url}/jobtypes.git", "-c", f"protocol.version={protocol}")
    worktree.write(f"jobtypes/Houdini/protocol{protocol}.txt", os.urandom(9).hex())
    before = len(versions(farm, "Houdini"))

    assert worktree.push().returncode == 0

    assert len(versions(farm, "Houdini")) == before + 1


@pytest.mark.parametrize(
    "options", [("--depth", "1"), ("--filter=blob:none",), ("--filter=tree:0", "--bare")]
)
def test_shallow_and_partial_clones_work(farm, clone, options):
    made = clone(f"{farm.url}/jobtypes.git", *options)

    assert "jobtypes" in made.git("ls-tree", "--name-only", "HEAD")


def test_a_shallow_clone_pushes(farm, clone):
    worktree = clone(f"{farm.url}/jobtypes.git", "--depth", "1")
    worktree.write("jobtypes/Command/shallow.txt", "x\n")

    result = worktree.push()

    assert result.returncode == 0, result.stderr
    assert "Command: version" in said(result)


def test_tags_that_are_pushed_along_get_one_line_and_stop_nothing(farm, td):
    for name in ("mine", "Maya/v1"):
        td.git("tag", "--force", "-m", "mine", name)
    before = git(farm.repo, "for-each-ref", "refs/tags")
    td.write("jobtypes/Maya/tagged.txt", os.urandom(9).hex())
    td.commit()

    for options in (("--follow-tags",), ("--tags",)):
        result = td.push(*options, "origin", "HEAD:main")
        assert said(result).count("not taken: the service makes them") == 1
        assert "Refused" not in said(result)
    assert tip(farm.repo) == td.git("rev-parse", "HEAD").strip()
    mine = git(farm.repo, "for-each-ref", "refs/tags").replace(before, "")
    assert "mine" not in mine


@pytest.mark.parametrize(
    ("protocol", "option"),
    forms(
        [
            ("2", "--filter=blob:none"),
            ("0", "--depth=1"),
            ("1", "--filter=blob:none"),
            ("2", "--depth=1"),
        ],
        2,
    ),
)
def test_each_kind_of_clone_is_refused_asks_and_pushes_in_each_protocol(
    farm, clone, protocol, option
):
    td = clone(f"{farm.url}/jobtypes.git", "-c", f"protocol.version={protocol}", option)
    good = (td.path / "jobtypes/Houdini/meta.yaml").read_bytes()
    before = state(farm)

    td.write("jobtypes/Houdini/meta.yaml", "max_batch: ten\n")
    assert "jobtypes/Houdini/meta.yaml:1: max_batch" in said(td.push())
    td.write("jobtypes/Houdini/meta.yaml", good)
    td.write("jobtypes/Houdini/kind.txt", f"{protocol} {option}\n")
    assert "Dry run: nothing was taken" in said(td.push("-o", "dry-run", "origin", "HEAD:main"))
    assert state(farm) == before
    require_tidy(farm.repo)

    result = td.push()

    assert result.returncode == 0, result.stderr
    assert "Houdini: version" in said(result)


def test_a_push_in_chunks_is_taken(farm, td):
    td.git("config", "http.postBuffer", "65536")
    td.write("jobtypes/Nuke/large.bin", os.urandom(1_200_000))

    result = td.push()

    assert result.returncode == 0, result.stderr


def test_a_later_fetch_brings_what_rest_wrote(farm, td):
    wish = {"name": "Fetched", "classname": "Job", "code": CODE}
    assert farm.request("PUT", "/api/v1/jobtypes/Fetched", wish).status == 201

    td.git("pull", "--quiet", "--rebase")

    assert (td.path / "jobtypes/Fetched/code.py").read_text() == CODE


def test_after_all_that_the_repository_is_in_order(farm, tmp_path):
    require_whole(farm.repo, tmp_path / "whole.git")
