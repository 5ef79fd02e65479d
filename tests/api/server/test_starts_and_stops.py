"""What the log says of a start and a stop, and of the requests just before it."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path

import pytest

from api.server.figures import PREFIX
from gitstore.git import command as git_command
from tests.support.commands import jobtypes
from tests.support.processes import children, command
from tests.support.server import Server
from tests.support.waiting import wait_for

LAST = 12


def end(server: Server) -> list[str]:
    """Send LAST requests and then SIGTERM, at once; the lines of the log."""
    for number in range(LAST):
        assert server.get(f"/api/v1/jobtypes/?last={number}").status == 200
    server.stop(signal.SIGTERM)
    return server.log.read_text().splitlines()


def test_start_stop_and_the_last_requests_are_in_the_log(empty, serve):
    server = serve(
        *(empty, "--workers", "2", "--webhook-secret", "abcdefgh", "--git-idle-s", "77"),
    )
    wait_for(lambda: "\nserving " in server.log.read_text(), "the service to say where it is")
    metrics = server.get("/metrics").body.decode()

    lines = end(server)

    first = next(line for line in lines if " starting: " in line)
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ INFO ", first)
    assert re.search(r"release \S+, python 3\.\S+, git 2\.\S+, libgit2 1\.\S+, granian \d", first)
    assert "webhook_secret=***" in first
    assert "abcdefgh" not in "\n".join(lines)
    assert "git_idle_s=77" in first
    assert "housekeeping_s" not in first
    assert sum("GET /api/v1/jobtypes/ " in line for line in lines) == LAST
    assert [line.rpartition(": ")[2] for line in lines[-1:]] == ["ended"]
    assert any("ending: no new connections" in line for line in lines)
    assert re.search(r'^jobtypes_build_info\{.*release="[^"]+".*\} 1\.0$', metrics, re.M)


def test_as_json_every_line_is_json(empty, serve):
    server = serve(empty, "--workers", "1", "--log-format", "json", "--protect")
    wait_for(lambda: '"serving ' in server.log.read_text(), "the service to say where it is")

    lines = [json.loads(line) for line in end(server)]

    messages = [line["message"] for line in lines if "message" in line]
    assert any(message.startswith("starting: ") for message in messages)
    assert any("users can't be told apart" in message for message in messages)
    assert messages[-1] == "ended"
    assert sum(line.get("path") == "/api/v1/jobtypes/" for line in lines) == LAST


def test_what_is_said_before_the_start_is_json_too(empty):
    env = {"JOBTYPES_LOG_FORMAT": "json", "JOBTYPES_PORT": "tcp://10.0.0.7:80", "JOBTYPES_ODD": "x"}

    refused = jobtypes("serve", "--repo", empty, "--host", "0.0.0.0", env=env)
    missing = jobtypes("serve", "--repo", empty / "none", env=env)

    for done in (refused, missing):
        *warnings, error = map(json.loads, done.stderr.splitlines())
        assert done.returncode == 1
        assert [line["level"] for line in warnings] == ["warning", "warning"]
        assert {"JOBTYPES_ODD" in line["message"] for line in warnings} == {True, False}
        assert error["level"] == "error"
    assert "0.0.0.0 can be reached from other machines" in refused.stderr
    assert "can't be opened as a Git repository" in missing.stderr


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("git version 2.39.5 (Apple Git-154)", (2, 39, 5)),
        ("git version 2.47.1.windows.2", (2, 47, 1)),
        ("git version unknown", ()),
    ],
)
def test_the_version_of_git_is_read_as_each_build_says_it(monkeypatch, said, version):
    monkeypatch.setattr(git_command, "run_git", lambda *args: said.encode())

    assert git_command.git_version() == version


def figures_of(server: Server) -> Path:
    """The folder with the figures that the workers of *server* have in their memory."""
    found: set[str] = set()

    def are_there() -> bool:
        maps = [Path(f"/proc/{pid}/maps").read_text() for pid in children(server.process.pid)]
        found.update(re.findall(rf"(/\S*/{PREFIX}[^/\s]+)/", "".join(maps)))
        return bool(found)

    server.get("/metrics")
    wait_for(are_there, "a worker to have figures")
    (folder,) = found
    return Path(folder)


def test_the_figures_of_a_killed_service_go_when_the_next_one_starts(empty, serve):
    killed, running = serve(empty, "--workers", "2"), serve(empty, "--workers", "1")
    left, stays = figures_of(killed), figures_of(running)
    workers = children(killed.process.pid)
    killed.stop(signal.SIGKILL)
    wait_for(lambda: not any(map(command, workers)), "its workers to end, too")

    fresh = serve(empty, "--workers", "1")

    assert not left.exists()
    assert stays.is_dir()
    own = figures_of(fresh)
    fresh.stop()
    assert not own.exists()
    assert running.get("/metrics").status == 200
