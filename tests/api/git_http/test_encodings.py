"""Bodies of Git's protocol: gzip, chunks and bombs."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import pytest

from tests.support.cloning import FLUSH, UPLOAD, wanted
from tests.support.git import git, tip
from tests.support.git_http import (
    RECEIVE,
    fetch,
    is_tidy,
    objects_in,
)
from tests.support.processes import workers
from tests.support.waiting import wait_for

# Encodings


def test_a_body_in_gzip_is_as_good_as_one_without(farm):
    body = wanted(tip(farm.repo))

    plain = fetch(farm, body)

    assert objects_in(plain) > 20
    for encoding in ("gzip", "x-gzip"):
        packed = fetch(farm, gzip.compress(body), Content_Encoding=encoding)
        assert (packed.status, objects_in(packed)) == (200, objects_in(plain))


def test_git_itself_sends_gzip_where_it_has_much_to_say(farm, td, monkeypatch):
    who = "committer Test TD <td@studio.example>"
    mine = (f"commit refs/heads/mine\n{who} {n} +0000\ndata 1\nx\n" for n in range(200))
    td.git("fast-import", "--quiet", input="".join(mine))
    trace = td.path / "trace"
    monkeypatch.setenv("GIT_TRACE_CURL", str(trace))
    monkeypatch.setenv("GIT_TRACE_CURL_NO_DATA", "1")
    td.git("config", "protocol.version", "0")

    td.git("fetch", "--quiet", "origin", "large")

    assert "Content-Encoding: gzip" in trace.read_text()
    assert td.git("rev-parse", "FETCH_HEAD").strip() == tip(farm.repo, "large")


def test_chunks_and_gzip_go_together(farm, dial):
    body = gzip.compress(wanted(tip(farm.repo)))
    raw = dial(farm.port)
    headers = {
        "Content-Type": "application/x-git-upload-pack-request",
        "Transfer-Encoding": "chunked",
        "Content-Encoding": "gzip",
        "Connection": "close",
    }
    raw.head(f"POST {UPLOAD}", headers)
    for byte in body:
        raw.send(b"1\r\n%c\r\n" % byte)
    raw.send(b"0\r\n\r\n")

    received = b"".join(iter(raw.received, b""))

    assert received.startswith(b"HTTP/1.1 200 ")
    assert b"PACK" in received


@pytest.mark.parametrize(
    ("body", "encoding", "status"),
    [
        (b"this is no gzip", "gzip", 400),
        (gzip.compress(b"0" * 16_000_000, 1), "gzip", 413),
        (gzip.compress(b"0000") + b"0" * 4, "gzip", 400),
        (gzip.compress(b"0000") + b"0" * 100_000, "gzip", 400),
        (b"0000", "br", 415),
    ],
    ids=["none", "a bomb", "a tail", "a long tail", "unknown"],
)
def test_a_body_that_can_not_be_unpacked_is_refused(farm, body, encoding, status):
    answer = fetch(farm, body, Content_Encoding=encoding)

    assert answer.status == status, answer.body
    wait_for(lambda: is_tidy(farm), "all to be as before")


def test_a_bomb_in_a_push_is_refused_with_the_limit(farm):
    headers = {"Content-Type": "application/x-git-receive-pack-request", "Content-Encoding": "gzip"}
    bomb = gzip.compress(b"0" * 80_000_000, 1)

    answer = farm.request("POST", RECEIVE, bomb, headers)

    assert b"the push is over 50 MiB, the limit" in answer.body
    said = answer.body.partition(b"\x03")[2].removesuffix(FLUSH).strip()
    assert len(b"remote: " + said) <= 80
    wait_for(lambda: is_tidy(farm), "all to be as before")


def peak_kb(pid: int) -> int:
    """The most memory that process *pid* had, since it was told to forget what was before."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1])


def test_a_bomb_is_unpacked_a_little_at_a_time(farm):
    (worker,) = workers(farm.process.pid)
    Path(f"/proc/{worker}/clear_refs").write_text("5")
    before = peak_kb(worker)
    headers = {"Content-Type": "application/x-git-receive-pack-request", "Content-Encoding": "gzip"}

    farm.request("POST", RECEIVE, gzip.compress(b"0" * 80_000_000), headers)

    assert peak_kb(worker) - before < 20_000


@pytest.mark.large
def test_200_mb_go_in_and_out_in_16_mb_of_memory(sample, serve, clone, tmp_path):
    server = serve(sample, "--workers", "1", "--push-limit-bytes", str(300 * 1024 * 1024))
    (worker,) = workers(server.process.pid)
    td = clone(f"{server.url}/jobtypes.git", "-c", "core.compression=0")
    td.write("jobtypes/Maya/small.txt", "x\n")
    assert td.push().returncode == 0
    td.write("jobtypes/Maya/scene.mb", os.urandom(200 * 1024 * 1024))

    for move in (
        lambda: td.push().check_returncode(),
        lambda: git(tmp_path, "clone", "--quiet", "--bare", f"{server.url}/jobtypes.git", "out"),
    ):
        Path(f"/proc/{worker}/clear_refs").write_text("5")
        before = peak_kb(worker)
        move()
        assert peak_kb(worker) - before < 16 * 1024
