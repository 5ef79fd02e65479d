"""Programs that are too old: a sentence says what is there and what is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from api.cli.least import least_python
from gitstore.git.command import LEAST
from tests.support.commands import jobtypes
from tests.support.project import ROOT

COMMANDS = [("serve",), ("hooks", "install")]
GIT, PYTHON = (".".join(map(str, version)) for version in (LEAST, least_python()))


def bin_with(folder: Path, text: str | None) -> dict[str, str]:
    """A PATH whose git prints *text*, or that has none."""
    folder.mkdir()
    if text is not None:
        program = folder / "git"
        program.write_text(f'#!/bin/sh\necho "{text}"\n')
        program.chmod(0o755)
    return {"PATH": str(folder)}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("git version 2.25.1", f"jobtypes: Git 2.25.1 is too old; install {GIT} or newer\n"),
        (None, f"jobtypes: there is no git on PATH; install Git {GIT} or newer\n"),
    ],
    ids=["old", "none"],
)
def test_a_git_that_will_not_do_is_refused_with_what_is_needed(
    empty, tmp_path, command, text, says
):
    done = jobtypes(*command, "--repo", empty, env=bin_with(tmp_path / "bin", text))

    assert (done.returncode, done.stderr) == (3, says)
    assert not (empty / "hooks" / "pre-receive").exists()


def test_a_python_that_is_too_old_is_refused_with_what_is_needed():
    """As an older Python would come in: without what the standard library got since."""
    script = (
        "import enum, sys; del enum.StrEnum; sys.version_info = (3, 9, 2, 'final', 0);"
        " from api.cli import main; main()"
    )
    command = [sys.executable, "-c", script, "serve"]

    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=ROOT, env=dict(os.environ)
    )

    assert done.returncode == 3
    assert done.stderr == f"jobtypes: Python 3.9.2 is too old; install {PYTHON} or newer\n"


def test_the_numbers_are_those_of_the_project_and_of_its_pages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert project["requires-python"] == f">={PYTHON}"
    for page in ("README.md", "CONTRIBUTING.md", "docs/operations.md", "docs/migrating.md"):
        text = (ROOT / page).read_text()
        assert f"Python {PYTHON}" in text, page
        assert f"Git {GIT}" in text, page
    makefile = (ROOT / "Makefile").read_text()
    assert f"sys.version_info < {least_python()}" in makefile
    assert f"is not Python {PYTHON} or newer" in makefile
