"""Which token is sent, and to which servers."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from api.client.address import parse_service_url
from api.client.login import Login
from api.client.transport import Service
from tests.support.commands import jobtypes
from tests.support.odd_server import odd_server, says
from tests.support.server import Server

OURS = 'Basic realm="jobtypes"'
SECRET = "jtr_secret"


@pytest.fixture(scope="module")
def guarded(farm) -> Iterator[Server]:
    """A service of the same repository, to which readers send a token, too."""
    server = Server(farm.server.repo, "--workers", "1", "--read-needs-token")
    yield server
    server.stop()


def test_a_token_of_the_environment_is_sent(farm, guarded):
    assert jobtypes("list", "--url", guarded.url, env=farm.token("ann")).returncode == 0

    done = jobtypes("list", "--url", guarded.url, env={"JOBTYPES_TOKEN": SECRET})
    assert done.returncode == 1
    assert "not known, or was revoked; that is of the token in JOBTYPES_TOKEN" in done.stderr
    done = jobtypes("list", "--url", guarded.url)
    assert done.returncode == 1
    assert "reading needs a token; set JOBTYPES_TOKEN, or" in done.stderr


def test_a_helper_of_gits_keeps_and_forgets_tokens(farm, guarded, kept):
    host = urlsplit(guarded.url).netloc
    kept.write_text(f"http://td:{farm.tokens['ann']}@{host}\n")

    assert jobtypes("list", "--url", guarded.url).returncode == 0
    assert farm.tokens["ann"] in kept.read_text()

    kept.write_text(f"http://td:{SECRET}@{host}\n")
    done = jobtypes("list", "--url", guarded.url)
    assert "has forgotten it now" in done.stderr
    assert SECRET not in done.stderr + kept.read_text()


def test_a_password_in_the_address_is_kept_by_the_helper(farm, guarded, kept):
    host = urlsplit(guarded.url).netloc

    done = jobtypes("list", "--url", f"http://td:{farm.tokens['ann']}@{host}")

    assert done.returncode == 0
    assert farm.tokens["ann"] in kept.read_text()


def test_git_asks_for_a_token_as_it_does_for_a_push(farm, guarded, kept, tmp_path, monkeypatch):
    asks = tmp_path / "asks"
    asks.write_text(f"#!/bin/sh\necho {farm.tokens['ann']}\n")
    asks.chmod(0o755)
    monkeypatch.setenv("GIT_ASKPASS", str(asks))

    assert jobtypes("list", "--url", guarded.url).returncode == 0
    assert farm.tokens["ann"] in kept.read_text()


def test_no_token_is_sent_before_it_is_asked_for():
    with odd_server(says(200, b"[]", "application/json")) as server:
        jobtypes("list", "--url", server.url, env={"JOBTYPES_TOKEN": SECRET})

        assert server.tokens == [None, None]


def test_no_token_of_the_environment_goes_to_another_kind_of_server(kept):
    with odd_server(says(401, WWW_Authenticate='Basic realm="studio"')) as server:
        jobtypes("list", "--url", server.url, env={"JOBTYPES_TOKEN": SECRET})
        assert server.tokens == [None]

        kept.write_text(f"http://ada:word@127.0.0.1%3a{server.server_port}\n")
        jobtypes("list", "--url", server.url)
        assert server.tokens[2] == f"Basic {base64.b64encode(b'ada:word').decode()}"


def test_no_token_follows_a_redirect():
    with odd_server(says(200, b"[]")) as other:

        def respond(handler):
            if "Authorization" in handler.headers:
                says(302, Location=f"{other.url}/api/v1/newest")(handler)
            else:
                says(401, WWW_Authenticate=OURS)(handler)

        with odd_server(respond) as server:
            done = jobtypes("list", "--url", server.url, env={"JOBTYPES_TOKEN": SECRET})

        assert server.tokens == [None, f"Bearer {SECRET}"]
    assert done.returncode == 1
    assert other.asked == []


@pytest.mark.parametrize("token", ["", " ", "a b", "a\nb", "ä"])
def test_what_can_be_no_token_is_not_sent(farm, token):
    done = jobtypes("list", "--url", farm.url, env={"JOBTYPES_TOKEN": token})

    if token:
        assert done.returncode == 1
        assert "JOBTYPES_TOKEN is no token" in done.stderr
        assert repr(token) not in done.stderr


def test_a_proxy_of_the_environment_is_asked(farm):
    with odd_server(says(200, b"[]", "application/json")) as proxy:
        done = jobtypes(
            "list", "--url", "http://farm.studio.invalid", env={"http_proxy": proxy.url}
        )

    assert done.returncode == 0
    assert proxy.asked[0][0] == "http://farm.studio.invalid/api/v1/newest"


def test_nothing_that_is_printed_has_a_secret():
    url = parse_service_url(f"http://td:{SECRET}@farm:8080/jobtypes.git")

    for thing in (Service(url, SECRET), Login(url, SECRET), url.base, url.remote.shown):
        assert SECRET not in f"{thing!r}"
