"""pre-commit's definition, which the project ships: what it runs, and what that looks at."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.support.branches import write_jobtype
from tests.support.project import ROOT

# pre-commit's definition


@pytest.fixture(scope="module")
def definition() -> dict[str, object]:
    """The one hook that the project offers to pre-commit."""
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert isinstance(hooks, list)
    (hook,) = hooks
    assert isinstance(hook, dict)
    return hook


def run_entry(definition: dict[str, object], where: Path) -> subprocess.CompletedProcess[str]:
    """The entry as pre-commit would run it, in the root of a working copy."""
    program, *args = str(definition["entry"]).split()
    command = [str(Path(sys.executable).with_name(program)), *args]
    return subprocess.run(command, cwd=where, capture_output=True, text=True, check=False)


def test_the_definition_has_what_pre_commit_asks_for(definition):
    assert {"id", "name", "entry", "language"} <= definition.keys()
    assert definition["id"] == "jobtypes-check"
    assert definition["language"] == "python"
    assert definition["pass_filenames"] is False


def test_it_runs_for_a_commit_that_only_deletes_which_pre_commit_leaves_out_of_its_files(
    definition,
):
    assert definition["always_run"] is True
    assert "files" not in definition


def test_its_entry_lets_what_is_good_pass_and_what_is_bad_not(definition, worktree):
    write_jobtype(worktree, "First")
    worktree.git("add", "-A")
    good = run_entry(definition, worktree.path)
    write_jobtype(worktree, "First", meta="max_batch: ten\n")
    worktree.git("add", "-A")
    bad = run_entry(definition, worktree.path)

    assert good.returncode == 0, good.stderr
    assert bad.returncode == 1
    assert "jobtypes/First/meta.yaml:2: error: max_batch" in bad.stdout


def test_its_entry_looks_at_what_is_staged_alone(definition, worktree):
    write_jobtype(worktree, "First")
    worktree.commit()
    write_jobtype(worktree, "Scratch", meta="max_batch: ten\n")
    assert run_entry(definition, worktree.path).returncode == 0

    worktree.git("add", "jobtypes/Scratch/code.py")
    half = run_entry(definition, worktree.path)
    worktree.git("rm", "--quiet", "-rf", "--cached", "jobtypes/Scratch")
    worktree.git("rm", "--quiet", "jobtypes/First/code.py")
    deleted = run_entry(definition, worktree.path)

    assert "jobtypes/Scratch/meta.yaml: error: is missing" in half.stdout
    assert "jobtypes/First/code.py: error: is missing" in deleted.stdout
    assert (half.returncode, deleted.returncode) == (1, 1)


def test_its_entry_takes_a_file_that_is_only_announced_for_none(definition, worktree):
    write_jobtype(worktree, "First")
    worktree.commit()
    worktree.write("jobtypes/Later/code.py", "class Job:\n    pass\n")
    worktree.git("add", "--intent-to-add", "jobtypes/Later/code.py")

    done = run_entry(definition, worktree.path)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("part", [("-a",), ("jobtypes/First/meta.yaml",)])
def test_its_entry_as_a_hook_sees_what_a_commit_of_a_part_takes(definition, worktree, part):
    write_jobtype(worktree, "First")
    worktree.commit()
    hook = worktree.path / ".git/hooks/pre-commit"
    folder = Path(sys.executable).parent
    hook.write_text(f"#!/bin/sh\nexec {folder}/{definition['entry']}\n")
    hook.chmod(0o755)
    write_jobtype(worktree, "First", meta="max_batch: ten\n")
    command = ["git", "-C", str(worktree.path), "commit", "-m", "bad", *part]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert "jobtypes/First/meta.yaml:2: error: max_batch" in done.stdout + done.stderr


def test_where_nothing_can_be_staged_the_check_says_so(definition, empty):
    done = run_entry(definition, empty)

    assert done.returncode == 1
    assert "no working copy" in done.stderr


def test_its_program_is_one_that_the_project_installs(definition):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert str(definition["entry"]).split()[0] in project["scripts"]
