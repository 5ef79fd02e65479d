from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gitstore.git.stale_locks import StaleLocks
from tests.support.branches import jobtype
from tests.support.rest import Rest, body
from tests.support.waiting import wait_for

HOLD = "import sys, time; f = open(sys.argv[1], 'x'); print('held', flush=True); time.sleep(600)"


@pytest.fixture
def holder(empty):
    """A living process that has made the lock of main, and has it open."""
    lock = empty / "refs/heads/main.lock"
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_that_a_living_process_has_open_is_respected_until_it_is_dead(empty, holder):
    locks = StaleLocks(empty, age_s=0)
    assert [locks.remove() for _ in range(3)] == [0, 0, 0]

    holder.kill()
    holder.wait()

    assert locks.remove() == 1
    assert not (empty / "refs/heads/main.lock").exists()


PLACES = ("refs/heads/main.lock", "refs/tags/X/v1.lock", "packed-refs.lock", "HEAD.lock")
PLACES += ("config.lock", "objects/maintenance.lock", "objects/info/commit-graph.lock")


@pytest.mark.parametrize("place", PLACES)
def test_a_dead_process_lock_is_removed_wherever_it_lies_and_said_to_be(empty, place, caplog):
    lock = empty / place
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    locks = StaleLocks(empty, age_s=0)

    assert (locks.remove(), locks.remove()) == (0, 1)

    assert not lock.exists()
    assert f"removed {lock}" in caplog.text


def test_age_is_what_was_seen_and_not_what_the_clock_says(empty):
    lock = empty / "refs/heads/main.lock"
    lock.touch()
    os.utime(lock, (0, 0))
    locks = StaleLocks(empty, age_s=3600)

    assert [locks.remove() for _ in range(3)] == [0, 0, 0]
    assert lock.exists()


def test_a_lock_in_the_place_of_another_begins_again(empty):
    lock = empty / "refs/heads/main.lock"
    locks = StaleLocks(empty, age_s=0)
    lock.touch()
    assert locks.remove() == 0
    lock.write_text("another")
    os.utime(lock, (1, 1))

    assert (locks.remove(), locks.remove()) == (0, 1)


def test_the_locks_of_our_own_are_left_alone(empty):
    ours = empty / "jobtypes" / "tags.lock"
    ours.parent.mkdir(exist_ok=True)
    ours.touch()
    locks = StaleLocks(empty, age_s=0)

    assert (locks.remove(), locks.remove()) == (0, 0)
    assert ours.exists()


@pytest.mark.farm
def test_the_next_write_waits_until_a_stale_lock_is_gone(server):
    rest = Rest(server)
    rest.jobtype("X")
    (server.repo / "refs/heads/main.lock").touch()

    assert rest("PUT", "/jobtypes/X", body("X", code="class Job:\n    x = 1\n")).status == 201
    assert "main.lock, which a dead process left behind" in server.log.read_text()


@pytest.mark.farm
def test_the_next_push_works_once_a_stale_lock_is_gone(server, clone):
    lock = server.repo / "refs/heads/main.lock"
    lock.touch()

    wait_for(lambda: not lock.exists(), "the lock to be removed")

    worktree = clone(f"{server.url}/jobtypes.git")
    for name, content in jobtype("X").items():
        worktree.write(name, content)
    done = worktree.push()
    assert done.returncode == 0, done.stderr
