"""Objects that an admin's ``git gc --prune=now`` takes away while they are written."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from gitstore.branch.store import Store
from gitstore.git.pruning import wait_for_prune
from tests.support.branches import REF, TD, jobtype
from tests.support.git import git


def test_what_was_tidied_away_before_the_ref_moves_is_written_again(branch):
    branch.commit(jobtype("A"))
    new = branch.side(jobtype("B"))
    git(branch.path, "prune", "--expire=now")
    assert not branch.repository.has(new)

    branch.repository.move(REF, branch.tip, new, TD, "test")

    git(branch.path, "fsck", "--strict")
    assert set(Store(branch.path).catalogue().history.jobtypes) == {"A", "B"}


def test_an_object_that_was_there_and_goes_is_written_again(branch):
    branch.commit(jobtype("A"))
    branch.side(jobtype("B"))
    git(branch.path, "prune", "--expire=now")

    branch.commit(jobtype("B"))

    git(branch.path, "fsck", "--strict")


def test_a_write_waits_for_the_end_of_a_gc_that_prunes(empty, monkeypatch):
    program = "import sys; print('begun', flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", program, "--prune=now"], **pipes) as process:
        assert process.stdout.readline() == b"begun\n"  # Before, it has no command to be seen.
        (empty / "gc.pid").write_text(f"{process.pid} localhost")
        has_looked, sleep = threading.Event(), time.sleep
        monkeypatch.setattr(time, "sleep", lambda span_s: (has_looked.set(), sleep(span_s)))

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(wait_for_prune, empty)
            assert has_looked.wait(120)
            assert not waiting.done()
            process.communicate()
            assert waiting.result(120)


def test_a_gc_that_keeps_what_is_new_is_not_waited_for(empty):
    assert not wait_for_prune(empty)
    (empty / "gc.pid").write_text("1 localhost")
    assert not wait_for_prune(empty)
    (empty / "gc.pid").write_text("")
    assert not wait_for_prune(empty)
