"""Addresses that are none of Git's, and refs that are the service's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from tests.support.cloning import FLUSH, UPLOAD, wanted
from tests.support.forms import forms
from tests.support.git import git, tip
from tests.support.git_http import (
    fetch,
)
from tests.support.waiting import wait_for

# What is no address of Git's


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/jobtypes.git/git-upload-archive", 404),
        ("POST", "/jobtypes.git/git-shell", 404),
        ("POST", "/jobtypes.git/info/refs", 405),
        ("POST", "/jobtypes.git/objects/info/packs", 404),
        ("GET", "/jobtypes.git", 404),
        ("GET", "/jobtypes.git/", 404),
        ("GET", "/jobtypes.git/objects/pack/pack-x.pack", 404),
        ("GET", "/jobtypes.git/jobtypes/tokens.json", 404),
        ("GET", "/other.git/info/refs?service=git-upload-pack", 404),
        ("GET", "/jobtypes/info/refs?service=git-upload-pack", 404),
        ("GET", "/jobtypes.git/info/refs?service=upload-pack", 404),
        ("GET", "/jobtypes.git/info/refs?service=", 404),
    ],
)
def test_what_is_no_address_of_gits_is_no_address(farm, method, path, status):
    answer = farm.request(method, path, b"" if method == "POST" else None)

    assert answer.status == status, answer.body


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/x-git-upload-pack-request", 200),
        ("application/x-git-receive-pack-request", 415),
        ("application/json", 415),
        ("", 415),
    ],
)
def test_a_request_of_another_type_is_415(farm, content_type, status):
    answer = farm.request("POST", UPLOAD, FLUSH, {"Content-Type": content_type})

    assert answer.status == status


def test_a_415_says_what_git_should_have_sent(farm):
    packed = fetch(farm, wanted(tip(farm.repo)), Content_Encoding="br")
    other = farm.request("POST", UPLOAD, FLUSH, {"Content-Type": "application/json"})

    assert packed.body == b"a body may be packed with gzip, not with br\n"
    assert (packed.status, packed.headers["content-type"]) == (415, "text/plain; charset=utf-8")
    assert b"must be application/x-git-upload-pack-request; only Git" in other.body


def test_what_is_no_service_of_gits_reads_to_update(farm):
    assert b"only Git's smart protocol" in farm.get("/jobtypes.git/info/refs").body


def test_a_body_without_length_or_chunks_is_400(farm, dial):
    raw = dial(farm.port)
    raw.head(f"POST {UPLOAD}", {"Content-Type": "application/x-git-upload-pack-request"})

    assert raw.status == 400


# Refs that are the service's own

HIDDEN = ("refs/internal/x", "refs/upstream/heads/x", "refs/upstream/pull/7/head")
OURS = (*HIDDEN, "refs/tags/Blender/v1", "refs/tags/mine")


@pytest.fixture
def hidden(farm) -> Iterator[str]:
    """A commit that only the service's own refs reach."""
    tree = git(farm.repo, "mktree", input="").strip()
    who = ("-c", "user.name=Test TD", "-c", "user.email=td@studio.example")
    commit = git(farm.repo, *who, "commit-tree", "-m", "hidden", tree).strip()
    for ref in HIDDEN:
        git(farm.repo, "update-ref", ref, commit)
    yield commit
    for ref in HIDDEN:
        git(farm.repo, "update-ref", "-d", ref)


@pytest.mark.parametrize("version", ["0", "2"])
def test_refs_of_our_own_are_neither_listed_nor_fetched(farm, td, hidden, version):
    protocol = ("-c", f"protocol.version={version}")

    listed = td.git(*protocol, "ls-remote", "origin")
    asked = td.git(*protocol, "ls-remote", "origin", *HIDDEN)
    command = ["git", "-C", str(td.path), *protocol, "fetch", "origin"]
    for ref in HIDDEN:
        done = subprocess.run([*command, ref], capture_output=True, text=True, check=False)
        assert "couldn't find remote ref" in done.stderr
    mirrored = subprocess.run([*command, "+refs/*:refs/copy/*"], capture_output=True, check=False)

    assert "refs/heads/main" in listed
    assert hidden not in listed
    assert asked == ""
    assert mirrored.returncode == 0
    assert hidden not in td.git("for-each-ref")


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_hidden_is_no_secret_who_knows_an_id_gets_the_object(farm, td, hidden, version):
    td.git("-c", f"protocol.version={version}", "fetch", "--quiet", "origin", hidden)

    assert td.git("rev-parse", "FETCH_HEAD").strip() == hidden


def test_a_push_sees_none_of_them(farm, hidden):
    answer = farm.get("/jobtypes.git/info/refs?service=git-receive-pack")

    assert b"refs/heads/main" in answer.body
    assert hidden.encode() not in answer.body


@pytest.mark.parametrize("ref", forms(OURS, 2))
def test_none_of_them_is_deleted_or_made_by_a_push(farm, td, hidden, ref):
    wait_for(lambda: "v1" in git(farm.repo, "for-each-ref", *OURS), "the tag to be published")
    before = git(farm.repo, "for-each-ref", *OURS)

    for refspec in (f"HEAD:{ref}", f":{ref}"):
        assert td.push("--force", "origin", refspec).returncode != 0

    assert git(farm.repo, "for-each-ref", *OURS) == before


@pytest.mark.parametrize("ref", ["refs/replace/" + "1" * 40, "refs/notes/commits", "refs/stash"])
def test_other_refs_that_git_gives_a_meaning_are_refused_by_name(farm, td, ref):
    result = td.push("origin", f"HEAD:{ref}")

    assert result.returncode != 0
    said = " ".join(result.stderr.replace("remote: ", "").split())
    assert f"{ref} is not to be pushed; only branches are (refs/heads/...)" in said
