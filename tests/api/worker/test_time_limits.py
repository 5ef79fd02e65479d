"""How long a request may take: bodies, clones, readers and writers that stall."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from api.rest.payloads import JobtypeBody
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.edits import jobtypes
from gitstore.errors import Busy
from tests.support.cloning import add_large_branch, begin_clone
from tests.support.git import git
from tests.support.git_http import REFS
from tests.support.processes import children, workers
from tests.support.rest import body, put_jobtype
from tests.support.waiting import wait_for

READ = "/api/v1/jobtypes/Blender/versions/1"

# Times


@pytest.mark.farm
def test_bodies_that_stall_keep_writers_waiting_and_no_reader(tight, dial):
    slow = [dial.stalled(tight.port, "PUT /api/v1/jobtypes/Slow") for _ in range(12)]
    wait_for(lambda: sum(raw.has_news for raw in slow) == 10, "ten to be turned away")

    assert put_jobtype(tight, "Blocked").status == 503
    assert [tight.get(READ).status for _ in range(20)] == [200] * 20
    assert {raw.status for raw in slow if raw.has_news} == {503}
    wait_for(lambda: all(raw.has_news for raw in slow), "the stalled bodies to be given up")
    # A slot is freed a moment after its response went out.
    wait_for(lambda: put_jobtype(tight, "Patient").status == 201, "a free slot")


def test_a_body_that_trickles_is_408(tight, dial):
    raw = dial.stalled(tight.port, "PUT /api/v1/jobtypes/Slow")

    wait_for(lambda: raw.trickle(b" " * 10), "the service to lose patience")
    assert raw.status == 408


def test_a_clone_that_nobody_takes_is_ended_and_its_slot_freed(tight, dial):
    # This request takes the only slot.
    begin_clone(tight, dial)
    assert tight.get(REFS).status == 503

    wait_for(lambda: tight.get(REFS).status == 200, "the slots to be free")
    assert tight.get(READ).status == 200


def test_readers_that_take_nothing_keep_no_agent_waiting_for_long(empty, serve, dial):
    server = serve(empty, "--workers", "1", "--connections", "16", "--answer-idle-s", "2")
    code = "class Job:\n    pass\n" + "#" * 900_000
    assert put_jobtype(server, "Large", code=code).status == 201
    path = "/api/v1/jobtypes/Large/versions/1/code"
    for _ in range(16):
        raw = dial(server.port, buffer_bytes=4096)
        raw.send(f"GET {path} HTTP/1.1\r\nHost: jobtypes\r\n\r\n".encode() * 20)
        wait_for(lambda raw=raw: raw.has_news, "the answer to begin")

    assert server.request("GET", path, timeout_s=120).status == 200


@pytest.mark.farm
def test_a_clone_may_pause_for_longer_than_another_answer(empty, serve, dial):
    add_large_branch(empty)
    server = serve(empty, "--workers", "1", "--answer-idle-s", "1")
    raw = begin_clone(server, dial)
    end = time.monotonic() + 8
    wait_for(lambda: time.monotonic() > end, "time to pass")

    got = b""
    while chunk := raw.received(1 << 20):
        got = (got + chunk)[-1000:]
        if got.endswith(b"0000\r\n0\r\n\r\n"):
            break

    assert got.endswith(b"0000\r\n0\r\n\r\n")


def test_a_write_that_loses_races_for_too_long_gives_up(sample):
    store = Store(sample)
    store.writing.limit_s = 0

    def overtake(catalogue: object) -> None:
        tip = git(sample, "rev-parse", "main").strip()
        tree = git(sample, "rev-parse", "main^{tree}").strip()
        commit = git(sample, "commit-tree", "-p", tip, "-m", "faster", tree).strip()
        git(sample, "update-ref", "refs/heads/main", commit)

    wish = JobtypeBody.model_validate(body("Late")).wish()
    with pytest.raises(Busy, match="other writers kept the branch busy"):
        store.write([jobtypes.create_jobtype(wish)], Writer(), overtake)


@pytest.mark.farm
def test_a_clone_that_takes_too_long_in_all_is_ended(empty, serve, dial):
    add_large_branch(empty)
    server = serve(empty, "--workers", "1", "--git-limit-s", "2")
    raw = begin_clone(server, dial)

    def ends() -> bool:
        assert raw.received(256)
        return not set(children(server.process.pid)) - set(workers(server.process.pid))

    wait_for(ends, "Git to be ended")


# Connections


def test_a_head_that_never_ends_is_given_up_in_time(tight, dial):
    raw = dial(tight.port)
    raw.send(b"GET /api/v1/jobt")

    # Waits for an answer, or for the end of the connection.
    assert raw.status in (0, 408)


def test_with_all_connections_idle_a_reader_waits_and_is_answered(tight, dial):
    idle = [dial(tight.port) for _ in range(60)]
    for raw in idle[::2]:
        raw.send(b"GET /api/v1/jobt")

    assert tight.get(READ).status == 200


def test_the_process_raises_its_limit_of_open_files_to_hold_its_connections(tmp_path):
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 1500))\n"
        "from pathlib import Path; from api.config import Config; from api.server import serve\n"
        "print(serve._connections(Config(Path('.'), connections=4000)))\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.split() == ["988", "1500"], done.stderr
