"""The URLs of upstreams: which are taken, what of them is shown, and where a review is opened."""

from __future__ import annotations

import re

import pytest

from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.git.remote_url import parse_remote_url
from hooks.forges import review_link
from tests.support.commands import jobtypes
from tests.support.following import ONE, SECRET, TWO, put, second
from tests.support.server import free_port


def test_a_first_start_without_upstream_says_so(tmp_path):
    url = f"http://bot:{SECRET}@127.0.0.1:{free_port()}/x.git"

    done = jobtypes("serve", "--repo", tmp_path / "copy.git", "--upstream", url)

    assert done.returncode == 1
    assert "upstream" in done.stderr
    assert "127.0.0.1" in done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("url", ["--upload-pack=touch x", "ext::sh -c true", "/nowhere/x.git"])
def test_what_is_no_repository_is_refused_at_start(tmp_path, url):
    done = jobtypes("serve", "--repo", tmp_path / "copy.git", f"--upstream={url}")

    assert done.returncode == 1
    assert done.stderr.startswith("jobtypes: ")


def test_no_credential_of_the_url_is_in_any_log_or_answer(origin, forge, follow, clone, tmp_path):
    forge.password = SECRET
    server = follow(forge.url_for(f"bot:{SECRET}@"))
    assert server.get(ONE).status == 200
    forge.password = "another"
    second(origin)

    answers = [
        server.get(TWO),
        put(server),
        server.get("/health/upstream"),
        server.get("/health/ready"),
        server.get("/metrics"),
        server.get("/api/v1/changes/"),
    ]
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("x", "y")
    pushed = worktree.push()
    server.stop()
    server.start()

    assert [answer.status for answer in answers[:2]] == [404, 502]
    assert "Authentication failed" in str(answers[2].json["error"])
    assert "follows" in pushed.stderr
    said = b"".join(answer.body for answer in answers)
    for text in (said.decode(), pushed.stderr, server.log.read_text()):
        assert SECRET not in text
    assert f"***@127.0.0.1:{forge.port}" in said.decode()
    for path in server.repo.rglob("*"):
        if path.is_file() and "objects" not in path.parts:
            assert SECRET.encode() not in path.read_bytes(), path


def test_a_token_alone_as_user_is_no_secret_to_tell_either(forge, follow):
    server = follow(forge.url_for(f"{SECRET}@"), "--writes", "off")

    said = server.get("/health/upstream").body + put(server).body

    assert b"127.0.0.1" in said
    assert SECRET.encode() not in said


@pytest.mark.parametrize(
    "url",
    [
        *(f"http://bot:abc{c}S3CRETx@h.example/x.git" for c in '/?#@" []'),
        *(f"http://bot:12{c}S3CRETx@h.example/x.git" for c in '?#@" []'),
        "https:/bot:S3CRETx@h.example/x.git",
        "bot:S3CRETx@h.example:x.git",
        "ssh://bot:a/S3CRETx@h.example:22/x.git",
    ],
)
def test_a_url_whose_password_can_not_be_told_is_refused_and_not_shown(tmp_path, url):
    done = jobtypes("serve", "--repo", tmp_path / "new.git", "--upstream", url)

    assert done.returncode == 1
    assert "percent-encode" in done.stderr
    assert "S3CRET" not in done.stdout + done.stderr
    assert "S3CRET" not in parse_remote_url(url).scrub(f"fatal: {url}: no")


@pytest.mark.parametrize(
    "url",
    [
        "https://bot:a%2FS3@h.example:8443/td@studio/x.git",
        "https://h.example/td@studio/x.git",
        "https://bot@[::1]:8080/x.git",
        "ssh://git@h.example:22/~td/x.git",
        "git@h.example:td/x.git",
        "h.example:td@studio/x.git",
        "/srv/td@studio/x.git",
        "file:///srv/x@y.git",
    ],
)
def test_a_url_that_is_clear_is_taken(empty, url):
    assert "S3" not in Upstream(Store(empty), url).shown_url


def test_a_password_of_digits_before_a_slash_is_not_shown():
    url = "http://bot:12/S3CRETx@h.example/x.git"

    assert "S3CRET" not in parse_remote_url(url).scrub(f"fatal: unable to access '{url}/': no")


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        (
            "https://u:pw@git.studio.example/x",
            "fatal: https://u:pw@git.studio.example/x",
            "***@git",
        ),
        (
            "https://tok@git.studio.example/x",
            "bad tok at https://tok@git.studio.example/",
            "bad ***",
        ),
        ("https://u:p%40w@h.example/x", "no access with p@w or p%40w", "no access with *** or ***"),
        ("git@git.studio.example:x.git", "git@git.studio.example: denied", "git@git"),
        ("/srv/x.git", "fatal: https://other:pw@h.example/", "https://***@h.example/"),
    ],
)
def test_scrubbing_takes_out_what_is_secret(url, text, shown):
    scrubbed = parse_remote_url(url).scrub(text)

    assert shown in scrubbed
    assert not re.search(r"pw|tok\b|p@w|p%40w", scrubbed)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (
            "https://github.com/td/farm.git",
            "https://github.com/td/farm/compare/main...jobtypes/A_B/1?expand=1",
        ),
        (
            "git@gitlab.studio.example:td/farm.git",
            "https://gitlab.studio.example/td/farm/-/merge_requests/new?merge_request"
            "%5Bsource_branch%5D=jobtypes/A_B/1&merge_request%5Btarget_branch%5D=main",
        ),
        (
            "ssh://git@gitea.studio.example:2222/td/farm",
            "https://gitea.studio.example/td/farm/compare/main...jobtypes/A_B/1",
        ),
        (
            "https://***@codeberg.org/td/farm/",
            "https://codeberg.org/td/farm/compare/main...jobtypes/A_B/1",
        ),
        (
            "git@bitbucket.org:td/farm.git",
            "https://bitbucket.org/td/farm/pull-requests/new?source=jobtypes/A_B/1&dest=main",
        ),
        ("https://git.studio.example/td/farm.git", None),
        ("/srv/github.git", None),
        ("file:///srv/github.git", None),
    ],
)
def test_the_link_to_open_a_pull_request(url, link):
    assert review_link(url, "main", "jobtypes/A_B/1") == link
