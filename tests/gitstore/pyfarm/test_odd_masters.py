"""A master's API that answers otherwise than a master is named, and nothing is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

import pytest

from tests.support.commands import jobtypes
from tests.support.odd_server import odd_server, says

VERSION = {
    "version": 1,
    "code": "class Job: pass\n",
    "software_requirements": [],
    "classname": "Job",
}
ANSWERS: dict[str, object] = {
    "/jobtypes/": [{"id": 1, "name": "A"}],
    "/jobtypes/1/versions/": [1],
    "/jobtypes/1/versions/1": VERSION,
    "/software/": [
        {"id": 1, "software": "maya", "versions": [{"id": 1, "version": "1", "rank": 1}]}
    ],
    "/software/1/versions/1": {"discovery_function_name": None},
}


def answering(**changed: object) -> Callable[[BaseHTTPRequestHandler], None]:
    """A master that has one jobtype and one software; *changed* has other answers by path."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        said = {**ANSWERS, **changed}.get(handler.path)
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        says(404 if said is None else 200, body, "application/json")(handler)

    return respond


def test_a_plain_master_is_imported(tmp_path):
    with odd_server(answering()) as server:
        url = server.url.replace("http", "HTTP")
        done = jobtypes("import", url, "--into", tmp_path / "r.git")

    assert "brought 1 jobtypes, 1 versions and 1 software" in done.stdout


@pytest.mark.parametrize(
    ("path", "said", "expected"),
    [
        ("/jobtypes/", {"error": "log in"}, "the answer must be a list, not a mapping"),
        ("/jobtypes/", ["A"], "answers otherwise than a master: 0 "),
        ("/jobtypes/", [{"id": 1}], "0.name is missing"),
        ("/jobtypes/", b"<html>", "answers no JSON; name the API"),
        ("/jobtypes/", b"[" * 100_000, "answers no JSON"),
        ("/jobtypes/1/versions/", None, "is not there; name the API"),
        ("/jobtypes/1/versions/", ["x"], "answers otherwise than a master"),
        ("/jobtypes/1/versions/1", [], "answers otherwise than a master"),
        ("/jobtypes/1/versions/1", {**VERSION, "code": 1}, "code must be a string, not 1"),
        ("/jobtypes/1/versions/1", {**VERSION, "max_batch": "x"}, "max_batch must be an integer"),
        ("/jobtypes/1/versions/1", {**VERSION, "classname": ["x"]}, "classname must be a string"),
        ("/software/", [{"id": 1, "software": "x"}], "0.versions is missing"),
        ("/software/1/versions/1", b"<html>", "answers no JSON"),
        ("/software/1/versions/1", [], "answers otherwise than a master"),
        ("/software/maya/versions/1/discovery_code", b"\xff", "can't decode"),
    ],
)
def test_a_master_that_answers_otherwise_is_named_with_the_path(tmp_path, path, said, expected):
    with odd_server(answering(**{path: said})) as server:
        done = jobtypes("import", server.url, "--into", tmp_path / "r.git")

    assert done.returncode in (1, 3)
    assert expected in done.stderr
    assert path in done.stderr or "jobtype 'A' version 1" in done.stderr
    assert not (tmp_path / "r.git").exists()


@pytest.mark.parametrize(
    "raw", [b"nonsense\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[", b""]
)
def test_a_server_that_breaks_off_or_talks_no_http_is_named(tmp_path, raw):
    with odd_server(lambda handler: handler.wfile.write(raw)) as server:
        done = jobtypes("import", server.url, "--into", tmp_path / "r.git")

    assert done.returncode == 3
    assert f"{server.url}/jobtypes/: " in done.stderr


def test_code_with_half_a_character_comes_as_a_broken_version(tmp_path):
    body = json.dumps({**VERSION, "code": "class Job: '\ud83d'\n"}).encode()
    with odd_server(answering(**{"/jobtypes/1/versions/1": body})) as server:
        done = jobtypes("import", server.url, "--into", tmp_path / "r.git")

    assert "out of service: 1" in done.stdout


def test_a_url_that_is_no_text_is_no_url_of_a_database(empty):
    for words in (("compare", "sqlite:////x\udcff.db"), ("mirror", "sqlite:////x\udcff.db")):
        done = jobtypes(*words, "--repo", empty)

        assert done.returncode == 1
        assert "the database's URL can't be read; write it as" in done.stderr
