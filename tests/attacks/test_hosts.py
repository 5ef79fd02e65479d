"""The header Host: none, two, and what can be no host, by bytes over a socket."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from api.web.parts import parts_of
from tests.support.rest import running
from tests.support.server import Server
from tests.support.sockets import Dialer, Raw

PATHS = [
    "/api/v1/jobtypes/Job",
    "/",
    "/metrics",
    "/health/live",
    "/nowhere",
    "/api/v1/jobtypes/Job/versions/1/code",
]


@pytest.fixture(scope="module")
def asked(tmp_path_factory) -> Iterator[Server]:
    """A service with a jobtype, whose answers are in memory."""
    with running(tmp_path_factory.mktemp("hosts"), "--workers", "1") as rest:
        rest.jobtype("Job")
        for _ in range(3):
            for path in PATHS:
                rest.server.get(path)
        yield rest.server


@pytest.fixture
def dial(asked) -> Iterator[Raw]:
    dialer = Dialer()
    yield dialer(asked.port)
    dialer.close()


def answer(raw: Raw, head: str) -> tuple[int, str]:
    """The status and the body that a request of that head gets."""
    raw.send(head.encode("latin-1"))
    said = b""
    while b"\r\n\r\n" not in said and (more := raw.received()):
        said += more
    top, _, rest = said.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1])
        for line in top.lower().split(b"\r\n")
        if line.startswith(b"content-length")
    )
    while len(rest) < length and (more := raw.received()):
        rest += more
    return int(top.split(b" ")[1]), rest.decode()


BAD = {
    "none": "",
    "two": "Host: localhost\r\nHost: localhost\r\n",
    "two that differ": "Host: localhost\r\nhost: evil.example\r\n",
    "empty": "Host:\r\n",
    "a list": "Host: localhost,evil.example\r\n",
    "a space": "Host: local host\r\n",
    "a user": "Host: user@localhost\r\n",
    "a path": "Host: localhost/x\r\n",
    "a URL": "Host: http://localhost\r\n",
    "a quote": 'Host: localhost"><script>\r\n',
    "not ASCII": "Host: caf\xe9\r\n",
    "too long": f"Host: {'a.' * 127}a\r\n",
    "a port that is none": "Host: localhost:http\r\n",
    "a port too high": "Host: localhost:65536\r\n",
    "two ports": "Host: localhost:1:2\r\n",
    "half an address": "Host: [::1\r\n",
    "brackets round a name": "Host: [localhost]\r\n",
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fields", [BAD["none"], BAD["two"]], ids=["none", "two"])
def test_a_request_for_no_host_or_two_is_400_at_every_path(dial, path, fields):
    status, said = answer(dial, f"GET {path} HTTP/1.1\r\n{fields}\r\n")

    assert status == 400
    assert "Host header" in json.loads(said)["error"]


@pytest.mark.parametrize("fields", BAD.values(), ids=BAD)
def test_what_can_be_no_host_is_400_though_the_answer_is_in_memory(dial, fields):
    status, said = answer(dial, f"GET /api/v1/jobtypes/Job HTTP/1.1\r\n{fields}\r\n")

    assert status == 400
    assert list(json.loads(said)) == ["error"]


def test_git_is_answered_in_its_own_way(dial):
    path = "/jobtypes.git/info/refs?service=git-upload-pack"

    status, said = answer(dial, f"GET {path} HTTP/1.1\r\n{BAD['two']}\r\n")

    assert status == 400
    assert said.startswith("the Host header is 'localhost,localhost'")


def test_a_write_for_two_hosts_changes_nothing(dial, asked):
    line = "DELETE /api/v1/jobtypes/Job HTTP/1.1"

    assert answer(dial, f"{line}\r\n{BAD['two']}\r\n")[0] == 400
    assert asked.get("/api/v1/jobtypes/Job").status == 200


@pytest.mark.parametrize(
    "field",
    [
        "localhost",
        "LOCALHOST:8080",
        "127.0.0.1:1",
        "[::1]:8080",
        "[fe80::1%25eth0]",
        "git_server.studio.example.",
        "render-01:",
        f"{'a.' * 126}a",
    ],
)
def test_every_host_that_can_be_one_is_answered(dial, field):
    for _ in range(2):
        head = f"GET /api/v1/jobtypes/Job HTTP/1.1\r\nHost: {field}\r\n\r\n"
        assert answer(dial, head)[0] == 200


def test_http_1_0_needs_no_host(dial):
    assert answer(dial, "GET /api/v1/jobtypes/Job HTTP/1.0\r\n\r\n")[0] == 200


def test_hosts_without_end_take_no_memory_without_end(client):
    for number in range(1000):
        assert client.get("/health/live", headers={"Host": f"h{number}"}).status_code == 200

    known = parts_of(client.application).hosts
    assert "h999" in known
    assert len(known) < 1000
