"""What a process imports, which is most of what its start costs. Named here, not timed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT

READING = {"pydantic", "pygit2", "yaml"}
"""What reading a repository takes: half a second of a slow machine."""

SERVING = {"flask", "werkzeug", "granian", "prometheus_client", "sqlalchemy", "asyncio", "http"}
"""What only the service needs, or only what reads a farm's database."""


def heavy(*command: str, cwd: Path = ROOT, **variables: str) -> set[str]:
    """Those of READING and SERVING, and click, that ``python <command>`` imports."""
    done = subprocess.run(
        [sys.executable, "-P", "-X", "importtime", *command],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "encodings" in names
    return (READING | SERVING | {"click"}) & names


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["serve", "--help"]], ids=" ".join)
def test_help_and_version_import_nothing_that_reads_or_serves(args):
    assert heavy("-m", "api", *args) == {"click"}


@pytest.mark.parametrize("words", ["jobtypes c", "jobtypes serve --po"])
def test_completion_imports_nothing_that_reads_or_serves(words):
    variables = {
        "_JOBTYPES_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(words.count(" ")),
    }

    assert heavy("-m", "api", **variables) == {"click"}


@pytest.mark.parametrize("args", [["check"], ["list", "--repo"]], ids=" ".join)
def test_commands_that_read_import_nothing_that_serves(sample, args):
    assert heavy("-m", "api", *args, str(sample)) == READING | {"click"}


@pytest.mark.parametrize("name", ["pre-receive", "pre-push"])
def test_hooks_import_nothing_that_serves(sample, name):
    assert heavy("-m", "hooks", name, cwd=sample, GIT_DIR=".") == READING


def test_after_a_push_of_another_branch_nothing_is_imported_that_reads_jobtypes(sample):
    assert heavy("-m", "hooks", "post-receive", cwd=sample, GIT_DIR=".") == {"pygit2"}
