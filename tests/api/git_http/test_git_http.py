"""Git's transport over HTTP: encodings, versions of the protocol, clients that hang or vanish."""

from __future__ import annotations

import gzip
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.git_http.processes import CLONE_NICENESS, NICENESS
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.upstream import FOLLOWER
from tests.support.cloning import FLUSH, UPLOAD, add_large_branch, begin_clone, wanted
from tests.support.git import DATE, Worktree, git
from tests.support.processes import children, command, own_tmp, strays, workers
from tests.support.rest import CODE
from tests.support.server import Answer, Server
from tests.support.sockets import Dialer, Raw, packet
from tests.support.waiting import wait_for

READ = "/api/v1/jobtypes/Blender"
RECEIVE = "/jobtypes.git/git-receive-pack"
REFS = "/jobtypes.git/info/refs?service=git-upload-pack"
SLOTS = 2
OPTIONS = ("--workers", "1", "--threads", "8", "--git-places", str(SLOTS), "--body-limit-s", "2")


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Server]:
    """A service on the sample jobtypes with few slots, and a branch that is long to clone."""
    folder = tmp_path_factory.mktemp("farm")
    repo = folder / "farm.git"
    create_repository(repo, "main", sample_path())
    add_large_branch(repo)
    with own_tmp(repo):
        server = Server(repo, *OPTIONS)
    yield server
    server.stop()


@pytest.fixture
def dial() -> Iterator[Dialer]:
    dialer = Dialer()
    yield dialer
    dialer.close()


def tip(farm: Server, ref: str = "main") -> str:
    return git(farm.repo, "rev-parse", ref).strip()


def git_processes(farm: Server) -> list[str]:
    """The Git processes that the service runs, and those that ended and nobody waited for."""
    names = []
    for pid in children(farm.process.pid):
        try:
            names.append(Path(f"/proc/{pid}/comm").read_text().strip())
        except OSError:
            continue
    return [name for name in names if name.startswith(("git", "nice"))]


def nicenesses(farm: Server) -> dict[str, int]:
    """The niceness of each of Git's programs that the service runs now."""
    commands = {pid: command(pid).decode().split("\0") for pid in children(farm.process.pid)}
    return {
        words[1]: os.getpriority(os.PRIO_PROCESS, pid)
        for pid, words in commands.items()
        if Path(words[0]).name == "git"
    }


def is_tidy(farm: Server) -> bool:
    """Whether nobody is at work, a slot is free, and nothing is left over."""
    return not git_processes(farm) and not strays(farm.repo) and free_slots(farm)


def free_slots(farm: Server) -> bool:
    return farm.get(REFS).status == 200


def fetch(farm: Server, body: bytes, **headers: str) -> Answer:
    sent = {"Content-Type": "application/x-git-upload-pack-request"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    return farm.request("POST", UPLOAD, body, sent)


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


@pytest.fixture
def td(farm, clone) -> Worktree:
    """A TD's clone of the served branch, with a new version to push."""
    made: Worktree = clone(f"{farm.url}/jobtypes.git", "--single-branch")
    made.write("jobtypes/Maya/notes.txt", os.urandom(9).hex())
    made.commit()
    return made


def objects_in(answer: Answer) -> int:
    """How many objects its pack announces."""
    return int.from_bytes(answer.body.partition(b"PACK")[2][4:8])


# Encodings


def test_a_body_in_gzip_is_as_good_as_one_without(farm):
    body = wanted(tip(farm))

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
    assert td.git("rev-parse", "FETCH_HEAD").strip() == tip(farm, "large")


def test_chunks_and_gzip_go_together(farm, dial):
    body = gzip.compress(wanted(tip(farm)))
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
        (b"0000", "br", 415),
    ],
    ids=["none", "a bomb", "unknown"],
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

    assert made.git("rev-parse", "HEAD").strip() == tip(farm)


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
    assert tip(farm) == td.git("rev-parse", "HEAD").strip()


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
    git(farm.repo, "fsck", "--strict", "--no-dangling")


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

    for answer in (farm.get(REFS), fetch(farm, wanted(tip(farm)))):
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
    assert strays(farm.repo) == []
    wait_for(lambda: all(raw.has_news for raw in stalled), "the stalled ones to be given up")
    wait_for(lambda: is_tidy(farm), "the slots to be free")


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
    packed = fetch(farm, wanted(tip(farm)), Content_Encoding="br")
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


@pytest.mark.parametrize("version", PROTOCOLS)
def test_hidden_is_no_secret_who_knows_an_id_gets_the_object(farm, td, hidden, version):
    td.git("-c", f"protocol.version={version}", "fetch", "--quiet", "origin", hidden)

    assert td.git("rev-parse", "FETCH_HEAD").strip() == hidden


def test_a_push_sees_none_of_them(farm, hidden):
    answer = farm.get("/jobtypes.git/info/refs?service=git-receive-pack")

    assert b"refs/heads/main" in answer.body
    assert hidden.encode() not in answer.body


@pytest.mark.parametrize("ref", OURS)
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


def test_after_all_that_the_repository_is_in_order(farm):
    git(farm.repo, "fsck", "--strict", "--no-dangling")
