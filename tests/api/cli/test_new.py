"""The command new: a jobtype that begins passes every check and its own case."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gitstore.branch.setup import create_repository, sample_path
from tests.sample_repo.sample import syntax_of_python_3
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Worktree:
    folder = tmp_path_factory.mktemp("new")
    create_repository(folder / "served.git", "main", sample_path())
    git(folder, "clone", "--quiet", "served.git", "clone")
    return Worktree(folder / "clone")


def files(copy: Worktree, name: str) -> tuple[str, dict[str, object]]:
    folder = copy.path / "jobtypes" / name
    meta: dict[str, object] = yaml.safe_load((folder / "meta.yaml").read_text("utf-8"))
    return (folder / "code.py").read_text("ascii"), meta


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("Karma", ""),
        ("Karma Two", 'Renders "Karma" \\ and: more\n  # lines """'),
        ("_x.y+z-1", "Ren\u00e4ders"),
    ],
)
def test_a_new_jobtype_passes_every_check_and_its_own_case(copy, name, description):
    args = ("--description", description) if description else ()

    done = jobtypes("new", name, *args, "--requires", "houdini>=20.5", "--repo", copy.path)

    assert done.returncode == 0, done.stderr
    code, meta = files(copy, name)
    assert syntax_of_python_3(code) == []
    assert meta["requirements"] == [{"software": "houdini", "min_version": "20.5"}]
    if description:
        assert meta["description"] == " ".join(description.split())
    checked = jobtypes("check", copy.path, "--agent-python27")
    assert checked.stdout == ""
    run = jobtypes("run", name, "--frames", "1-9", "--data", "scene=/a", "--repo", copy.path)
    assert run.stdout == "houdini --start 1 --end 5 /a\nhoudini --start 6 --end 9 /a\n"
    assert jobtypes("test", name, "--repo", copy.path).returncode == 0


def test_a_jobtype_can_begin_as_a_copy_of_another(copy):
    words = ("new", "Maya Two", "--from", "Maya", "--description", "Ours")

    done = jobtypes(*words, "--repo", copy.path)

    assert done.returncode == 0, done.stderr
    code, meta = files(copy, "Maya Two")
    assert meta["classname"] == "MayaTwo"
    assert meta["description"] == "Ours"
    assert "super(MayaTwo, self)" in code
    assert "Render takes one evenly spaced range" in (
        copy.path / "jobtypes/Maya Two/meta.yaml"
    ).read_text("utf-8")
    assert jobtypes("check", copy.path).stdout == ""
    assert jobtypes("test", "Maya Two", "--repo", copy.path).returncode == 0


def test_a_folder_without_git_can_begin_with_a_jobtype_of_the_sample(tmp_path):
    (tmp_path / "jobtypes").mkdir()

    done = jobtypes("new", "Nuke", "--from", "Nuke", "--repo", tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "tests" / "conftest.py").read_text().count("gitstore.desk.plugin") == 1
    assert jobtypes("test", "--repo", tmp_path).returncode == 0


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["Blender"], "Blender already; choose another name"),
        (["blender"], "Blender already; choose another name"),
        (["a/b"], "the name a/b holds '/'"),
        (["../x"], "the name ../x "),
        (["X", "--from", "Mayo"], "did you mean Maya?"),
        (["X", "--requires", "blendr"], "did you mean blender?"),
        (["X", "--requires", "blender>=9"], "has no version 9; it has 2.69, 3.6, 4.2"),
        (["X", "--requires", "blender>4"], "'blender>4' is no requirement; write blender, or"),
    ],
)
def test_what_can_not_begin_is_said_and_nothing_is_written(copy, args, sentence):
    before = sorted(copy.path.rglob("*"))

    done = jobtypes("new", *args, "--repo", copy.path)

    assert done.returncode == 1
    assert sentence in done.stderr
    assert sorted(copy.path.rglob("*")) == before


def test_a_bare_repository_is_no_place_for_files(sample):
    done = jobtypes("new", "X", "--repo", sample)

    assert done.returncode == 1
    assert "make the jobtype in a clone of it" in done.stderr
    assert not (Path(sample) / "jobtypes" / "X").exists()
