"""Stopping: who comes is refused, who was there is served, and nothing stays behind."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
from conftest import wait_for
from processes import children, workers
from rest import Rest, body
from sockets import Dialer, listens


@pytest.fixture
def dial():
    dialer = Dialer()
    yield dialer
    dialer.close()


def test_a_write_that_has_begun_is_finished_while_others_are_refused(server, dial):
    sent = json.dumps(body("Slow")).encode()
    raw = dial(server.port)
    headers = {"Content-Type": "application/json", "Content-Length": str(len(sent))}
    raw.head("PUT /api/v1/jobtypes/Slow", headers)
    raw.send(sent[:10])

    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: not listens(server.port), "the listening socket to close")
    assert server.process.poll() is None
    raw.send(sent[10:])

    assert raw.status == 201
    server.process.wait(30)
    assert server.process.returncode == 0


def lives(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_all_processes_end_with_the_service(empty, serve, by):
    server = serve(empty, "--workers", "2")
    Rest(server).jobtype("X")
    below = children(server.process.pid)
    assert len(below) >= 2

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
