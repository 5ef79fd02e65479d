"""Git's transport over HTTP: encodings, versions of the protocol, clients that hang or vanish."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import pytest

from api.git_http.processes import CLONE_NICENESS, NICENESS
from gitstore.branch.upstream import FOLLOWER
from tests.support.cloning import FLUSH, begin_clone, wanted
from tests.support.git import DATE, Worktree, git, require_whole, tip
from tests.support.git_http import (
    RECEIVE,
    REFS,
    SLOTS,
    fetch,
    git_processes,
    is_tidy,
)
from tests.support.processes import children, command, require_tidy
from tests.support.rest import CODE
from tests.support.server import Server
from tests.support.sockets import Dialer, Raw, packet
from tests.support.waiting import wait_for

READ = "/api/v1/jobtypes/Blender"


def nicenesses(farm: Server) -> dict[str, int]:
    """The niceness of each of Git's programs that serve a clone now. The service runs others too,
    such as the one that writes tags."""
    commands = {pid: command(pid).decode().split("\0") for pid in children(farm.process.pid)}
    return {
        words[1]: os.getpriority(os.PRIO_PROCESS, pid)
        for pid, words in commands.items()
        if Path(words[0]).name == "git" and words[1] in ("upload-pack", "pack-objects")
    }


def slow_clone(farm: Server, dial: Dialer, **headers: str) -> Raw:
    """A clone of the large branch by a client that takes the first bytes and no more."""
    raws: list[Raw] = []

    def has_begun() -> bool:
        # What the tests before have ended may still have a slot.
        raws.append(begin_clone(farm, dial, **headers))
        return raws[-1].status == 200

    wait_for(has_begun, "the clone to have a slot")
    return raws[-1]


def upload(farm: Server, dial: Dialer, body: bytes, length: int | None = None) -> Raw:
    """A push of which *body* is sent, and *length* bytes are announced."""
    raw = dial(farm.port)
    content = "application/x-git-receive-pack-request"
    size = len(body) if length is None else length
    raw.head(f"POST {RECEIVE}", {"Content-Type": content, "Content-Length": str(size)})
    raw.send(body)
    return raw


def pushed(worktree: Worktree, ref: str) -> bytes:
    """The body of a push of HEAD to *ref*, which may be there already."""
    new, old = (worktree.git("rev-parse", name).strip() for name in ("HEAD", "origin/main"))
    before = old if ref == "refs/heads/main" else "0" * 40
    command = ["git", "-C", str(worktree.path), "pack-objects", "--stdout", "--revs", "-q"]
    revisions = f"{new}\n^{old}\n".encode()
    pack = subprocess.run(command, input=revisions, stdout=subprocess.PIPE, check=True).stdout
    line = f"{before} {new} {ref}\0report-status side-band-64k".encode()
    return packet(line) + FLUSH + pack


# Versions of the protocol, and clones that have not all


@pytest.mark.parametrize(
    "version", ["0", "1", "2", "2:unknown=x", "version", "; touch x", "9" * 999, "2:x=$(id)"]
)
def test_the_protocol_is_the_one_that_is_asked_for(farm, version):
    answer = farm.get(REFS, **{"Git-Protocol": f"version={version}"})

    assert answer.status == 200
    # What is odd is kept from Git as a whole.
    if version in ("2", "2:unknown=x"):
        assert answer.body.startswith(packet(b"version 2\n"))
    else:
        assert answer.body.startswith(packet(b"# service=git-upload-pack\n") + FLUSH)
    assert (packet(b"version 1\n") in answer.body) == (version == "1")
    assert answer.headers["content-type"] == "application/x-git-upload-pack-advertisement"
    assert "no-cache" in answer.headers["cache-control"]


def test_a_shallow_clone_becomes_deeper_and_whole(farm, clone):
    for number in range(3):
        body = {"name": "Deep", "classname": "Job", "code": f"{CODE}    n = {number}\n"}
        assert farm.request("PUT", "/api/v1/jobtypes/Deep", body).status == 201
    made = clone(f"{farm.url}/jobtypes.git", "--depth", "1")
    assert made.git("rev-list", "--count", "HEAD").strip() == "1"

    made.git("fetch", "--quiet", "--deepen", "1")
    assert made.git("rev-list", "--count", "HEAD").strip() == "2"

    made.git("fetch", "--quiet", "--unshallow")
    assert made.git("rev-parse", "--is-shallow-repository").strip() == "false"
    assert made.git("rev-list", "HEAD") == git(farm.repo, "rev-list", "main")


def test_a_clone_by_date_has_what_is_younger(farm, clone):
    made = clone(f"{farm.url}/jobtypes.git", "--shallow-since", DATE[:10])

    assert made.git("rev-parse", "HEAD").strip() == tip(farm.repo)


PROTOCOLS = ("0", "1", "2")


@pytest.mark.parametrize("version", PROTOCOLS)
def test_a_partial_clone_fetches_what_it_lacks_and_pushes(farm, clone, version):
    options = ("-c", f"protocol.version={version}", "--filter=blob:none", "--no-checkout")
    made = clone(f"{farm.url}/jobtypes.git", *options)
    assert "?" in made.git("rev-list", "--objects", "--missing=print", "HEAD")

    code = made.git("show", "HEAD:jobtypes/Maya/code.py")
    assert code == git(farm.repo, "show", "main:jobtypes/Maya/code.py")

    made.git("checkout", "--quiet", "HEAD")
    made.write("jobtypes/Maya/partial.txt", f"{version}\n")
    result = made.push()
    assert result.returncode == 0, result.stderr


# Clients that vanish or hang


def test_a_push_that_ends_in_the_middle_leaves_nothing(farm, dial, td):
    body = pushed(td, "refs/heads/main")
    before = git(farm.repo, "for-each-ref", "refs/heads")
    for sent in (0, 3, len(body) // 2, len(body) - 1):
        raw = upload(farm, dial, body[:sent], len(body))
        raw.connection.close()
        wait_for(lambda: is_tidy(farm), "all to be as before")

    assert git(farm.repo, "for-each-ref", "refs/heads") == before


def test_a_push_whose_body_is_cut_short_is_refused_whole(farm, td):
    body = pushed(td, "refs/heads/main")
    before = git(farm.repo, "for-each-ref", "refs/heads")
    headers = {"Content-Type": "application/x-git-receive-pack-request"}

    for length in (5, len(body) // 2, len(body) - 1):
        farm.request("POST", RECEIVE, body[:length], headers)

    wait_for(lambda: is_tidy(farm), "all to be as before")
    assert git(farm.repo, "for-each-ref", "refs/heads") == before


def test_a_client_that_sent_all_and_is_gone_has_pushed(farm, dial, td):
    raw = upload(farm, dial, pushed(td, "refs/heads/main"))
    wait_for(lambda: bool(git_processes(farm)), "Git to begin")
    raw.connection.close()

    wait_for(lambda: is_tidy(farm), "all to be as before")
    assert tip(farm.repo) == td.git("rev-parse", "HEAD").strip()


def test_a_client_that_vanishes_in_the_middle_of_a_clone_leaves_no_process(farm, dial):
    raws = [slow_clone(farm, dial) for _ in range(SLOTS)]
    assert git_processes(farm)

    for raw in raws:
        raw.connection.close()

    wait_for(lambda: is_tidy(farm), "all to be as before")


@pytest.mark.parametrize(
    ("headers", "niceness"), [({}, CLONE_NICENESS), ({FOLLOWER: "1"}, NICENESS)]
)
def test_a_clone_gives_way_to_agents_and_most_of_all_a_persons(farm, dial, headers, niceness):
    raw = slow_clone(farm, dial, **headers)
    wait_for(lambda: len(nicenesses(farm)) == 2, "Git's program and its own child")
    found = nicenesses(farm)
    raw.connection.close()

    expected = min(19, os.nice(0) + niceness)
    assert found == {"upload-pack": expected, "pack-objects": expected}
    wait_for(lambda: is_tidy(farm), "all to be as before")


def test_a_git_client_that_is_killed_in_the_middle_leaves_nothing(farm, td, tmp_path):
    for args in (
        ("clone", "--quiet", f"{farm.url}/jobtypes.git", str(tmp_path / "killed")),
        ("-C", str(td.path), "push", "--quiet", "origin", "HEAD:refs/heads/killed"),
    ):
        client = subprocess.Popen(
            ["git", *args],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(lambda c=client: bool(git_processes(farm)) or c.poll() is not None, "Git to begin")
        client.kill()
        client.wait()

    wait_for(lambda: is_tidy(farm), "all to be as before")
    require_whole(farm.repo, tmp_path / "whole.git")


def test_a_push_of_a_huge_file_is_refused_with_the_limit(farm, td):
    td.git("config", "core.compression", "0")
    td.write("jobtypes/Maya/scene.mb", os.urandom(100_000_000))

    result = td.push()

    assert result.returncode != 0
    assert "remote: the push is over 50 MiB, the limit; nothing was taken." in result.stderr
    wait_for(lambda: is_tidy(farm), "all to be as before")


def test_past_the_places_git_reads_when_to_come_again_and_reads_go_on(farm, dial, clone, tmp_path):
    for _ in range(SLOTS):
        slow_clone(farm, dial)

    for answer in (farm.get(REFS), fetch(farm, wanted(tip(farm.repo)))):
        assert "too many clones and pushes at once" in answer.body.decode()
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    refused = subprocess.run(
        ["git", "clone", f"{farm.url}/jobtypes.git", str(tmp_path / "refused")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "503" in refused.stderr
    assert "too many clones and pushes at once" in refused.stderr
    assert [farm.get(READ).status for _ in range(20)] == [200] * 20
    body = {"name": "Others", "classname": "Job", "code": CODE}
    assert farm.request("PUT", "/api/v1/jobtypes/Others", body).status in (200, 201)

    dial.close()
    wait_for(lambda: is_tidy(farm), "the slots to be free")


def test_bodies_that_are_too_large_free_their_slots(farm, dial):
    bomb = gzip.compress(b"0" * 10_000_000, 1)
    for _ in range(SLOTS + 1):
        assert fetch(farm, bomb, Content_Encoding="gzip").status == 413

    for _ in range(SLOTS):
        slow_clone(farm, dial)

    assert farm.get(REFS).status == 503
    dial.close()
    wait_for(lambda: is_tidy(farm), "the slots to be free")


@pytest.mark.farm
def test_uploads_that_stall_hold_no_git_process_and_no_reader(farm, dial):
    stalled = [upload(farm, dial, b"00a0", 1_000_000) for _ in range(SLOTS + 6)]

    def hold_all() -> bool:
        if farm.get(REFS).status == 200:  # What the tests before have ended gave a slot back.
            stalled.append(upload(farm, dial, b"00a0", 1_000_000))
        return sum(not raw.has_news for raw in stalled) == SLOTS

    wait_for(hold_all, "the others to be turned away")

    assert git_processes(farm) == []
    assert [farm.get(READ).status for _ in range(20)] == [200] * 20
    assert farm.get(REFS).status == 503
    require_tidy(farm.repo)
    wait_for(lambda: all(raw.has_news for raw in stalled), "the stalled ones to be given up")
    wait_for(lambda: is_tidy(farm), "the slots to be free")


def test_after_all_that_the_repository_is_in_order(farm, tmp_path):
    require_whole(farm.repo, tmp_path / "whole.git")
