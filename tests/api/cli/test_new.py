"""The command new: a jobtype that begins passes every check and its own case."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
import yaml

from gitstore.branch.setup import create_repository, sample_path
from tests.sample_repo.sample import syntax_of_python_3
from tests.support.commands import jobtypes
from tests.support.forms import forms
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
    forms(
        [
            ("Karma", ""),
            ("Karma Two", 'Renders "Karma" \\ and: more\n  # lines """'),
            ("_x.y+z-1", "Ren\u00e4ders"),
            ("Odd", "#: it's \U0001f600 {a} %s."),
            ("Far", "\u65e5\u672c"),
        ],
        2,
    ),
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
    assert shlex.join(["jobtypes", "test", name, "--repo", str(copy.path)]) in done.stdout


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


def test_a_copy_has_the_other_files_and_a_description_on_one_line(copy):
    folder = copy.path / "jobtypes" / "Houdini"
    (folder / "presets").mkdir()
    (folder / "presets" / "a.bin").write_bytes(b"\0\xff")
    (folder / "render.py").chmod(0o755)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "code.pyc").touch()
    (folder / "away").symlink_to("/etc/passwd")
    (copy.path / "tests" / "Houdini" / "farm.log").write_bytes(b"\xfe Houdini\n")

    done = jobtypes(
        "new", "Karma3", "--from", "Houdini", "--description", "a\n#: b", "--repo", copy.path
    )

    (folder / "away").unlink()
    assert done.returncode == 0, done.stderr
    made = folder.with_name("Karma3")
    assert sorted(path.name for path in made.iterdir()) == [
        *("code.py", "meta.yaml", "presets", "render.py")
    ]
    assert (made / "presets" / "a.bin").read_bytes() == b"\0\xff"
    assert os.access(made / "render.py", os.X_OK)
    assert (copy.path / "tests" / "Karma3" / "farm.log").read_bytes() == b"\xfe Houdini\n"
    assert files(copy, "Karma3")[1]["description"] == "a #: b"
    assert jobtypes("check", copy.path).stdout == ""
    assert jobtypes("test", "Karma3", "--repo", copy.path).returncode == 0


@pytest.mark.parametrize("source", [(), ("--from", "Maya")])
@pytest.mark.parametrize(
    "there",
    ["tests/Wide/cases.yaml", "tests/Wide", "jobtypes/Wide", "jobtypes/wide", "tests"],
)
def test_what_is_there_already_stays_even_a_link_to_nothing(tmp_path, there, source):
    (tmp_path / "jobtypes").mkdir()
    path = tmp_path / there
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(tmp_path / "nowhere")

    done = jobtypes("new", "Wide", *source, "--repo", tmp_path)

    assert done.returncode == 1
    assert f"{path} " in done.stderr
    assert not (tmp_path / "nowhere").exists()
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


def test_a_test_that_was_written_before_its_jobtype_is_not_overwritten(tmp_path):
    cases = tmp_path / "tests" / "Wide" / "cases.yaml"
    cases.parent.mkdir(parents=True)
    cases.write_text("mine")
    (tmp_path / "jobtypes").mkdir()

    done = jobtypes("new", "Wide", "--repo", tmp_path)

    assert done.returncode == 1
    assert f"there is {cases} already; move it away" in done.stderr
    assert cases.read_text() == "mine"
    assert not any((tmp_path / "jobtypes").iterdir())


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
        (["X", "--requires", "blender", "--requires", "blender>=3.6"], "blender twice; keep one"),
        (["X", "--description", "a\x7f"], "description holds the character U+007F, which is no"),
        (["X", "--from", "Maya", "--description", "a\x01"], "holds the character U+0001, which"),
        (["X", "--description", "a\udcff"], "the description holds bytes that are no text"),
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
