"""What Git itself is made to do by a push or a fetch: memory, refs of any name and number."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.git.command import in_limited_memory, is_short_of_memory, run_git
from gitstore.git.repository import init_repository
from hooks.updates import parse_updates
from tests.support.forms import forms
from tests.support.git import git
from tests.support.server import Server
from tests.support.shapes import Shapes

NOWHERE = "0" * 40
EMPTY = b"PACK" + struct.pack(">II", 2, 0)
EMPTY += hashlib.sha1(EMPTY).digest()

linux = pytest.mark.skipif(sys.platform != "linux", reason="Linux alone limits memory so")


def packet(line: bytes) -> bytes:
    return b"%04x" % (len(line) + 4) + line


def varint(number: int) -> bytes:
    data = b""
    while number > 127:
        data += bytes([number & 127 | 128])
        number >>= 7
    return data + bytes([number])


def head(kind: int, size: int) -> bytes:
    first, size = (kind << 4) | (size & 15), size >> 4
    return bytes([first | 128]) + varint(size) if size else bytes([first])


def bomb(gigabytes: int) -> bytes:
    """A pack whose one delta unpacks to so much."""
    size = 0xFFFFFF
    base, times = bytes(size), gigabytes * 2**30 // size
    delta = varint(size) + varint(size * times) + bytes([0xF0, 0xFF, 0xFF, 0xFF]) * times
    id = hashlib.sha1(b"blob %d\0" % size + base).digest()
    pack = b"PACK" + struct.pack(">II", 2, 2)
    pack += head(3, size) + zlib.compress(base, 9)
    pack += head(7, len(delta)) + id + zlib.compress(delta, 9)
    return pack + hashlib.sha1(pack).digest()


@pytest.fixture(scope="module")
def pushed(tmp_path_factory) -> Iterator[Server]:
    path = init_repository(tmp_path_factory.mktemp("pushed") / "r.git", "main").git_dir
    shapes = Shapes(path)
    git(path, "update-ref", "refs/heads/main", shapes.commit(shapes.root(shapes.job())))
    server = Server(path, "--workers", "1", "--push-refs-limit", "5")
    yield server
    server.stop()


def receive(server: Server, refs: list[bytes], pack: bytes, able: bytes = b"") -> bytes:
    """What is answered to a push that makes *refs* of main's commit."""
    tip = git(server.repo, "rev-parse", "main").strip()
    lines = [f"{NOWHERE} {tip} ".encode() + ref for ref in refs]
    lines[0] += b"\0report-status " + able
    sent = b"".join(map(packet, lines)) + b"0000" + pack
    kind = {"Content-Type": "application/x-git-receive-pack-request"}
    answer = server.request("POST", "/jobtypes.git/git-receive-pack", sent, kind)
    assert answer.status == 200
    return answer.body


@linux
@pytest.mark.parametrize("able", [b"", b"side-band-64k"])
def test_a_delta_that_unpacks_to_gigabytes_is_refused_as_too_large(pushed, able):
    said = receive(pushed, [b"refs/heads/bomb"], bomb(2), able)

    assert b"unpack too large to unpack....." in said
    assert pushed.get("/api/v1/jobtypes/A").status == 200


def test_a_pack_that_is_none_is_not_called_too_large(pushed):
    said = receive(pushed, [b"refs/heads/none"], b"PACK\0\0\0\2\xff\xff\xff\xff")

    assert b"too large" not in said
    assert b"unpack " in said


@linux
def test_git_under_the_service_has_limited_memory():
    shown = in_limited_memory(["sh", "-c", "ulimit -v"])

    assert subprocess.check_output(shown, text=True) == "524288\n"
    assert run_git(Path("/"), ["version"], is_limited=True).startswith(b"git version")


SHORT = {
    "fatal: Out of memory, malloc failed (tried to allocate 2147483649 bytes)": True,
    "fatal: mmap failed: Cannot allocate memory": True,
    "fatal: unable to create thread: Resource temporarily unavailable": True,
    "inflate: out of memory": True,
    "fatal: early EOF": False,
}


@pytest.mark.parametrize(("said", "is_short"), SHORT.items())
def test_git_that_ran_out_of_memory_is_known_by_its_words(said, is_short):
    assert is_short_of_memory(said) == is_short


