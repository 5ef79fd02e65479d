"""Stopping: who comes is refused, who was there is served, and nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cloning import LARGE_BYTES, add_large_branch, begin_clone
from tests.support.forms import forms
from tests.support.processes import children, workers
from tests.support.rest import Rest, body
from tests.support.sockets import listens
from tests.support.waiting import wait_for


def begun(dial, port: int):
    """A PUT whose body the service has begun to read, and what is left to send.

    A service that ends resets a connection which none of its workers has accepted yet; it asks
    for the body once one works on the request.
    """
    sent = json.dumps(body("Slow")).encode()
    raw = dial(port)
    length = str(len(sent))
    asks = {"Content-Type": "application/json", "Content-Length": length, "Expect": "100-continue"}
    raw.head("PUT /api/v1/jobtypes/Slow", asks)
    assert raw.received_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    raw.send(sent[:10])
    return raw, sent[10:]


def test_a_write_that_has_begun_is_finished_while_others_are_refused(server, dial):
    raw, rest = begun(dial, server.port)

    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not listens(server.port), "the listening socket to close")
    assert server.process.poll() is None
    raw.send(rest)

    assert raw.status == 201
    server.process.wait(120)
    assert server.process.returncode == 0


def passes(seconds: float) -> None:
    """Let time pass, which is what is tried here."""
    end = time.monotonic() + seconds
    wait_for(lambda: time.monotonic() > end, "time to pass")


@pytest.mark.parametrize("told", forms([4, 1], 1))
def test_a_write_that_takes_long_is_finished_however_often_the_service_is_signalled(
    server, dial, told
):
    raw, rest = begun(dial, server.port)
    for _ in range(told):
        for pid in (server.process.pid, *workers(server.process.pid)):
            os.kill(pid, signal.SIGTERM)
        passes(5 / told)

    raw.send(rest)

    assert raw.status == 201
    server.process.wait(120)
    assert server.process.returncode == 0


def test_a_flood_of_signals_ends_it_as_one_does(empty, serve):
    server = serve(empty, "--workers", "2")
    below = children(server.process.pid)

    for by in [signal.SIGTERM, signal.SIGINT] * 300:
        for pid in (server.process.pid, *below):
            with suppress(ProcessLookupError):
                os.kill(pid, by)

    wait_for(lambda: server.process.poll() is not None, "the service to end", 10)


def test_a_signal_that_comes_while_another_is_taken_stops_nothing():
    program = (
        "from granian.constants import Interfaces; from api.server.supervisor import Supervisor\n"
        "server = Supervisor('api.app:create_app', interface=Interfaces.WSGI)\n"
        "with server.main_loop_interrupt._cond:\n"
        "    server.signal_handler_interrupt(15, None)\n"
    )

    subprocess.run([sys.executable, "-c", program], timeout=120, check=True)


def test_a_write_that_has_begun_is_finished_when_the_parent_is_killed(server, dial):
    raw, rest = begun(dial, server.port)
    below = children(server.process.pid)

    server.stop(signal.SIGKILL)
    passes(5)
    raw.send(rest)

    assert raw.status == 201
    wait_for(lambda: not any(map(lives, below)), "the worker to end")


@pytest.mark.farm
def test_a_clone_that_takes_long_is_finished(large, serve, dial):
    server = serve(large, "--workers", "1")
    raw = begin_clone(server, dial)

    server.process.send_signal(signal.SIGTERM)
    got = b""
    for _ in range(5):
        got += raw.received(16384)
        passes(1)
    while chunk := raw.received(1 << 20):
        got += chunk

    assert len(got) > LARGE_BYTES
    assert got.endswith(b"0000\r\n0\r\n\r\n")
    server.process.wait(120)


@pytest.fixture
def large(empty) -> Path:
    """A repository with a branch that is long to clone."""
    add_large_branch(empty)
    return empty


LIMITS = ("--body-limit-s", "2", "--connection-idle-s", "2", "--git-idle-s", "2")


@pytest.mark.farm
def test_what_stalls_is_ended_with_its_limit(empty, serve, dial):
    server = serve(empty, "--workers", "1", *LIMITS)
    stalled, _ = begun(dial, server.port)
    half = dial(server.port)
    half.send(b"GET /api/v1/jobt")
    dial(server.port)

    server.process.send_signal(signal.SIGTERM)

    server.process.wait(120)
    assert stalled.status in (0, 408)
    assert server.process.returncode == 0


def test_a_clone_that_nobody_takes_does_not_keep_the_service(large, serve, dial):
    server = serve(large, "--workers", "1", *LIMITS)
    begin_clone(server, dial)
    below = children(server.process.pid)
    assert any("upload-pack" in Path(f"/proc/{pid}/cmdline").read_text() for pid in below)

    server.process.send_signal(signal.SIGTERM)

    server.process.wait(120)
    wait_for(lambda: not any(map(lives, below)), "Git to end")


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_all_processes_end_with_the_service(empty, serve, by):
    server = serve(empty, "--workers", "2")
    Rest(server).jobtype("X")
    wait_for(lambda: len(workers(server.process.pid)) == 2, "both workers to begin")
    below = children(server.process.pid)

    server.stop(by)

    wait_for(lambda: not any(map(lives, below)), "the workers to end")
    assert not listens(server.port)


def test_a_worker_that_is_killed_is_replaced(server):
    rest = Rest(server)
    rest.jobtype("X")
    (worker,) = workers(server.process.pid)

    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not lives(worker), "the worker to end")

    def answers() -> bool:
        try:
            return rest.get("/jobtypes/X").status == 200
        except OSError:
            return False

    wait_for(answers, "a new worker to answer")
