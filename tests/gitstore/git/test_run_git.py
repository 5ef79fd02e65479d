"""The git program: what it reads, and where something else keeps its output open."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitstore.git import command
from gitstore.git.command import GitFailed, GitTimeout, run_git


@pytest.fixture
def started(tmp_path) -> Iterator[Path]:
    """The file for the id of a process in the background, which ends with the test."""
    file = tmp_path / "pid"
    yield file
    os.kill(int(file.read_text()), signal.SIGKILL)


def background(file: Path, then: str) -> tuple[tuple[str, str], ...]:
    """Git's settings in which ``git stay`` starts a process in a session of its own, as ssh does.

    It keeps the output of git open. *then* is what git itself does.
    """
    return (("alias.stay", f"!setsid sleep 60 & echo $! >{file}; {then}; :"),)


def test_git_that_ended_is_not_waited_for_where_its_output_stays_open(tmp_path, started):
    said = run_git(tmp_path, ["stay"], settings=background(started, "echo done"), limit_s=50)
    assert said == b"done\n"
    os.kill(int(started.read_text()), 0)

    os.kill(int(started.read_text()), signal.SIGKILL)
    with pytest.raises(GitFailed) as failed:
        run_git(tmp_path, ["stay"], settings=background(started, "echo no >&2; exit 3"))
    assert (failed.value.status, failed.value.stderr) == (3, "no\n")
    os.kill(int(started.read_text()), 0)


def test_the_time_limit_holds_where_the_output_stays_open(tmp_path, started):
    for limit_s in (1, 10, 40):  # Until git has come so far.
        with pytest.raises(GitTimeout):
            run_git(tmp_path, ["stay"], settings=background(started, "sleep 60"), limit_s=limit_s)
        if started.exists():
            break
    os.kill(int(started.read_text()), 0)


def test_git_that_is_slow_to_read_gets_all_of_its_input(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "_PAUSE_S", 0.01)
    slow = (("alias.slow", "!sleep 0.1; wc -c; :"),)

    said = run_git(tmp_path, ["slow"], b"x" * 1_000_000, slow, limit_s=120)

    assert said.strip() == b"1000000"
