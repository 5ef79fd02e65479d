"""The command test and cases.yaml: the tests of a repository of jobtypes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from gitstore.branch.setup import sample_path
from gitstore.desk.cases import Case, Outcome, parse_cases, update
from tests.support.commands import jobtypes
from tests.support.project import ROOT

CODE = (sample_path() / "jobtypes/Nuke/code.py").read_text("ascii")
META = (sample_path() / "jobtypes/Nuke/meta.yaml").read_text("ascii")

CASES = """\
# All shots.
- name: a frame  # the usual one
  frames: 5
  data:
    script: /show/a.nk
  expect:
    - command: nuke
      arguments: [-F, "6", -x, /show/a.nk]
      environment: {NUKE_TEMP_DIR: $TEMPDIR}

# Without data.
- {name: nothing, frames: 1-2}
"""


@pytest.fixture
def folder(tmp_path):
    """A repository of jobtypes with the jobtype Nuke, a folder that is in no Git."""
    for name, content in (("code.py", CODE), ("meta.yaml", META)):
        path = tmp_path / "jobtypes" / "Nuke" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (tmp_path / "tests" / "Nuke").mkdir(parents=True)
    return tmp_path


def outcome(folder, *args) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api", "test", "--repo", str(folder), *args],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_jobtypes_code_hides_no_module_of_pythons(folder):
    """Python's debugger imports ``code``, which every folder of a jobtype has."""
    (folder / "tests/Nuke/cases.yaml").write_text(CASES.replace('"6"', '"5"').partition("\n\n")[0])

    done = subprocess.run(
        [sys.executable, "-P", "-m", "api", "test", "--repo", "../.."],
        cwd=folder / "jobtypes" / "Nuke",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_sample_passes_its_own_tests():
    done = outcome(sample_path())

    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_a_case_that_runs_another_command_fails_with_the_difference(folder):
    cases = folder / "tests" / "Nuke" / "cases.yaml"
    cases.write_text(CASES)

    done = outcome(folder, "Nuke")

    assert done.returncode == 1
    assert "-nuke -F 6 -x /show/a.nk\n+nuke -F 5 -x /show/a.nk" in done.stdout
    assert f"{cases}:2: a frame" in done.stdout
    assert f"{cases}:12: nothing" in done.stdout
    assert "the case has no `expect`; jobtypes test --update writes it" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_update_writes_what_came_out_and_keeps_comments(folder):
    cases = folder / "tests" / "Nuke" / "cases.yaml"
    cases.write_text(CASES.replace("nothing, frames: 1-2", "two, frames: 1-2, data: {script: /b}"))

    updated = outcome(folder, "--update")

    assert updated.returncode == 0, updated.stdout
    text = cases.read_text()
    assert text.startswith("# All shots.\n- name: a frame  # the usual one\n  frames: 5\n")
    assert '[-F, "5", -x, /show/a.nk]' in text
    assert "\n# Without data.\n" in text
    assert outcome(folder).returncode == 0


def test_a_case_whose_jobtype_has_an_error_is_not_updated(folder):
    cases = folder / "tests" / "Nuke" / "cases.yaml"
    cases.write_text(CASES)

    done = outcome(folder, "--update")

    assert done.returncode == 1
    assert "The job's data lack 'script', which Nuke needs." in done.stdout
    assert cases.read_text().endswith("- {name: nothing, frames: 1-2}\n")


UNREADABLE = {
    ":2: case 1: frame is no known field": "- name: x\n  frame: 1\n",
    ":1: case 1: name is missing": "- frames: 1\n",
    ":1: the file must be a list, not a mapping": "name: x\n",
    'quotes: "7"': "- name: x\n  frames: 1\n  expect:\n  - {command: a, arguments: [7]}\n",
}
IMPOSSIBLE = {
    "'y' names no frames": "- name: x\n  frames: y\n",
    "this jobtype renders no tiles": "- name: x\n  frames: 1\n  tiles: 4\n",
}


@pytest.mark.parametrize("wrong", [UNREADABLE, IMPOSSIBLE], ids=["unreadable", "impossible"])
def test_what_is_wrong_with_cases_is_said_with_its_line(folder, wrong):
    for number, text in enumerate(wrong.values()):
        name = f"Wrong{number}"
        shutil.copytree(folder / "jobtypes" / "Nuke", folder / "jobtypes" / name)
        cases = folder / "tests" / name / "cases.yaml"
        cases.parent.mkdir()
        cases.write_text(text)

    done = outcome(folder)

    assert done.returncode == 1
    parts = re.split(r"(?m)^_{3,} .* _{3,}$", done.stdout)[1:]
    assert len(parts) == len(wrong), done.stdout
    for sentence, part in zip(wrong, parts, strict=True):
        assert sentence in part
    assert "Traceback" not in done.stdout + done.stderr


def test_fixtures_are_those_of_the_jobtype_in_whose_folder_a_test_is(folder):
    (folder / "tests" / "Nuke" / "test_nuke.py").write_text(
        """\
def test_commands(commands):
    first, second = commands("1-11", {"script": "/a"}, batch=10)
    assert first.arguments == ("-F", "1-10x1", "-x", "/a")
    assert second.arguments == ("-F", "11", "-x", "/a")

def test_one_assignment(assignment, tmp_path):
    run = assignment([1, 5, 6], {"script": "/a"}, environ={"SHOW": "moon"})
    assert run.command.env["SHOW"] == "moon"
    run.prints("Frame 5 (2 of 3)")
    run.complains("ERROR: no plate")
    assert run.progress == [(5, 1.0)]
    assert run.exits(0) == ["failed"] * 3

def test_the_class(jobtype):
    assert jobtype.__name__ == "Nuke"
"""
    )

    done = outcome(folder, "Nuke", "-k", "not class")

    assert "2 passed, 1 deselected" in done.stdout, done.stdout
    assert outcome(folder).returncode == 0


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Nuk", "there is no jobtype Nuk in "),
        ("Nuk", "did you mean Nuke?"),
        ("Blender", "Blender has no tests; write "),
    ],
)
def test_a_jobtype_without_tests_is_named(folder, name, sentence):
    (folder / "jobtypes" / "Blender").mkdir()

    done = jobtypes("test", name, "--repo", folder)

    assert done.returncode == 1
    assert sentence in done.stderr


