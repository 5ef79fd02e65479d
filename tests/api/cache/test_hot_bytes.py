"""Answers from memory have the bytes, and the figures, of those that are made."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from api.config import PREFIX
from tests.support.branches import BLENDER, NEEDS_BLENDER, Branch, jobtype
from tests.support.server import Server

if TYPE_CHECKING:
    pass


@pytest.fixture(scope="module", params=["--hot-path", "--no-hot-path"])
def servers(request, tmp_path_factory) -> Iterator[tuple[Server, Server]]:
    """Two services on one repository: one that keeps answers, in either way, and one without."""
    branch = Branch(tmp_path_factory.mktemp("servers") / "jobtypes.git")
    branch.commit(jobtype("Job", meta=NEEDS_BLENDER) | jobtype("M\u00fcll Abfuhr") | BLENDER)
    branch.commit(jobtype("Job", "a = 1\n") | jobtype("schema") | jobtype("Gone"))
    branch.commit(jobtype("Job", "a = 2\n") | {"withdrawn.yaml": "Job: [2]\n"})
    branch.commit({"jobtypes/Gone/code.py": None, "jobtypes/Gone/meta.yaml": None})
    one = Server(branch.path, "--workers", "1", request.param)
    other = Server(branch.path, "--workers", "1", "--hot-bytes", "0")
    yield one, other
    one.stop()
    other.stop()


def raw(server: Server, method: str, path: str, headers: dict[str, str]) -> bytes:
    """Every byte of the answer but its date."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as connection:
        request = (
            f"{method} {path} HTTP/1.1\r\nHost: studio.example\r\nX-Request-Id: one\r\n"
            f"Connection: close\r\n{lines}\r\n"
        )
        connection.sendall(request.encode("latin-1"))
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return re.sub(rb"(?mi)^date: .*\r\n", b"", answer)


PATHS = [
    f"{PREFIX}/jobtypes/{key}{rest}{slash}"
    for key in (
        "Job",
        "1",
        "2",
        "M%C3%BCll%20Abfuhr",
        "M%FCll",
        "schema",
        "Gone",
        "No",
        "99",
        "%2F",
    )
    for rest in ("", "/versions/1", "/versions/1/code")
    for slash in ("", "/")
] + [
    f"{PREFIX}/{rest}"
    for rest in (
        "jobtypes",
        "jobtypes/",
        "jobtypes//",
        "jobtypes/Job//",
        "jobtypes/Job/versions/",
        "jobtypes/Job/versions/0",
        "jobtypes/Job/versions/01",
        "jobtypes/Job/versions/2",
        "jobtypes/Job/versions/2/code",
        "jobtypes/Job/versions/3",
        "jobtypes/Job/versions/x",
        "jobtypes/Job/versions/1/diff",
        "jobtypes/Job/versions/1/software_requirements/",
        "jobtypes/Job/software_requirements/",
        "jobtypes/Job/software_requirements/blender",
        "jobtypes/Job?version=1",
        "jobtypes/J%FCb",
        "jobtypes/J%FCb/versions/1",
        "software/",
        "software/blender",
        "software/blender/versions/2.69",
    )
]


def test_every_answer_has_the_bytes_that_it_has_without_the_hot_path(servers):
    hot, long = servers
    for path in PATHS:
        for method in ("GET", "GET", "HEAD"):
            assert raw(hot, method, path, {}) == raw(long, method, path, {}), (method, path)


@pytest.mark.parametrize(
    "path", [f"{PREFIX}/jobtypes/Job{rest}" for rest in ("", "/versions/1", "/versions/1/code")]
)
def test_conditions_are_answered_as_they_are_without_the_hot_path(servers, path):
    hot, long = servers
    tag = hot.get(path).headers["etag"]
    statuses = set()
    for given_tag in (tag, f"W/{tag}", f'"x", {tag}', "*", '"x"', "", tag.strip('"'), "*, x", '"'):
        for method in ("GET", "HEAD"):
            headers = {"If-None-Match": given_tag}
            answer = raw(hot, method, path, headers)
            assert answer == raw(long, method, path, headers), (method, given_tag)
            statuses.add(answer.split()[1])
    assert statuses == {b"200", b"304"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer jtr_x"),
        ("Authorization", ""),
        ("Content-Type", "application/json"),
        ("Accept", "text/html"),
        ("Accept-Encoding", "gzip"),
        ("Origin", "https://studio.example"),
        ("Range", "bytes=0-3"),
        ("If-Match", '"x"'),
        ("If-Modified-Since", "Mon, 06 May 2024 07:08:09 GMT"),
        ("Upgrade", "websocket"),
        ("X-Forwarded-Prefix", "/there"),
        ("X-HTTP-Method-Override", "DELETE"),
    ],
)
def test_no_header_makes_a_difference_that_it_does_not_make_without_the_hot_path(
    servers, name, value
):
    hot, long = servers
    for path in (f"{PREFIX}/jobtypes/Job", f"{PREFIX}/jobtypes/Job/versions/1/code"):
        for _ in range(2):
            assert raw(hot, "GET", path, {name: value}) == raw(long, "GET", path, {name: value})


def test_answers_from_memory_are_counted_and_logged_with_their_route(servers):
    hot, _ = servers
    path = f"{PREFIX}/jobtypes/Job/versions/3"

    def figure(name: str) -> float:
        lines = hot.get("/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    hot.get(path)
    hits = figure("jobtypes_hot_hits_total")
    route = f'{PREFIX}/jobtypes/<jobtype>/versions/<number:number>"'
    name = f'jobtypes_requests_total{{method="GET",route="{route},status="200"}}'
    requests = figure(name)
    assert requests > 0

    for _ in range(5):
        hot.get(path)

    assert figure("jobtypes_hot_hits_total") == hits + 5
    assert figure(name) == requests + 5
    logged = [line for line in hot.log.read_text().splitlines() if f" GET {path} " in line]
    assert len(logged) >= 6
    assert all(f" route={route[:-1]} " in line for line in logged)
