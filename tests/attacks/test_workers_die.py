"""Workers that die again and again, or hang: others answer, and the service goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from werkzeug.test import Client

from api.app import create_app
from api.config import Config
from api.server.workers import LONGEST_PAUSE_S, SILENT_S, STABLE_S, STOPPED_S, Pulse, Slot, cause
from api.telemetry.requests import Observed
from api.web.parts import parts_of
from gitstore.git.repository import init_repository
from tests.support.branches import jobtype
from tests.support.git import git
from tests.support.processes import workers
from tests.support.rest import Rest
from tests.support.server import Server, free_port
from tests.support.sockets import listens
from tests.support.waiting import wait_for


def metric(server: Server, event: str) -> int:
    """How often *event* happened, by the service's own figures."""
    for line in server.get("/metrics").body.decode().splitlines():
        if line.startswith(f'jobtypes_events_total{{event="{event}"}}'):
            return int(float(line.split()[1]))
    return 0


def answers(server: Server) -> bool:
    """Whether a read is answered now, by whichever worker."""
    try:
        return server.request("GET", "/api/v1/jobtypes/X", timeout_s=2).status == 200
    except OSError:
        return False


def next_to(server: Server, before: list[int]) -> int:
    """The worker that takes the place of one of *before*, once there is one."""
    found: list[int] = []

    def is_there() -> bool:
        found[:] = [pid for pid in workers(server.process.pid) if pid not in before]
        return bool(found)

    wait_for(is_there, "another worker", 60)
    return found[0]


@pytest.mark.farm
def test_a_worker_that_is_killed_again_and_again_is_replaced_each_time(empty, serve):
    server = serve(empty, "--workers", "2")
    Rest(server).jobtype("X")
    seen = workers(server.process.pid)
    doomed = seen[0]

    for _ in range(4):
        os.kill(doomed, signal.SIGKILL)
        doomed = next_to(server, seen)
        seen.append(doomed)
        assert server.process.poll() is None

    wait_for(lambda: answers(server), "an answer")
    said = server.log.read_text()
    assert f"worker-1 (process {seen[0]}) was killed by SIGKILL, perhaps because memory" in said
    assert said.count("another begins now") == 1
    for pause in (1, 2, 4):
        assert f"another begins in {pause} s" in said
    # One that is killed before it has begun is counted by nobody.
    wait_for(lambda: metric(server, "worker_restarted") > 0, "a restart to be counted")
    server.stop()
    assert server.process.returncode == 0


def test_a_worker_that_is_stopped_is_replaced_and_all_reads_are_answered(empty, serve):
    server = serve(empty, "--workers", "2")
    Rest(server).jobtype("X")
    before = workers(server.process.pid)

    os.kill(before[0], signal.SIGSTOP)
    next_to(server, before)

    wait_for(lambda: before[0] not in workers(server.process.pid), "the stopped one to end")
    wait_for(lambda: all(answers(server) for _ in range(20)), "every read to be answered")
    said = server.log.read_text()
    assert f"worker-1 (process {before[0]}) was stopped by a signal" in said
    assert f"worker-1 (process {before[0]}) was killed, as it hung; another begins now" in said
    assert "worker-2" not in said, said


@pytest.mark.farm
def test_a_service_that_was_stopped_as_a_whole_kills_no_worker(empty, serve):
    server = serve(empty, "--workers", "1")
    Rest(server).jobtype("X")
    (worker,) = workers(server.process.pid)
    for pid in (server.process.pid, worker):
        os.kill(pid, signal.SIGSTOP)

    end = time.monotonic() + STOPPED_S + 2
    wait_for(lambda: time.monotonic() > end, "the time to pass")
    # The worker a little later than the service, as a shell may have it.
    os.kill(server.process.pid, signal.SIGCONT)
    os.kill(worker, signal.SIGCONT)

    wait_for(lambda: answers(server), "an answer")
    assert workers(server.process.pid) == [worker]
    assert "killed" not in server.log.read_text()


def test_a_service_ends_though_a_worker_is_stopped(empty, serve):
    server = serve(empty, "--workers", "2")
    below = workers(server.process.pid)
    os.kill(below[0], signal.SIGSTOP)

    server.stop()

    assert not listens(server.port)
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), "them to end")


