"""``jobtypes serve``: what it refuses, says and logs, and where its settings come from."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from collections.abc import Iterator

import pytest

from tests.support.commands import jobtypes
from tests.support.processes import workers
from tests.support.rest import Rest, body, error, running
from tests.support.server import Server, free_port, lines_with
from tests.support.sockets import listens
from tests.support.waiting import wait_for

HEX = re.compile(r"[0-9a-f]{16,32}")


@pytest.fixture(scope="module")
def logging(tmp_path_factory) -> Iterator[Server]:
    """A read-only service on all addresses that logs as JSON."""
    options = ("--workers", "1", "--log-format", "json", "--read-only", "--host", "0.0.0.0")
    with running(tmp_path_factory.mktemp("json"), *options) as rest:
        yield rest.server


# Who may write


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "jobtypes.studio.example"])
def test_beyond_loopback_it_refuses_to_start_and_says_why(empty, host):
    done = jobtypes("serve", "--repo", empty, "--host", host, "--port", free_port())

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"jobtypes: {host} can be reached from other machines")
    for word in ("--read-only", "--insecure-writes", "token create"):
        assert word in done.stderr


def test_beyond_loopback_it_starts_with_tokens(empty, serve):
    made = jobtypes("token", "create", "alice", "--role", "write", "--repo", empty)
    assert made.returncode == 0, made.stderr

    server = serve(empty, "--workers", "1", "--host", "0.0.0.0")

    error(server.request("PUT", "/api/v1/jobtypes/X", body("X")), 401)


def test_beyond_loopback_it_starts_when_told_to_take_anybodys_writes(empty, serve):
    server = serve(empty, "--workers", "1", "--host", "0.0.0.0", "--insecure-writes")

    assert server.request("PUT", "/api/v1/jobtypes/X", body("X")).status == 201


WRITES = {
    "POST": ("POST", "/jobtypes/", body("X")),
    "PUT": ("PUT", "/jobtypes/X", body("X")),
    "DELETE": ("DELETE", "/jobtypes/X", None),
    "withdraw": ("DELETE", "/jobtypes/X/versions/1", None),
    "software": ("POST", "/software/", {"software": "x"}),
    "software version": ("DELETE", "/software/x/versions/1", None),
}


@pytest.mark.parametrize(("method", "path", "sent"), WRITES.values(), ids=WRITES)
def test_read_only_gives_403_to_every_write_and_200_to_reads(logging, method, path, sent):
    rest = Rest(logging)

    if (method, path) == ("DELETE", "/software/x/versions/1"):
        assert rest(method, path, sent).status in (403, 404)
    else:
        assert "read-only" in error(rest(method, path, sent), 403)["error"]
    assert rest.json("/jobtypes/") == []


def test_read_only_gives_no_push(logging, clone):
    worktree = clone(f"{logging.url}/jobtypes.git")
    worktree.write("README.md", "x")

    assert worktree.push().returncode


# What it says


def test_it_prints_where_it_listens_and_what_to_try(plain):
    wait_for(lambda: "git clone" in plain.log.read_text(), "the service to say where it is")
    lines = plain.log.read_text().splitlines()

    at = lines.index(f"serving {plain.repo} (refs/heads/main, 0 jobtypes) at {plain.url}")
    assert lines[at + 1 : at + 3] == [
        f"try:  curl {plain.url}/api/v1/jobtypes/",
        f"      git clone {plain.url}/jobtypes.git",
    ]


def test_what_it_says_to_try_can_be_cloned(plain, clone):
    assert (clone(f"{plain.url}/jobtypes.git").path / "jobtypes" / "Made" / "code.py").exists()


def test_without_a_repository_it_says_what_to_do(tmp_path):
    done = jobtypes("serve", "--repo", tmp_path / "none.git")

    assert (done.returncode, done.stdout) == (1, "")
    assert str(tmp_path / "none.git") in done.stderr
    assert "jobtypes init" in done.stderr


def test_the_folder_of_no_repository_is_no_repository(tmp_path):
    assert jobtypes("serve", "--repo", tmp_path).returncode == 1


@pytest.fixture
def taken(server) -> Iterator[dict[str, int]]:
    """Ports that somebody listens at: another service of ours, and a program of others."""
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        yield {"ours": server.port, "foreign": foreign.getsockname()[1]}


@pytest.mark.farm  # It waits for who ends.
@pytest.mark.parametrize("whose", ["ours", "foreign"])
def test_at_a_port_that_is_taken_it_says_so_and_nothing_else(sample, taken, whose):
    port = taken[whose]

    done = jobtypes("serve", "--repo", sample, "--port", port)

    assert (done.returncode, done.stdout) == (1, "")
    says = f"jobtypes: 127.0.0.1 port {port} can't be listened at: Address already in use; choose"
    assert done.stderr.startswith(says)


@pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.7"])
def test_at_an_address_that_is_none_of_this_machines_it_says_so(sample, host):
    done = jobtypes("serve", "--repo", sample, "--host", host, "--read-only")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"jobtypes: {host} port 8080 can't be listened at: ")


def test_it_starts_where_a_connection_of_before_still_stands(served, dial):
    raw = dial(served.port)
    raw.head("GET /health/live", {"Connection": "close"})
    assert raw.status == 200
    served.stop(signal.SIGKILL)

    served.start()

    assert served.get("/health/live").status == 200


def test_killed_it_leaves_no_worker_behind(empty, serve):
    server = serve(empty, "--workers", "2")

    server.stop(signal.SIGKILL)

    wait_for(lambda: not listens(server.port), "the workers to end")


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT])
def test_stopped_it_ends_well_and_refuses_connections(empty, serve, by):
    server = serve(empty, "--workers", "2")

    server.stop(by)

    assert server.process.returncode == 0
    assert not listens(server.port)
    assert "Traceback" not in server.log.read_text()


# Request ids


@pytest.mark.parametrize("given", ["abc-1.2_3", "x" * 64])
def test_a_request_id_that_is_given_comes_back(plain, given):
    assert (
        plain.get("/api/v1/jobtypes/", **{"X-Request-Id": given}).headers["x-request-id"] == given
    )


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "<b>", 'a"b'])
def test_without_one_or_with_a_bad_one_an_id_is_made(plain, given):
    headers = {} if given is None else {"X-Request-Id": given}
    ids = {plain.get("/api/v1/jobtypes/", **headers).headers["x-request-id"] for _ in range(5)}

    assert len(ids) == 5
    assert all(HEX.fullmatch(id) for id in ids)


@pytest.mark.parametrize(
    "path", ["/nowhere", "/metrics", "/health/live", "/jobtypes.git/info/refs"]
)
def test_every_answer_has_a_request_id(plain, path):
    assert plain.get(path, **{"X-Request-Id": "mine"}).headers["x-request-id"] == "mine"


# The access log


def test_each_request_is_a_line_of_the_log_for_people(plain):
    plain.get("/api/v1/jobtypes/Made?secret=1", **{"X-Request-Id": "logged-plain"})

    (line,) = lines_with(plain, "logged-plain")

    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ 200 \d+\.\dms GET /api/v1/jobtypes/Made"
        r" route=/api/v1/jobtypes/<jobtype> token=- id=logged-plain",
        line,
    )


@pytest.mark.parametrize(
    ("id", "path"),
    [("spaces", "/a%20b"), ("lines", "/a%0d%0a2026 200 GET"), ("bytes", "/%ff%1b[31m")],
)
def test_a_path_can_not_forge_a_line_of_the_log(plain, id, path):
    plain.get(path.replace(" ", "%20"), **{"X-Request-Id": f"forged-{id}"})

    (line,) = lines_with(plain, f"forged-{id}")

    assert line.isascii()
    assert line.isprintable()
    assert re.match(r"\S+ 404 \S+ms GET ", line)


@pytest.mark.parametrize("kind", ["plain", "logging"])
def test_a_long_path_is_cut_in_the_log(kind, request):
    server = request.getfixturevalue(kind)
    server.get("/" + "%ff" * 20_000, **{"X-Request-Id": f"long-{kind}"})

    (line,) = lines_with(server, f"long-{kind}")

    assert len(line) < 10_000
    assert "..." in line


def test_each_request_is_a_json_line_of_the_log(logging):
    logging.get("/api/v1/jobtypes/None", **{"X-Request-Id": "logged-json"})

    (line,) = lines_with(logging, "logged-json")

    said = json.loads(line)
    assert said.pop("time") > 1_600_000_000
    assert said.pop("hot") is False
    assert 0 <= said.pop("ms") < 60_000
    assert said == {
        "id": "logged-json",
        "token": "",
        "method": "GET",
        "path": "/api/v1/jobtypes/None",
        "route": "/api/v1/jobtypes/<jobtype>",
        "status": 404,
    }


def test_what_kills_workers_is_logged_in_json_too(empty, serve):
    server = serve(empty, "--workers", "1", "--log-format", "json")
    (worker,) = workers(server.process.pid)
    empty.rename(empty.with_name("elsewhere.git"))

    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: "another begins in" in server.log.read_text(), "two deaths")

    said = [json.loads(line) for line in server.log.read_text().splitlines()[3:]]
    words = {line.get("message") for line in said}
    assert {"Unexpected exit from worker-1", "a worker could not begin"} <= words
    assert any("NoRepository" in line.get("exception", "") for line in said)


@pytest.mark.parametrize("form", ["plain", "json"])
def test_the_log_names_the_token_and_never_shows_it(empty, serve, form):
    made = jobtypes("token", "create", "alice", "--role", "write", "--repo", empty)
    secret = re.search(r"jtr_\S+", made.stdout)
    assert secret
    server = serve(empty, "--workers", "1", "--log-format", form)
    bearer = {"Authorization": f"Bearer {secret[0]}"}

    for n, headers in enumerate((bearer, {"Authorization": "Bearer jtr_wrong"})):
        server.request(
            "PUT", "/api/v1/jobtypes/X", body("X"), {**headers, "X-Request-Id": f"with-token-{n}"}
        )

    assert "alice" in lines_with(server, "with-token-0")[0]
    assert "alice" not in lines_with(server, "with-token-1")[0]
    assert "jtr_" not in server.log.read_text()


def test_without_access_log_requests_are_no_lines(empty, serve):
    server = serve(empty, "--workers", "1", "--no-access-log")

    for _ in range(5):
        server.get("/api/v1/jobtypes/", **{"X-Request-Id": "unlogged"})
    server.stop()

    said = server.log.read_text()
    assert said.endswith(": ended\n")
    assert "unlogged" not in said
    assert " GET " not in said
