"""``jobtypes check``: what it looks at, what it prints, and in which formats."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.support.commands import jobtypes
from tests.support.project import ROOT


@pytest.fixture
def sound(tmp_path) -> Path:
    """A folder with the sample jobtypes, no repository."""
    shutil.copytree(ROOT / "sample_repo", tmp_path / "folder")
    return tmp_path / "folder"


@pytest.fixture
def faulty(tmp_path) -> Path:
    """A folder with two errors and a warning."""
    folder = tmp_path / "faulty"
    for path, content in {
        "jobtypes/A/code.py": "class A:\n    pass\nx = \n",
        "jobtypes/A/meta.yaml": "classname: A\nmax_batch: 0\n",
        "jobtypes/B/code.py": "class B:\n    pass\n",
        "jobtypes/B/meta.yaml": "description: no class\n",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)
    return folder


# check


def test_check_of_a_sound_folder_prints_no_error_and_exits_with_0(sound):
    done = jobtypes("check", sound)

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{sound}: 0 errors, 0 warnings\n"


def test_check_prints_path_line_severity_and_sentence(faulty):
    done = jobtypes("check", faulty)

    code, meta = f"{faulty}/jobtypes/A/code.py", f"{faulty}/jobtypes/A/meta.yaml"
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert any(re.match(rf"{re.escape(code)}:3: error: is no valid Python 3: .", x) for x in lines)
    assert f"{meta}:2: error: max_batch is 0; at least 1 is wanted [meta-field]" in lines
    assert any(re.match(rf"{re.escape(str(faulty))}/jobtypes/B/.*: warning: .", x) for x in lines)
    assert done.stderr == f"{faulty}: 2 errors, 1 warning\n"


def test_warnings_alone_exit_with_0_and_agents_rules_can_be_switched_off(faulty):
    shutil.rmtree(faulty / "jobtypes/A")

    warned = jobtypes("check", faulty)
    ignored = jobtypes("check", faulty, "--ignore", "agent-classname")

    assert warned.returncode == ignored.returncode == 0
    assert ": warning: " in warned.stdout
    assert ignored.stdout == ""


@pytest.mark.parametrize("rule", ["no-such-rule", "code-syntax"])
def test_a_rule_that_can_not_be_switched_off_exits_with_1(sound, rule):
    done = jobtypes("check", sound, "--ignore", rule)

    assert (done.returncode, done.stdout) == (1, "")
    assert rule in done.stderr


def test_check_without_checks_of_code_takes_any_code(faulty):
    shutil.rmtree(faulty / "jobtypes/B")
    (faulty / "jobtypes/A/meta.yaml").write_text("classname: A\n")

    assert jobtypes("check", faulty).returncode == 1
    assert jobtypes("check", faulty, "--code-checks", "off").returncode == 0
    assert jobtypes("check", faulty, env={"JOBTYPES_CODE_CHECKS": "off"}).returncode == 0


def test_check_as_githubs_commands(faulty):
    done = jobtypes("check", faulty, "--format", "github")

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    pattern = r"::(error|warning) file=[^,]+(,line=\d+)?,title=[a-z-]+::.+"
    assert all(re.fullmatch(pattern, line) for line in lines)
    place = f"::error file={faulty}/jobtypes/A/meta.yaml,line=2,title=meta-field::"
    assert [line for line in lines if line.startswith(place)]


def test_check_as_gitlabs_report(faulty, sound):
    done = jobtypes("check", faulty, "--format", "gitlab")

    assert done.returncode == 1
    report = json.loads(done.stdout)
    keys = ["check_name", "description", "fingerprint", "location", "severity"]
    assert [sorted(row) for row in report] == [keys] * 3
    assert sorted(row["severity"] for row in report) == ["critical", "critical", "minor"]
    assert len({row["fingerprint"] for row in report}) == 3
    assert all(row["location"]["lines"]["begin"] >= 1 for row in report)
    assert json.loads(jobtypes("check", sound, "--format", "gitlab").stdout) == []


def test_check_as_json(faulty, sound):
    done = jobtypes("check", faulty, "--format", "json")

    assert done.returncode == 1
    rows = json.loads(done.stdout)
    assert [sorted(row) for row in rows] == [["line", "message", "path", "rule", "severity"]] * 3
    syntax = next(row for row in rows if row["rule"] == "code-syntax")
    assert (syntax["line"], syntax["severity"]) == (3, "error")
    assert syntax["path"] == f"{faulty}/jobtypes/A/code.py"
    assert json.loads(jobtypes("check", sound, "--format", "json").stdout) == []


@pytest.mark.parametrize("form", ["text", "github", "gitlab", "json", "sarif"])
def test_check_of_a_bare_repository_looks_at_its_branch(example, form):
    done = jobtypes("check", example, "--format", form)

    assert done.returncode == 1
    assert "jobtypes/A/meta.yaml" in done.stdout
    assert str(example) not in done.stdout
    assert jobtypes("check", "--repo", example, "--format", form) == done


def test_check_of_a_working_copy_looks_at_what_is_not_committed_yet(sample, clone):
    worktree = clone(sample)
    assert jobtypes("check", worktree.path).returncode == 0
    worktree.write("jobtypes/Blender/meta.yaml", "max_batch: ten\n")

    done = jobtypes("check", worktree.path)

    assert done.returncode == 1
    assert done.stdout.startswith(f"{worktree.path}/jobtypes/Blender/meta.yaml:1: error: max_batch")


def test_check_of_the_folder_one_is_in_prints_paths_as_they_are(faulty, monkeypatch):
    monkeypatch.chdir(faulty)

    done = jobtypes("check")

    assert done.returncode == 1
    assert done.stdout.startswith("jobtypes/A/code.py:3: error: ")


def test_check_of_a_repository_without_a_commit_finds_nothing(empty):
    assert jobtypes("check", empty).returncode == 0


@pytest.mark.parametrize("below", ["jobtypes", "jobtypes/Blender", ".github"])
def test_check_within_a_working_copy_looks_at_all_of_it(sample, clone, monkeypatch, below):
    worktree = clone(sample)
    worktree.write("jobtypes/Nuke/meta.yaml", "max_batch: 0\n")
    (worktree.path / below).mkdir(exist_ok=True)
    monkeypatch.chdir(worktree.path / below)

    done = jobtypes("check")

    assert done.returncode == 1
    up = "/".join([".."] * len(Path(below).parts))
    assert f"{up}/jobtypes/Nuke/meta.yaml:1: error: max_batch is 0" in done.stdout


def test_check_of_a_folder_without_jobtypes_exits_with_1(tmp_path):
    done = jobtypes("check", tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"jobtypes: {tmp_path} has neither jobtypes/ nor software/" in done.stderr


def test_check_of_a_folder_of_jobtypes_within_a_working_copy_is_of_that_folder(sample, clone):
    worktree = clone(sample)
    worktree.write("jobtypes/Nuke/meta.yaml", "max_batch: 0\n")
    shutil.copytree(ROOT / "sample_repo", worktree.path / "other")

    assert jobtypes("check", worktree.path / "other").returncode == 0


def test_check_of_no_folder_exits_with_1(tmp_path):
    done = jobtypes("check", tmp_path / "none")

    assert (done.returncode, done.stdout) == (1, "")
    assert "is no folder" in done.stderr


def test_check_runs_nothing_of_what_it_checks(sound, tmp_path):
    trap = tmp_path / "ran"
    code = f"import os\nos.mkdir({os.fspath(trap)!r})\nclass Blender:\n    pass\n"
    (sound / "jobtypes/Blender/code.py").write_text(code)

    assert jobtypes("check", sound).returncode == 0

    assert not trap.exists()