def test_workers_that_can_not_begin_are_tried_again_until_they_can_or_the_service_ends(
    empty, serve
):
    server = serve(empty, "--workers", "1", "--log-format", "json")
    Rest(server).jobtype("X")
    away = empty.with_name("elsewhere.git")
    empty.rename(away)
    os.kill(workers(server.process.pid)[0], signal.SIGKILL)
    wait_for(lambda: "ended with status 1" in server.log.read_text(), "one that could not begin")

    away.rename(empty)

    wait_for(lambda: answers(server), "an answer", 60)
    lines = [line for line in server.log.read_text().splitlines() if line.startswith("{")]
    said = [json.loads(line) for line in lines]
    assert any("NoRepository" in line.get("exception", "") for line in said)
    assert "a worker could not begin" in {line.get("message") for line in said}

    empty.rename(away)
    os.kill(workers(server.process.pid)[0], signal.SIGKILL)
    deaths = server.log.read_text().count("another begins in")
    wait_for(lambda: server.log.read_text().count("another begins in") > deaths + 1, "a pause", 60)
    server.stop()
    assert server.process.returncode == 0
    # It ended without another try at the end of the pause.
    assert "could not begin" not in server.log.read_text().partition("ending: no new")[2]


def test_where_no_worker_could_ever_begin_the_service_ends_and_says_so(tmp_path, monkeypatch):
    repo = init_repository(tmp_path / "r.git", "main").git_dir
    # A worker looks for this module when it starts to count; the process before it does not.
    (tmp_path / "prometheus_client.py").write_text("raise RuntimeError('no such thing')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    command = [sys.executable, "-m", "api", "serve", "--repo", str(repo)]
    done = subprocess.run(
        [*command, "--port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 1
    assert "no such thing" in done.stderr
    assert "no worker could begin, so the service ends" in done.stderr


def test_requests_that_never_end_are_seen_and_silence_their_worker(branch):
    commit = branch.commit(jobtype("X"))
    app = create_app(Config(branch.path))
    observed = Observed(app, parts_of(app).store, None)
    pulse = Pulse(1)
    pulse.stop_where(lambda: observed.running(0) >= 2)
    pulse.beat(0)
    # Who reads that object waits for somebody who writes into the pipe.
    blob = git(branch.path, "rev-parse", f"{commit}:jobtypes/X/code.py").strip()
    path = branch.path / "objects" / blob[:2] / blob[2:]
    kept = path.read_bytes()
    path.unlink()
    os.mkfifo(path)
    readers = [
        threading.Thread(target=Client(observed).get, args=("/api/v1/jobtypes/X",), daemon=True)
        for _ in range(2)
    ]

    for reader in readers:
        reader.start()
    wait_for(lambda: observed.running(0) == 2, "both to read")
    pulse.beat(0)

    assert pulse.beats(0) == 1
    assert observed.running(1000) == 0
    writer = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    path.unlink()
    path.write_bytes(kept)
    os.close(writer)
    for reader in readers:
        reader.join(120)
    pulse.beat(0)
    assert (observed.running(0), pulse.beats(0)) == (0, 2)


# The rules, at times that are given


@pytest.fixture
def slot() -> Slot:
    return Slot(100.0)


def test_pauses_double_up_to_a_limit_and_begin_again_after_a_stable_minute(slot):
    now, pauses = 100.0, []
    for _ in range(40):
        pauses.append(slot.die(now))
        now += pauses[-1]
        assert slot.due == now
        slot.start(now)

    assert pauses[:7] == [0, 1, 2, 4, 8, 16, 30]
    assert set(pauses[6:]) == {LONGEST_PAUSE_S}
    assert slot.die(now + STABLE_S) == 0


def test_silence_is_a_fault_after_its_limit_and_a_beat_ends_it(slot):
    assert slot.fault(100.0, 1, False) == ""
    assert slot.fault(100.0 + SILENT_S - 1, 1, False) == ""
    assert slot.fault(100.0 + SILENT_S, 2, False) == ""
    assert "has said nothing" in slot.fault(100.0 + 2 * SILENT_S, 2, False)


def test_only_a_worker_that_stays_stopped_is_at_fault(slot):
    for second in range(3):
        assert slot.fault(100.0 + second, second, True) == ""
    assert slot.fault(103.0, 3, False) == ""
    assert slot.fault(104.0, 3, True) == ""
    assert "was stopped" in slot.fault(104.0 + STOPPED_S, 3, True)


def test_what_was_not_heard_while_nobody_listened_is_no_fault(slot):
    slot.fault(100.0, 1, True)

    slot.forget(10_000.0)

    assert slot.fault(10_000.0, 1, True) == ""


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (0, "ended with status 0"),
        (1, "ended with status 1"),
        (-9, "was killed by SIGKILL, perhaps because memory ran out"),
        (-11, "was killed by SIGSEGV"),
        (-200, "was killed by 200"),
    ],
)
def test_a_death_has_its_cause_in_words(status, says):
    assert cause(status) == says
