"""Tokens over HTTP: who may make them, and where their secrets never stand."""

from __future__ import annotations

import json
import logging

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch import tokens_file
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.plain_browser import PlainBrowser, listening
from tests.support.rest import PREFIX, Direct, error
from tests.support.tokens import bearer

NEW = {"name": "td one", "role": "write"}
ROUTES = [
    ("GET", "/tokens/", None),
    ("POST", "/tokens/", NEW),
    ("DELETE", "/tokens/eve", None),
    ("POST", "/tokens/eve/rotate", {}),
]


@pytest.fixture
def tokens(empty) -> Tokens:
    return Tokens(empty)


@pytest.fixture
def rest(empty) -> Direct:
    return Direct(create_app(Config(empty)).test_client())


@pytest.fixture
def eve(tokens) -> dict[str, str]:
    """The headers of an admin."""
    return bearer(tokens.create("eve", Role.ADMIN, "eve@x", ()))


def test_an_admin_makes_a_token_that_does(rest, eve, tokens):
    made = rest("POST", "/tokens/", {**NEW, "only": ["Nuke*"], "lasts_s": 60}, eve)

    assert made.status == 201
    assert made.headers["cache-control"] == "no-store"
    assert "etag" not in made.headers
    secret = made.json["secret"]
    assert made.json | {"created": "", "expires": ""} == {
        **NEW,
        "only": ["Nuke*"],
        "email": "td.one@localhost",
        "created": "",
        "expires": "",
        "used": None,
        "secret": secret,
    }
    assert tokens.standing.find(secret).name == "td one"
    (_, row) = rest.get("/tokens/", eve).json
    assert row == {name: value for name, value in made.json.items() if name != "secret"}


def test_an_admin_rotates_and_revokes(rest, eve, tokens):
    first = rest("POST", "/tokens/", NEW, eve).json["secret"]

    done = rest("POST", "/tokens/td%20one/rotate", {"overlap_s": 0}, eve)

    assert done.status == 201
    assert done.headers["cache-control"] == "no-store"
    second = done.json["secret"]
    assert rest("POST", "/jobtypes/", {}, bearer(first)).status == 401
    assert rest("POST", "/jobtypes/", {}, bearer(second)).status == 400
    assert rest("DELETE", "/tokens/td%20one", None, eve).status == 204
    assert rest("POST", "/jobtypes/", {}, bearer(second)).status == 401
    assert "did you mean eve?" in error(rest("DELETE", "/tokens/eva", None, eve), 404)["error"]
    assert [row.name for row in tokens.rows()] == ["eve"]


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_nobody_else_may(rest, eve, tokens, method, path, body):
    others = {
        "ann": tokens.create("ann", Role.READ, "a@x", ()),
        "wes": tokens.create("wes", Role.WRITE, "w@x", ()),
        "only": tokens.create("only", Role.ADMIN, "o@x", ("Nuke*",)),
    }
    before = tokens.rows()

    for secret in others.values():
        said = error(rest(method, path, body, bearer(secret)), 403)["error"]
        assert "role admin" in said or "role write" in said
    assert "send a token" in error(rest(method, path, body), 401)["error"]
    assert tokens.rows() == before


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_without_tokens_nobody_makes_the_first_over_http(rest, tokens, method, path, body):
    assert "on its machine" in error(rest(method, path, body), 403)["error"]
    assert "on its machine" in error(rest(method, path, body, bearer("x")), 403)["error"]
    assert tokens.rows() == ()


@pytest.mark.parametrize(("method", "path", "body"), ROUTES)
def test_lost_tokens_are_told_and_not_replaced(rest, eve, empty, method, path, body):
    (empty / "jobtypes" / "tokens.json").unlink()

    assert "lost" in error(rest(method, path, body, eve), 503)["error"]
    assert not (empty / "jobtypes" / "tokens.json").exists()


def test_a_page_of_another_site_makes_none(rest, eve, tokens):
    page = {"Origin": "https://evil.example"}

    assert (
        "only our own may write" in error(rest("POST", "/tokens/", NEW, eve | page), 403)["error"]
    )
    assert error(rest("POST", "/tokens/", NEW, {"Sec-Fetch-Site": "cross-site"}), 403)
    assert len(tokens.rows()) == 1


