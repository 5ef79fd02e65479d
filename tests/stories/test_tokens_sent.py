"""How a token is sent, and what is answered without a good one."""

from __future__ import annotations

import http.client

import pytest

from tests.support.rest import PREFIX, body, error
from tests.support.server import Server
from tests.support.sockets import Dialer
from tests.support.tokens import basic, bearer, create, secret_of

# How a token is sent, and what is answered without a good one


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/jobtypes/"),
        ("PUT", "/jobtypes/First"),
        ("POST", "/software/"),
        ("DELETE", "/changes/mine"),
        ("POST", "/changes/mine/merge"),
    ],
)
@pytest.mark.parametrize(("who", "status"), [(None, 401), ("read", 403)])
def test_a_user_who_may_not_write_reads_so_whatever_they_sent(studio, method, path, who, status):
    error(studio.call(who, method, path, b"no JSON"), status)


def test_the_body_of_a_stranger_is_not_waited_for(studio):
    dialer = Dialer()
    stalled = dialer.stalled(studio.server.port, f"PUT {PREFIX}/jobtypes/First")

    assert stalled.status == 401
    dialer.close()


def test_a_stranger_reads_it_too_where_nothing_can_be_written(studio):
    assert studio.call(None, "POST", "/nothing").status == 404
    preview = studio.server.request("POST", f"/preview/main{PREFIX}/jobtypes/", body("New"))
    assert preview.status == 405


def challenges(server: Server, method: str, path: str) -> list[str]:
    """What a request without a token is asked for, which must be refused for that."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        assert response.status == 401
        return response.headers.get_all("WWW-Authenticate") or []
    finally:
        connection.close()


CHALLENGES = ['Basic realm="jobtypes"', 'Bearer realm="jobtypes"']


@pytest.mark.parametrize(
    "headers",
    [
        lambda secret: bearer(secret),
        lambda secret: basic("anybody", secret),
        lambda secret: basic("", secret),
        lambda secret: basic(secret, ""),
    ],
    ids=["bearer", "password", "password alone", "user alone"],
)
def test_a_token_is_taken_in_each_way_it_may_be_sent(studio, headers):
    path = f"{PREFIX}/jobtypes/First"
    sent = headers(studio.secrets["write"])

    answer = studio.server.request("PUT", path, body("First"), sent)

    assert answer.status in (200, 201), answer.body


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}], ids=["none", "empty"])
def test_a_write_without_a_token_asks_for_one(studio, headers):
    answer = studio.server.request("PUT", f"{PREFIX}/jobtypes/X", body("X"), headers)

    assert error(answer, 401)["error"].endswith(
        "send a token, as Authorization: Bearer jtr_... or as the password of Basic"
    )
    assert challenges(studio.server, "DELETE", f"{PREFIX}/jobtypes/First") == CHALLENGES


@pytest.mark.parametrize(
    "headers",
    [
        bearer("jtr_wrong"),
        bearer(""),
        bearer("jtr_" + "é" * 40),
        basic("alice", "wrong"),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest username=alice"},
        {"Authorization": "jtr_wrong"},
    ],
    ids=["unknown", "empty", "no ASCII", "wrong", "no base64", "digest", "no scheme"],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_is_no_token_of_ours_is_refused_even_to_read(studio, method, headers):
    sent = body("First") if method == "PUT" else None
    raw = {name: value.encode().decode("latin-1") for name, value in headers.items()}

    answer = studio.server.request(method, f"{PREFIX}/jobtypes/First", sent, raw)

    error(answer, 401)
    assert "www-authenticate" in answer.headers


def test_reading_and_cloning_need_no_token_by_default(studio, clone):
    assert studio.call(None, "GET", "/jobtypes/First").status == 200
    assert clone(f"{studio.server.url}/jobtypes.git").git("ls-files")


def test_where_reading_needs_a_token_nothing_is_read_without_one(empty, serve, clone):
    secret = secret_of(create(empty, "alice", "--role", "read"))
    server = serve(empty, "--workers", "1", "--read-needs-token")
    paths = ("/jobtypes/", "/jobtypes/schema", "/software/", "/changes/")
    git_path = "/jobtypes.git/info/refs?service=git-upload-pack"

    for path in (*(PREFIX + path for path in paths), git_path):
        assert b"reading needs a token" in server.get(path).body
        assert challenges(server, "GET", path) == CHALLENGES
        assert server.request("GET", path, headers=bearer(secret)).status == 200

    clone(server.url.replace("//", f"//x:{secret}@") + "/jobtypes.git")


def test_a_push_without_a_token_is_asked_for_one(studio, clone, monkeypatch):
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    worktree = clone(f"{studio.server.url}/jobtypes.git")
    worktree.write("jobtypes/First/notes.txt", "x\n")

    assert "could not read Username" in worktree.push().stderr


def test_a_push_is_taken_with_a_bearer_header_too(studio, clone):
    worktree = clone(f"{studio.server.url}/jobtypes.git")
    header = f"Authorization: Bearer {studio.secrets['write']}"
    worktree.git("config", "http.extraHeader", header)
    worktree.write("jobtypes/First/bearer.txt", "x\n")

    result = worktree.push()

    assert result.returncode == 0, result.stderr
