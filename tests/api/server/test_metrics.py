"""The figures of a service, whichever of its workers answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cloning import add_large_branch, begin_clone
from tests.support.processes import workers
from tests.support.rest import Rest
from tests.support.server import Server, free_port, lines_with
from tests.support.sockets import listens
from tests.support.waiting import wait_for

# Metrics


def samples(server: Server) -> dict[str, float]:
    """The figures of /metrics, by name and labels."""
    answer = server.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    rows = [r for r in answer.body.decode().splitlines() if not r.startswith("#")]
    return {row.rsplit(" ", 1)[0]: float(row.rsplit(" ", 1)[1]) for row in rows}


def test_two_workers_figures_are_one_sum_whichever_answers(plain):
    route = 'method="GET",route="/api/v1/jobtypes/<jobtype>/versions/<number:number>",status="200"'
    name = f"jobtypes_requests_total{{{route}}}"
    before = samples(plain).get(name, 0)

    for _ in range(40):
        plain.get("/api/v1/jobtypes/Made/versions/1")

    def after() -> list[float]:
        return [samples(plain)[name] for _ in range(6)]

    wait_for(lambda: after() == [before + 40] * 6, f"{name} to come to {before + 40}")


def test_metrics_tell_jobtypes_steps_commits_and_latencies(plain):
    rest = Rest(plain)
    before = samples(plain)
    rest.jobtype("Counted")
    rest("BREW", "/jobtypes/")

    wait_for(lambda: 'method="other"' in str(samples(plain)), "the last request to be counted")
    after = samples(plain)

    assert after["jobtypes_jobtypes"] == len(rest.json("/jobtypes/"))
    assert after["jobtypes_steps"] == before["jobtypes_steps"] + 1
    assert after["jobtypes_tip_timestamp_seconds"] >= time.time() - 600
    assert after.get("jobtypes_git_processes", 0) == 0
    commit = 'jobtypes_events_total{event="commit"}'
    assert after[commit] == before[commit] + 1
    assert any(key.startswith("jobtypes_request_seconds_bucket") for key in after)
    assert any('method="other"' in key and 'status="405"' in key for key in after)
    assert not any("BREW" in key for key in after)


def test_a_request_for_the_figures_is_counted_and_logged(plain):
    plain.get("/metrics", **{"X-Request-Id": "figures"})

    (line,) = lines_with(plain, "figures")

    assert " GET /metrics route=/metrics " in line
    assert any('route="/metrics"' in name for name in samples(plain))


def test_merges_and_pushes_are_counted_as_commits(empty, serve, clone):
    server = serve(empty)
    Rest(server).jobtype("Made")
    td = clone(f"{server.url}/jobtypes.git")
    name = 'jobtypes_events_total{event="commit"}'
    before = samples(server)[name]
    for ref in ("main", "change"):
        td.write("jobtypes/Made/notes.txt", f"{ref}\n")
        assert td.push("origin", f"HEAD:{ref}").returncode == 0

    pushed = samples(server)[name]
    assert Rest(server)("POST", "/changes/change/merge", {}).status == 200

    assert (pushed, samples(server)[name]) == (before + 1, before + 2)


def test_the_clones_of_a_worker_that_was_killed_run_no_more(empty, serve, dial):
    add_large_branch(empty)
    server = serve(empty, "--workers", "2")
    begin_clone(server, dial)
    assert samples(server)["jobtypes_git_processes"] == 1

    for worker in workers(server.process.pid):
        os.kill(worker, signal.SIGKILL)

    def figure() -> float | None:
        with suppress(OSError):
            return samples(server).get("jobtypes_git_processes", 0)
        return None

    wait_for(lambda: figure() == 0, "the figure to be 0")


def test_requests_are_counted_while_the_log_can_not_be_written(empty):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    server = object.__new__(Server)
    server.port = free_port()
    command = [sys.executable, "-m", "api", "serve", "--repo", str(empty), "--workers", "1"]
    with open("/dev/full", "w") as full:
        process = subprocess.Popen(
            [*command, "--port", str(server.port)], stdout=subprocess.DEVNULL, stderr=full
        )
    name = 'jobtypes_requests_total{method="GET",route="/health/live",status="200"}'
    try:
        wait_for(lambda: listens(server.port), "the service to listen")
        for n in (1, 2, 3):
            server.get("/health/live")
            assert samples(server)[name] == n
    finally:
        process.terminate()
        process.wait(120)
