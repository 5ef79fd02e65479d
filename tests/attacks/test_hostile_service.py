"""A server that means harm to those who ask it with the command line."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from api.cli.options import EXIT_OURS, EXIT_USER
from api.client import patience, transport
from api.rest import models, story_models, token_models
from tests.support.commands import jobtypes
from tests.support.forms import forms
from tests.support.odd_server import OddServer, odd_server, says
from tests.support.terminal import in_terminal

JSON = "application/json"
SECRET = "jtr_secret"
OURS = 'Bearer realm="jobtypes"'

EVIL = "\x1b]0;x\x07\x1b[2J\r\n\u202e\x9b31m\u2028\x00 ::error::x"
"""What would rule a terminal, or begin a line of its own."""

NUMBER = 123454321
"""Stands for a number until the answer is written."""

ODD_DATES = ["2026-13-01T00:00:00+00:00", "", "-", "2026-05-01", "9999-12-31T23:59:59-23:59"]

DATE = "2026-05-01T10:00:00+00:00"
COMMIT = "0123456789" * 4

STORY = "jobtypes/[^/]+/versions/[0-9]+/history"
ANSWERS: dict[str, Any] = {
    "newest": list[models.NewestAnswer],
    "jobtypes/": list[models.JobtypeRow],
    "jobtypes/[^/]+/history": list[story_models.StoryAnswer],
    STORY: story_models.StoryAnswer,
    r"jobtypes/[^/]+(/versions/[0-9]+)?": models.JobtypeAnswer,
    "jobtypes/[^/]+/diff/.*": models.DiffAnswer,
    "jobtypes/[^/]+/rollback": models.JobtypeAnswer,
    "jobtypes/[^/]+/versions/": list[int],
    "jobtypes/[^/]+/versions/[0-9]+/restore": models.JobtypeAnswer,
    "whose": list[story_models.OriginAnswer],
    "changes/": list[models.ChangeRow],
    "changes/[^/]+": models.ChangeAnswer,
    "changes/[^/]+/comments": list[models.CommentAnswer],
    "changes/[^/]+/comments/new": models.CommentAnswer,
    "changes/[^/]+/approvals": models.ApprovalsAnswer,
    "changes/[^/]+/merge": models.MergedAnswer,
    "tokens/": list[token_models.TokenAnswer],
    "tokens/[^/]+(/rotate)?": token_models.NewTokenAnswer,
}
"""The models of the answers by path."""

COMMANDS = [
    *(["list"], ["log", "A"], ["log", "A@1"], ["show", "A"], ["show", "A@1"]),
    *(["diff", "A", "1..2"], ["diff", "A", "1..2", "--format", "json"], ["whose", "A_B_v1.py:1"]),
    *(["changes", "list"], ["changes", "show", "x"], ["changes", "merge", "x", "--delete-branch"]),
    *(["changes", "comment", "x", "-m", "x"], ["changes", "approve", "x", "--commit", COMMIT]),
    *(["rollback", "A", "1", "--reason", "x"], ["withdraw", "A", "1", "--reason", "x"]),
    *(["restore", "A", "1"], ["token", "list"], ["token", "rotate", "x"], ["token", "revoke", "x"]),
]


def made_up(schema: Any, whole: Any, text: str, date: str, number: int) -> Any:
    """A value as *schema* has it, each free text in which is *text*."""
    if "$ref" in schema:
        return made_up(whole["$defs"][schema["$ref"].split("/")[-1]], whole, text, date, number)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return made_up(schema["anyOf"][0], whole, text, date, number)
    kind = schema.get("type")
    if kind == "object":
        fields = schema.get("properties", {}).items()
        found = {name: made_up(s, whole, text, date, number) for name, s in fields}
        found |= {n: date for n in ("date", "created", "expires") if n in found}
        others = schema.get("additionalProperties")
        return found | ({text: made_up(others, whole, text, date, number)} if others else {})
    if kind == "array":
        item = schema.get("items", schema.get("prefixItems", [{}])[0])
        return [made_up(item, whole, text, date, number)] * 2
    if kind == "string":
        pattern = schema.get("pattern", "")
        return COMMIT + "0" * 24 if "64" in pattern else COMMIT if "40" in pattern else text
    return {"integer": number, "number": number, "boolean": True}.get(kind, text)


def accepted(adapter: Any, value: Any) -> Any:
    """*value* as the model takes it: what it refuses as text is a letter."""
    try:
        adapter.validate_json(json.dumps(value))
    except ValidationError as error:
        for fault in error.errors():
            *above, last = fault["loc"]
            place = value
            for key in above:
                place = place[key]
            if isinstance(place[last], str) and place[last] not in ODD_DATES:
                place[last] = "x"
    return value


class Hostile:
    """Answers each route of the API in its shape, with the worst content."""

    def __init__(self, text: str = EVIL, date: str = DATE, number: str = "1") -> None:
        self.text, self.date, self.number = text, date, number

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0].removeprefix("/api/v1/")
        handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        if handler.command == "POST" and path.endswith("/comments"):
            path += "/new"
        found = [model for route, model in ANSWERS.items() if re.fullmatch(route, path)]
        headers = {"X_Git_Commit": "\x1b[2J\x9b"}
        if not found or handler.command == "DELETE":
            says(200, self.text.encode(), "text/plain", **headers)(handler)
            return
        adapter: Any = TypeAdapter(found[-1])
        schema = adapter.json_schema()
        value = made_up(schema, schema, self.text, self.date, NUMBER)
        made = json.dumps(accepted(adapter, value))
        body = made.replace(str(NUMBER), self.number).encode()
        says(200, body, JSON, **headers)(handler)


@pytest.fixture(scope="module")
def hostile() -> Iterator[OddServer]:
    with odd_server(Hostile()) as server:
        yield server


def test_no_control_character_of_a_service_reaches_a_terminal(hostile):
    said = in_terminal(100, [[*words, "--url", hostile.url] for words in COMMANDS])

    for words, text in zip(COMMANDS, said, strict=True):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", text), (words, text)
        assert not re.search(r"^ *::error", text, re.M), (words, text)
        assert "Traceback" not in text
        assert "expects" not in text, (words, text)


def test_nor_a_pipe_but_for_the_content_of_files(hostile):
    for words in COMMANDS:
        done = jobtypes(*words, "--url", hostile.url)
        if words[0] in ("show", "diff") or words[:2] == ["changes", "show"]:
            continue
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202e]", done.stdout + done.stderr)


@pytest.mark.parametrize("date", forms([EVIL, *ODD_DATES], 2))
def test_a_date_that_is_none_is_a_sentence(date):
    with odd_server(Hostile("x", date)) as server:
        for words in COMMANDS:
            done = jobtypes(*words, "--url", server.url)
            assert done.returncode in (0, EXIT_USER), (words, done)


DIGITS = [4300, 4999]
"""How many digits a number has: Python turns no more than 4300 into text."""


NUMBERS = {"none": "0", "below": "-1", "huge": "1e400"} | {str(n): "9" * n for n in DIGITS}


@pytest.mark.parametrize("number", forms(NUMBERS, 2))
def test_a_number_that_is_none_is_a_sentence(number):
    with odd_server(Hostile("x", number=number)) as server:
        for words in COMMANDS:
            done = jobtypes(*words, "--url", server.url)
            assert done.returncode in (0, EXIT_USER), (words, done.stderr[:500])


@pytest.mark.parametrize(
    "headers",
    [
        {"Link": '<http://[>; rel="next"'},
        {"Link": '<http://[x?before=1>; rel="next"'},
        {"Link": f'<?{"&" * 60000}>; rel="next"'},
        {"Link": "<" * 60000},
        {"Link": "<>" + " " * 60000},
    ],
    ids=range(5),
)
def test_an_odd_link_is_no_traceback(headers, monkeypatch):
    monkeypatch.setattr(transport, "PAGES_LIMIT", 3)
    with odd_server(says(200, b"[]", JSON, **headers)) as server:
        done = jobtypes("log", "A", "--url", server.url)

        assert done.returncode in (0, EXIT_OURS)
        assert {asked["host"] for _, asked in server.asked} == {server.url.removeprefix("http://")}


ODD_ADDRESSES = [
    *("http://[", "http://[::::]", "http://a..b", "http://."),
    *(f"http://{'a' * 64}.x", "http://a_b^c", "http://a/%00", "http://*"),
]


@pytest.mark.parametrize("url", ODD_ADDRESSES)
def test_an_odd_address_is_no_traceback(url):
    assert jobtypes("list", "--url", url).returncode in (EXIT_USER, EXIT_OURS)


def raw(data: bytes) -> Any:
    return lambda handler: handler.wfile.write(data)


ODD_HEADS = {
    "a length of 5000 digits": b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n[]" % (b"9" * 5000),
    "a length below 0": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]",
    "a status of many digits": b"HTTP/1.1 %b OK\r\n\r\n" % (b"2" * 5000),
    "no status": b"HTTP/1.1\r\n\r\n",
    "a long line": b"HTTP/1.1 200 OK\r\nA: %b\r\n\r\n" % (b"x" * 70000),
    "many lines": b"HTTP/1.1 200 OK\r\n%b\r\n" % (b"A: b\r\n" * 1000),
    "an odd chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]\r\n",
    "a huge chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"f" * 5000
    + b"\r\n[]",
    "a chunk of -1": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n[]",
    "a chunk of -5": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n[]",
    "a kind that is none": b"HTTP/1.1 404 x\r\nContent-Type: \xff;\x1b/\r\n\r\n[]",
    "compressed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08",
    "no text": b"HTTP/1.1 400 x\r\nContent-Type: application/json; charset=x\r\n\r\n\xff",
    "a lone surrogate": b"HTTP/1.1 400 x\r\nContent-Type: application/json\r\n\r\n"
    b'{"error": "\\ud800 x"}',
    "deep": b"HTTP/1.1 400 x\r\nContent-Type: application/json\r\n\r\n" + b'{"error":' * 100_000,
    "odd challenges": b"HTTP/1.1 401 x\r\nWWW-Authenticate: \x1b\r\n"
    b'WWW-Authenticate: Digest realm="jobtypes"\r\n\r\n',
    "nowhere": b"HTTP/1.1 302 x\r\nLocation: //[\x1b\r\n\r\n",
    "a file": b"HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n",
    "no place": b"HTTP/1.1 302 x\r\n\r\n",
    "not modified": b"HTTP/1.1 304 x\r\n\r\n",
    "nothing": b"HTTP/1.1 204 x\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 x\r\n\r\n",
}


@pytest.mark.parametrize("head", ODD_HEADS.values(), ids=ODD_HEADS)
def test_an_odd_head_is_one_sentence_without_control_characters(head):
    with odd_server(raw(head)) as server:
        for words in (["list"], ["log", "A"], ["token", "list"]):
            done = jobtypes(*words, "--url", server.url, env={"JOBTYPES_TOKEN": SECRET})
            assert done.returncode in (0, EXIT_USER, EXIT_OURS)
            assert len(done.stderr.splitlines()) == (done.returncode != 0)
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.stderr)
            assert SECRET not in done.stderr
        assert set(server.tokens) == {None}


def drips(piece: bytes, head: bytes = b"") -> Any:
    """Says *head*, and then *piece* again and again, until nobody listens."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        try:
            handler.wfile.write(head)
            while True:
                handler.wfile.write(piece)
                time.sleep(0.01)
        except OSError:
            pass

    return respond