@linux
def test_a_fetch_runs_in_limited_memory(tmp_path):
    """Git's helper for the transport tells it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    helper = folder / "git-remote-told"
    helper.write_text("#!/bin/sh\nulimit -v >&2\nexit 1\n")
    helper.chmod(0o755)
    store = Store(init_repository(tmp_path / "follower.git", "main"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        state = Upstream(store, "told://x/y").fetch()

    assert "524288" in state.error


def test_a_push_of_too_many_refs_is_refused_whole(pushed):
    refs = [b"refs/heads/n%d" % n for n in range(6)]

    said = receive(pushed, refs, EMPTY, b"side-band-64k")

    assert b"6 branches; 5 is the limit" in b" ".join(said.split())
    assert pushed.get("/api/v1/changes/").json == []
    assert b"ng refs/heads/n0" in said


ODD = {
    "a line end": b"refs/heads/a\nb",
    "another update": b"refs/heads/a\n" + b"1" * 40 + b" " + b"2" * 40 + b" refs/heads/main",
    "no UTF-8": b"refs/heads/\xff\xfe..",
    "escapes": b"refs/heads/\x1b[31m",
    "spaces": b"refs/heads/a  b",
    "a tab": b"refs/heads/a\tb",
}


@pytest.mark.parametrize("ref", forms(ODD, 2))
def test_a_ref_of_any_bytes_is_refused_with_words(pushed, ref):
    said = receive(pushed, [ref], EMPTY, b"side-band-64k")

    assert b"made a mistake" not in said
    assert b"ng refs/heads/" in said
    assert not (pushed.repo / "jobtypes" / "hooks.log").exists()
    assert pushed.get("/api/v1/changes/").json == []


def test_updates_are_lines_of_three_words_or_refused():
    line = f"{NOWHERE} {'1' * 40} refs/heads/a b\n"

    assert parse_updates([line])[0].ref == "refs/heads/a b"


@pytest.fixture
def odd(tmp_path) -> Path:
    """A repository with refs that are no branches."""
    path = init_repository(tmp_path / "odd.git", "main").git_dir
    shapes = Shapes(path)
    commit = shapes.commit(shapes.root(shapes.job()))
    git(path, "update-ref", "refs/heads/main", commit)
    git(path, "update-ref", "refs/heads/real", commit)
    blob, tree = shapes.blob(), shapes.root(shapes.job())
    who = b"td <td@studio.example> 1700000000 +0000"
    tag = shapes.put("tag", b"object %s\ntype blob\ntag t\ntagger %s\n\nt\n" % (blob.encode(), who))
    large = shapes.commit(tree, commit, b"x" * 2_000_000)
    at = {"blob": blob, "tree": tree, "tag": tag, "missing": "1" * 40, "large": large}
    for name, id in at.items():
        (path / "refs" / "heads" / name).write_text(f"{id}\n")
    (path / "refs" / "heads" / "alias").write_text("ref: refs/heads/main\n")
    (path / "refs" / "heads" / "dangling").write_text("ref: refs/heads/nowhere\n")
    return path


WORDS = {
    "blob": "points to a blob",
    "tree": "points to a tree",
    "tag": "points to a tag",
    "missing": "is missing or damaged",
    "large": "1048576 is the limit",
    "alias": "another name of refs/heads/main",
}


def test_a_branch_that_is_at_no_commit_hides_nothing_and_can_be_deleted(odd):
    client = create_app(Config(odd)).test_client()

    for path in ("/", "/changes/", "/api/v1/changes/"):
        assert client.get(path).status_code == 200
    assert [row["branch"] for row in client.get("/api/v1/changes/").json] == ["real"]
    for name, words in WORDS.items():
        answer = client.get(f"/api/v1/changes/{name}")
        assert (answer.status_code, words in answer.json["error"]) == (404, True), answer.json
        assert client.get(f"/changes/{name}").status_code == 404
        # What large and alias name can be previewed, or not, but is no error of ours.
        assert client.get(f"/preview/{name}/api/v1/jobtypes/A").status_code < 500 or (
            name == "missing"
        )
        assert client.delete(f"/api/v1/changes/{name}").status_code == 204
    assert client.get("/api/v1/changes/dangling").status_code == 404
