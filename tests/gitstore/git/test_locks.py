"""Turns at writing, among threads and processes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gitstore.git.locks import PATIENCE_S, Turns, try_file_lock
from tests.support.waiting import wait_for

LONG_S = 60.0

WRITER = """
import pathlib, sys
from gitstore.git.locks import Turns
turns = Turns(pathlib.Path(sys.argv[1]))
print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        with turns.turn(60):
            with open(sys.argv[2], "a") as log:
                log.write(sys.argv[3])
                log.flush()
                log.write(sys.argv[3])
    print("done", flush=True)
"""

HOLDER = """
import pathlib, sys, time
from gitstore.git.locks import Turns
with Turns(pathlib.Path(sys.argv[1])).turn(60):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a script in a process of its own, which has said a line."""
    begun = []

    def started(script: str, *args: object) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [sys.executable, "-c", script, *map(str, args)]
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        begun.append(process)
        assert process.stdout
        process.stdout.readline()
        return process

    yield started
    for process in begun:
        with suppress(ProcessLookupError):
            process.kill()
        process.communicate()


def test_processes_take_turns_one_at_a_time(tmp_path, start):
    log = tmp_path / "log"
    writers = [start(WRITER, tmp_path / "locks", log, name) for name in "ab"]
    for writer in writers:
        writer.stdin.write("200\n")
        writer.stdin.flush()
    for writer in writers:
        writer.stdout.readline()

    turns = log.read_text()

    assert {turns[place : place + 2] for place in range(0, len(turns), 2)} == {"aa", "bb"}
    assert len(turns) == 800


def test_threads_take_turns_and_who_waits_too_long_gets_an_error(tmp_path):
    turns = Turns(tmp_path)
    told: list[bool] = []

    def ask() -> None:
        with turns.turn(0.01) as has_come:
            told.append(has_come)

    with turns.turn(LONG_S) as has_come:
        assert has_come
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()
    ask()

    assert told == [False, True]


def test_a_turn_ends_with_its_process(tmp_path, start):
    start(HOLDER, tmp_path).kill()

    with Turns(tmp_path).turn(LONG_S) as has_come:
        assert has_come
        # Who has lost patience would not hold it.
        with try_file_lock(tmp_path / "write.lock") as held:
            assert held is None


def test_who_waits_for_a_process_that_hangs_goes_on_without_it(tmp_path, start):
    start(HOLDER, tmp_path).send_signal(signal.SIGSTOP)

    began = time.monotonic()
    with Turns(tmp_path).turn(LONG_S) as has_come:
        assert has_come
    assert time.monotonic() - began >= PATIENCE_S


def test_the_next_one_is_before_the_holder_of_the_last_turn(tmp_path, start):
    """The next one waits with a lock of its own, which the last one can't take meanwhile."""
    log = tmp_path / "log"
    writer = start(WRITER, tmp_path / "locks", log, "a")
    turns = Turns(tmp_path / "locks")
    with turns.turn(LONG_S):
        writer.stdin.write("1\n")
        writer.stdin.flush()
        wait_for(lambda: _is_held(tmp_path / "locks" / "next.lock"), "the other one to be next")
    with turns.turn(LONG_S):
        assert log.read_text() == "aa"


def _is_held(path: Path) -> bool:
    inode = path.stat().st_ino
    return any(f":{inode} " in line for line in Path("/proc/locks").read_text().splitlines())


def test_where_no_locks_can_be_had_writing_goes_on(tmp_path):
    (tmp_path / "locks").write_text("in the way")

    with Turns(tmp_path / "locks").turn(LONG_S) as has_come:
        assert has_come