ENDLESS = {
    "100 Continue": drips(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a status line": drips(b"H"),
    "a header": drips(b"x", b"HTTP/1.1 200 OK\r\nA: "),
    "a body": drips(b" ", b"HTTP/1.1 200 OK\r\n\r\n"),
    "chunks": drips(b"1\r\n \r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
}


@pytest.mark.parametrize("respond", ENDLESS.values(), ids=ENDLESS)
def test_an_answer_that_never_ends_is_not_waited_for(respond, monkeypatch):
    monkeypatch.setattr(patience, "ANSWER_LIMIT_S", 0.3)
    done: list[Any] = []
    with odd_server(respond) as server:
        asking = threading.Thread(
            target=lambda: done.append(jobtypes("list", "--url", server.url)), daemon=True
        )
        asking.start()
        asking.join(120)
        assert done
    assert done[0].returncode == EXIT_OURS
    assert "does not end" in done[0].stderr or "HTTP" in done[0].stderr


@pytest.mark.parametrize("size", [b"-1", b"-5"])
def test_a_chunk_of_a_negative_size_is_read_no_further(size):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + size + b"\r\n"
    with odd_server(raw(head + b" " * 100_000 + b"[]")) as server:
        done = jobtypes("list", "--url", server.url)

    assert done.returncode == EXIT_OURS
    assert "ended its answer early, or does not speak HTTP" in done.stderr


def test_many_small_chunks_are_one_answer():
    chunks = b"1\r\n \r\n" * 100_000 + b"2\r\n[]\r\n0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with odd_server(raw(head + chunks)) as server:
        assert jobtypes("list", "--url", server.url).returncode == 0


def test_the_parts_of_a_list_are_limited_together(monkeypatch):
    monkeypatch.setattr(transport, "ANSWER_LIMIT_BYTES", 3000)
    body = b"[" + b" " * 1000 + b"]"
    with odd_server(says(200, body, JSON, Link='<?before=1>; rel="next"')) as server:
        done = jobtypes("log", "A", "--url", server.url)

        assert (done.returncode, len(server.asked)) == (EXIT_OURS, 3)
    assert "does not end" in done.stderr


def test_a_token_of_the_environment_does_not_go_where_only_a_clone_leads(empty, clone, monkeypatch):
    ours = says(401, b'{"error": "x"}', JSON, WWW_Authenticate=OURS)
    commands = [words for words in COMMANDS if words[0] in ("changes", "token", "rollback")]
    worktree = clone(empty)
    monkeypatch.chdir(worktree.path)
    with odd_server(ours) as server:
        worktree.git("remote", "set-url", "origin", f"{server.url}/jobtypes.git")
        for words in commands:
            done = jobtypes(*words, env={"JOBTYPES_TOKEN": SECRET})

            assert done.returncode == EXIT_USER
            assert "name it with --url or JOBTYPES_URL" in done.stderr
        assert len(server.asked) >= len(commands)
        assert set(server.tokens) == {None}

        jobtypes("changes", "list", "--url", server.url, env={"JOBTYPES_TOKEN": SECRET})
        assert server.tokens[-1] == f"Bearer {SECRET}"
        variables = {"JOBTYPES_TOKEN": SECRET, "JOBTYPES_URL": server.url}
        jobtypes("changes", "list", env=variables)
        assert server.tokens[-1] == f"Bearer {SECRET}"


@pytest.mark.skipif(os.getuid() != 0, reason="gives files to another user, which needs root")
def test_another_users_clone_leads_nowhere(empty, clone, monkeypatch):
    worktree = clone(empty)
    with odd_server(says(200, b"[]", JSON)) as server:
        worktree.git("remote", "set-url", "origin", f"{server.url}/jobtypes.git")
        for path in (worktree.path, worktree.path / ".git"):
            os.chown(path, 12345, 12345)
        monkeypatch.chdir(worktree.path)

        done = jobtypes("changes", "list")

        assert done.returncode == EXIT_USER
        assert "not owned by" in done.stderr
        assert server.asked == []


ORIGINS = [
    "ext::sh -c touch% {mark} %/jobtypes.git",
    "--upload-pack=touch {mark}/jobtypes.git",
    "file://{mark}/jobtypes.git",
    "http://x:{mark}/jobtypes.git",
    "http://$(touch {mark})/jobtypes.git",
    "https://u:p@-oProxyCommand=touch%20{mark}/jobtypes.git",
    "http://[/jobtypes.git",
    "http://127.0.0.1:1%0aexample.com/jobtypes.git",
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_odd_origin_runs_nothing(empty, clone, monkeypatch, tmp_path, origin):
    mark = tmp_path / "ran"
    worktree = clone(empty)
    worktree.git("config", "remote.origin.url", origin.replace("{mark}", str(mark)))
    monkeypatch.chdir(worktree.path)

    for words in (["changes", "list"], ["token", "list"], ["list"], ["check"]):
        done = jobtypes(*words, env={"JOBTYPES_TOKEN": SECRET})
        assert SECRET not in done.stdout + done.stderr
        assert ":p@" not in done.stdout + done.stderr

    assert not mark.exists()
