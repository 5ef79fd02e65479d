"""``jobtypes serve``: what it refuses, says and logs, and where its settings come from."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from api.cli.options import Setting
from tests.support.cloning import add_large_branch, begin_clone
from tests.support.commands import Done, commands, jobtypes
from tests.support.processes import workers
from tests.support.rest import Rest, body, error, running
from tests.support.server import Server, free_port
from tests.support.sockets import Dialer, listens
from tests.support.waiting import wait_for

HEX = re.compile(r"[0-9a-f]{16,32}")


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Iterator[Server]:
    """A service of two workers that logs for people."""
    with running(tmp_path_factory.mktemp("plain"), "--workers", "2") as rest:
        rest.jobtype("Made")
        yield rest.server


@pytest.fixture(scope="module")
def logging(tmp_path_factory) -> Iterator[Server]:
    """A read-only service on all addresses that logs as JSON."""
    options = ("--workers", "1", "--log-format", "json", "--read-only", "--host", "0.0.0.0")
    with running(tmp_path_factory.mktemp("json"), *options) as rest:
        yield rest.server


@pytest.fixture
def dial() -> Iterator[Dialer]:
    dialer = Dialer()
    yield dialer
    dialer.close()


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


# Settings


def named_host(done: Done) -> str:
    """The host that a refusal names: it tells which setting was taken."""
    return done.stderr.split()[1]


@pytest.fixture
def file(tmp_path, empty) -> Path:
    """A settings file."""
    path = tmp_path / "jobtypes.toml"
    path.write_text(f'repo = "{empty}"\nhost = "192.0.2.1"\n')
    return path


def test_an_option_is_stronger_than_a_variable_and_that_than_the_file(file):
    variable = {"JOBTYPES_HOST": "192.0.2.2"}

    assert named_host(jobtypes("--config", file, "serve")) == "192.0.2.1"
    assert named_host(jobtypes("--config", file, "serve", env=variable)) == "192.0.2.2"
    done = jobtypes("--config", file, "serve", "--host", "192.0.2.3", env=variable)
    assert named_host(done) == "192.0.2.3"
    assert named_host(jobtypes("serve", env={"JOBTYPES_CONFIG": str(file)})) == "192.0.2.1"


def test_the_file_can_be_named_after_the_command_too(file, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text('host = "192.0.2.4"\n')
    variable = {"JOBTYPES_HOST": "192.0.2.2"}
    file_variable = {"JOBTYPES_CONFIG": str(other)}

    assert named_host(jobtypes("serve", "--config", file)) == "192.0.2.1"
    assert named_host(jobtypes("serve", "--config", file, env=variable)) == "192.0.2.2"
    done = jobtypes("serve", "--host", "192.0.2.3", "--config", file, env=variable)
    assert named_host(done) == "192.0.2.3"
    assert named_host(jobtypes("--config", other, "serve", "--config", file)) == "192.0.2.1"
    assert named_host(jobtypes("serve", "--config", file, env=file_variable)) == "192.0.2.1"


@pytest.mark.parametrize(
    ("before", "after"), [(True, False), (False, True)], ids=["before", "after"]
)
def test_the_file_is_for_every_command(file, before, after):
    config = ("--config", file)
    listed = jobtypes(*config * before, "list", *config * after)
    changes = jobtypes(*config * before, "changes", "list", *config * after)

    assert (listed.returncode, listed.stdout) == (0, "ID  NAME  NEWEST  CLASS\n")
    assert (changes.returncode, changes.stdout.split()[0]) == (0, "BRANCH")


def test_commands_with_settings_take_the_file():
    for words, command in commands().items():
        names = [param.name for param in command.params]
        has_settings = any(isinstance(param, Setting) for param in command.params)

        assert names.count("config") == (has_settings or not words), words


def test_every_kind_of_setting_can_stand_in_the_file(file, serve):
    with file.open("a") as out:
        out.write(
            'branch = "main"\nread_only = true\nignore = ["agent-ascii"]\nlog_format = "json"\n'
        )
        out.write('access_log = false\nbody_limit_bytes = 2048\ncode_checks = "off"\n')
    port = free_port()
    command = [sys.executable, "-m", "api", "--config", str(file), "serve", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        # It says so at last, and ends its output if it ends.
        assert any("(refs/heads/main, 0 jobtypes)" in line for line in process.stdout)
    finally:
        process.terminate()
        process.wait(120)
        process.stdout.close()


BAD_FILES = {
    "an unknown setting": ('prot = 8080\nrepo = "."\n', "there is no setting prot"),
    "no TOML": ("port 8080\n", "can't be read"),
    "a table": ("[serve]\nport = 8080\n", "there is no setting serve"),
}


@pytest.mark.parametrize(("content", "says"), BAD_FILES.values(), ids=BAD_FILES)
@pytest.mark.parametrize("command", ["serve", "list", "check"])
def test_a_bad_settings_file_is_an_error_of_every_command(tmp_path, command, content, says):
    path = tmp_path / "bad.toml"
    path.write_text(content)

    done = jobtypes("--config", path, command)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"jobtypes: {path}")
    assert says in done.stderr
    assert jobtypes(command, "--config", path) == done


def test_a_settings_file_that_is_not_there_is_an_error(tmp_path):
    done = jobtypes("--config", tmp_path / "none.toml", "list")

    assert done.returncode == 1
    assert "none.toml can't be read" in done.stderr


BAD_VALUES = {
    "an unknown option": (["--prot", "1"], {}, "No such option"),
    "a port that is a word": (["--port", "http"], {}, "--port"),
    "a port out of range": (["--port", "70000"], {}, "--port"),
    "no workers": (["--workers", "0"], {}, "--workers"),
    "a variable that is a word": ([], {"JOBTYPES_PORT": "http"}, "--port"),
    "an unknown format": (["--log-format", "xml"], {}, "--log-format"),
    "a flag that is neither": ([], {"JOBTYPES_READ_ONLY": "perhaps"}, "--read-only"),
}


@pytest.mark.parametrize(("options", "env", "says"), BAD_VALUES.values(), ids=BAD_VALUES)
def test_a_wrong_option_or_variable_exits_with_2_and_is_named(empty, options, env, says):
    done = jobtypes("serve", "--repo", empty, *options, env=env)

    assert done.returncode == 2
    assert says in done.stderr


WRONG_TYPES = {
    "port": ('"8080"', "an integer"),
    "workers": ("true", "an integer"),
    "threads": ("8.0", "an integer"),
    "read_only": ('"yes"', "true or false"),
    "insecure_writes": ("1", "true or false"),
    "branch": ("1", "a string"),
    "code_checks": ("[]", "a string"),
    "ignore": ('"agent-ascii"', "a list of strings"),
}


@pytest.mark.parametrize("name", WRONG_TYPES)
def test_a_value_of_another_type_in_the_file_is_an_error(tmp_path, name):
    value, wanted = WRONG_TYPES[name]
    path = tmp_path / "bad.toml"
    path.write_text(f"{name} = {value}\n")

    done = jobtypes("--config", path, "serve")

    assert (done.returncode, done.stdout) == (1, "")
    assert f"{path}: {name} is " in done.stderr
    assert f"it must be {wanted}" in done.stderr


@pytest.mark.parametrize("line", ["port = 0", "port = 70000", 'log_format = "xml"'])
def test_a_value_out_of_range_in_the_file_exits_with_2(file, line):
    file.write_text(f"{file.read_text()}{line}\n")

    done = jobtypes("--config", file, "serve", "--host", "127.0.0.1")

    assert done.returncode == 2
    assert f"--{line.split()[0].replace('_', '-')}" in done.stderr


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


def lines_with(server: Server, id: str) -> list[str]:
    """The lines of the log about the request of that id, as soon as there is one."""

    def found() -> list[str]:
        return [line for line in server.log.read_text().splitlines() if id in line]

    wait_for(lambda: bool(found()), f"a line of the log about {id}")
    return found()


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
