"""The streams of a command: of other encodings, closed, full."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gitstore.git.repository import init_repository
from tests.support.branches import Branch, jobtype
from tests.support.forms import forms

PROGRAM = f"{sys.executable} -P -m api"


@pytest.fixture(scope="module")
def repo(tmp_path_factory) -> Path:
    """A repository with names, code and subjects outside of ASCII."""
    path: Path = tmp_path_factory.mktemp("streams") / "jobtypes.git"
    Branch(path).commit(jobtype("Maya", "# \u0416\n") | jobtype("\u0416"), "\u0416")
    return path


def shell(
    line: str, repo: Path, output: int = subprocess.PIPE, **variables: str
) -> subprocess.CompletedProcess[bytes]:
    """What ``sh`` makes of *line*, in which ``jobtypes`` is the command."""
    return subprocess.run(
        ["sh", "-c", line.replace("jobtypes", PROGRAM)],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "JOBTYPES_REPO": str(repo), **variables},
        stdout=output,
        stderr=subprocess.PIPE,
        check=False,
        timeout=120,
    )


ENCODINGS = {
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "LC_ALL=C": {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
}


@pytest.mark.parametrize("variables", forms(ENCODINGS, 1))
def test_what_an_encoding_lacks_is_escaped(repo, variables):
    done = shell("jobtypes show Maya && jobtypes log Maya && jobtypes list", repo, **variables)

    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"\\u0416") + done.stdout.count("\u0416".encode()) == 3


@pytest.mark.parametrize("closed", forms(["<&- >&- 2>&-", ">&-"], 1))
def test_a_command_with_closed_streams_does_its_work(repo, closed, tmp_path):
    made = tmp_path / "made.git"
    (tmp_path / "jobtypes").mkdir()
    words = ["list", "log Maya", "show Maya", "check", "--help", f"init {made}"]

    done = shell(" && ".join(f"jobtypes {word} {closed}" for word in words), repo)

    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert done.stdout == b""
    assert made.is_dir()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("words", ["list", "--help", "list --help", "--version"])
def test_an_output_that_takes_nothing_exits_with_3(repo, words):
    done = shell(f"jobtypes {words} > /dev/full", repo)

    assert done.returncode == 3
    assert done.stderr.startswith(b"jobtypes: ")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("words", ["list", "--help"])
def test_a_pipe_that_nobody_reads_is_no_traceback(repo, words):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = shell(f"trap '' PIPE; jobtypes {words}", repo, output=writing)
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (1, b"")


def test_a_hook_escapes_what_an_encoding_lacks(tmp_path):
    bare = init_repository(tmp_path / "x.git", "main").git_dir
    zeros, one = "0" * 40, "1" * 40
    update = f"{zeros} {one} refs/notes/\u0416\n".encode()

    done = subprocess.run(
        [sys.executable, "-P", "-m", "hooks", "pre-receive"],
        input=update,
        env={**os.environ, "GIT_DIR": str(bare), "PYTHONIOENCODING": "cp1252:strict"},
        cwd=Path(__file__).parents[3],
        capture_output=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (1, b"")
    assert b"refs/notes/\\u0416 is not to be pushed" in done.stdout