def test_pages_that_may_read_the_api_read_no_tokens(empty, eve):
    from api.web.cors import CrossOrigin

    app = create_app(Config(empty))
    app.wsgi_app = CrossOrigin(app.wsgi_app, ["https://pages.example"])
    rest, origin = Direct(app.test_client()), {"Origin": "https://pages.example"}

    assert "access-control-allow-origin" in rest.get("/jobtypes/", origin).headers
    assert "access-control-allow-origin" not in rest.get("/tokens/", eve | origin).headers


def test_a_session_does_not_do(empty, eve, tokens):
    with listening(create_app(Config(empty))) as port:
        browser = PlainBrowser(port).log_in(eve["Authorization"].removeprefix("Bearer "))
        assert "eve" in browser.open("/me").text
        sent = {"Content-Type": "application/json", "Accept": "application/json"}

        for method, path, body in ROUTES:
            data = None if body is None else json.dumps(body).encode()
            assert browser.request(method, f"{PREFIX}{path}", data, **sent).status == 401
    assert len(tokens.rows()) == 1


FAULTY = {
    "no name": {"role": "read"},
    "no role": {"name": "a"},
    "a role that is none": {"name": "a", "role": "owner"},
    "a name that is none": {"name": "a<b>", "role": "read"},
    "an empty name": {"name": "", "role": "read"},
    "an email that is none": {"name": "a", "role": "read", "email": "x"},
    "a pattern that is none": {"name": "a", "role": "read", "only": ["a/b"]},
    "patterns in one text": {"name": "a", "role": "read", "only": "Nuke"},
    "a span that is none": {"name": "a", "role": "read", "lasts_s": 0},
    "a span without end": {"name": "a", "role": "read", "lasts_s": 2**31},
    "an endless email": {"name": "a", "role": "read", "email": f"{'a' * 254}@x"},
    "an endless pattern": {"name": "a", "role": "write", "only": ["a" * 201]},
    "patterns without end": {"name": "a", "role": "write", "only": ["a"] * 201},
    "a field that is none": {"name": "a", "role": "read", "secret": "jtr_mine"},
}


@pytest.mark.parametrize("body", FAULTY.values(), ids=FAULTY)
def test_a_body_that_can_not_be_is_refused(rest, eve, tokens, body):
    assert error(rest("POST", "/tokens/", body, eve), 400)
    assert len(tokens.rows()) == 1


def test_a_name_that_is_taken_is_a_409(rest, eve, tokens):
    assert error(rest("POST", "/tokens/", {"name": "eve", "role": "read"}, eve), 409)


def test_a_preview_has_no_tokens(rest, eve):
    client = rest.client

    assert client.get("/preview/main/api/v1/tokens/", headers=eve).status_code == 404
    assert client.post("/preview/main/api/v1/tokens/", json=NEW, headers=eve).status_code == 405


def test_the_log_says_who_made_what_and_no_secret(rest, eve, caplog):
    with caplog.at_level(logging.DEBUG):
        secret = rest("POST", "/tokens/", NEW, eve).json["secret"]
        rotated = rest("POST", "/tokens/td%20one/rotate", {}, eve).json["secret"]
        rest("DELETE", "/tokens/td%20one", None, eve)

    for deed in ("made", "rotated", "revoked"):
        assert f"the token td one was {deed} by eve" in caplog.text
    assert secret not in caplog.text
    assert rotated not in caplog.text
    assert rest.get("/tokens/", eve).body.find(b"jtr_") == -1


def test_no_token_fills_the_file_that_all_share(rest, eve, tokens, monkeypatch):
    """A file over its limit would count as lost: nobody could write any more."""
    monkeypatch.setattr(tokens_file, "LIMIT_BYTES", 2000)
    answers = [rest("POST", "/tokens/eve/rotate", {"overlap_s": 10**9}, eve) for _ in range(12)]
    answers += [rest("POST", "/tokens/", {"name": f"t{n}", "role": "read"}, eve) for n in range(3)]

    assert {answer.status for answer in answers} == {201, 400}
    assert "revoke those" in error(answers[-1], 400)["error"]
    assert rest("POST", "/jobtypes/", {}, eve).status == 400
    newest = [answer.json["secret"] for answer in answers if answer.status == 201][-1]
    assert rest("DELETE", "/tokens/eve", None, bearer(newest)).status == 204
    assert tokens.rows() == ()