def test_what_a_case_says_does_nothing_to_a_terminal(folder):
    case = '- {name: "a\\x1b[2Jb", frames: 1, data: {script: "/a\\x1b[31m"}, expect: []}\n'
    (folder / "tests" / "Nuke" / "cases.yaml").write_text(case)

    done = outcome(folder)

    assert done.returncode == 1
    assert r"cases.yaml:1: a\x1b[2Jb" in done.stdout
    assert "\x1b" not in done.stdout


def test_an_update_changes_nothing_but_what_is_expected():
    data = (
        b"# Mine\n- name: x  # here\n  frames: 0x10\n  data:\n    when: 2020-01-01\n"
        b"    odd: [.nan, .inf, 1e3, 2020-01-01, 1_0, ~]\n"
    )

    assert update(data, {0: Outcome()}) == data + b"  expect: []\n"


@pytest.mark.parametrize("code", ["import os\nos._exit(0)\n", "import os\nos._exit(70)\n"])
def test_code_that_ends_the_tests_is_no_success(folder, code):
    (folder / "jobtypes" / "Nuke" / "code.py").write_text(code)
    (folder / "tests" / "Nuke" / "cases.yaml").write_text(CASES)

    done = outcome(folder)

    assert done.returncode == 1
    assert "the tests ended early" in done.stderr


def test_a_file_in_another_style_is_written_again():
    data = b'[{"name": "x", "frames": "1"}]'

    text = update(data, {0: Outcome()}).decode()

    again = parse_cases(text.encode()).value
    assert again is not None
    assert again.root == (Case(name="x", frames="1", expect=()),)
