"""Tokens that vanish or can't be read: nobody writes, and nobody is taken for an admin."""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from gitstore.branch.tokens_file import FILE, LIMIT_BYTES, MARKER
from gitstore.git.repository import init_repository
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.rest import PREFIX, body
from tests.support.server import free_port
from tests.support.tokens import bearer
from tests.support.waiting import wait_for

EVERY_WORKER = 16
"""So many connections that no worker of two goes without one."""

READ = f"{PREFIX}/jobtypes/"
WRITE = f"{PREFIX}/jobtypes/Job"


@dataclass
class Studio:
    """A repository with an admin's token, and clients of two services on it."""

    repo: Path
    secret: str
    open: FlaskClient
    closed: FlaskClient

    @property
    def file(self) -> Path:
        return self.repo / FILE

    def statuses(self, client: FlaskClient) -> list[tuple[int, int]]:
        """What a read and a write come to without a token, with a wrong and with a right one."""
        found = []
        for headers in ({}, bearer("jtr_wrong"), bearer(self.secret)):
            read = client.get(READ, headers=headers).status_code
            write = client.put(WRITE, json=body("Job"), headers=headers).status_code
            found.append((read, write))
        return found


GOOD = [(200, 401), (401, 401), (200, 201)]
GOOD_FOR_READERS = [(401, 401), (401, 401), (200, 201)]
OPEN = [(200, 201)] * 3
LOST = [(200, 503)] * 3
LOST_WITHOUT_READS = [(401, 503)] * 3


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Studio:
    repo = init_repository(tmp_path_factory.mktemp("lost") / "farm.git", "main").git_dir
    secret = Tokens(repo).create("adm", Role.ADMIN, "adm@studio.example", ())
    configs = (Config(repo, read_needs_token=needs) for needs in (False, True))
    return Studio(repo, secret, *(create_app(config).test_client() for config in configs))


@pytest.fixture
def studio(farm) -> Iterator[Studio]:
    """The same for each test: its tokens are back when it ends."""
    assert farm.statuses(farm.open) == GOOD
    assert farm.statuses(farm.closed) == GOOD_FOR_READERS
    file, secret, marker = farm.file.read_bytes(), farm.secret, farm.repo / MARKER
    mark = marker.read_bytes()
    yield farm
    remove(farm.file.parent)
    farm.file.parent.mkdir()
    farm.file.write_bytes(file)
    marker.write_bytes(mark)
    farm.secret = secret


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def vanish(path: Path) -> None:
    path.unlink()


def folder_vanishes(path: Path) -> None:
    shutil.rmtree(path.parent)


def folder_is_a_file(path: Path) -> None:
    shutil.rmtree(path.parent)
    path.parent.write_bytes(b"")


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def link_to_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def written(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(change(path.read_bytes()))

    return write


def field(name: str, value: object) -> Callable[[Path], None]:
    """The one row with another value."""
    return written(lambda data: json.dumps([{**json.loads(data)[0], name: value}]).encode())


HARM: dict[str, Callable[[Path], None]] = {
    "no file": vanish,
    "no folder": folder_vanishes,
    "a file for a folder": folder_is_a_file,
    "a folder": folder,
    "a pipe": pipe,
    "a link to nowhere": link_to_nowhere,
    "a link to itself": link_to_itself,
    "empty": written(lambda data: b""),
    "cut short": written(lambda data: data[:50]),
    "a line end": written(lambda data: b"\n"),
    "zeros": written(lambda data: bytes(len(data))),
    "null": written(lambda data: b"null"),
    "no list": written(lambda data: b"{}"),
    "a list of something": written(lambda data: b"[1]"),
    "a list of lists": written(lambda data: b"[[]]"),
    "a list of nothing": written(lambda data: b"[{}]"),
    "not UTF-8": written(lambda data: b"\xff\xfe"),
    "nested without end": written(lambda data: b"[" * 200_000),
    "junk without end": written(lambda data: b"[" + b"1," * 500_000 + b"1]"),
    "too large": written(lambda data: data + b" " * LIMIT_BYTES),
    "an unknown field": field("x", 1),
    "an unknown role": field("role", "root"),
    "a role in capitals": field("role", "ADMIN"),
    "a role that is none": field("role", None),
    "a name that is a number": field("name", 1),
    "a name with a line end": field("name", "adm\nx"),
    "no digest": field("sha256", "x"),
    "a digest that is none": field("sha256", None),
    "a mail address that is none": field("email", "adm <adm>"),
    "patterns that are a word": field("only", "Nuke"),
    "patterns that are numbers": field("only", [1]),
    "no date": field("created", None),
}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_while_the_tokens_can_not_be_read_nobody_writes(studio, harm):
    harm(studio.file)

    assert studio.statuses(studio.open) == LOST
    assert studio.statuses(studio.closed) == LOST_WITHOUT_READS
    # The next start sees the same.
    assert Tokens(studio.repo).standing.lost
    assert Tokens(studio.repo).standing.exist


def test_the_answer_says_what_to_do_and_nothing_of_what_stands_there(studio):
    field("role", "secret-word")(studio.file)

    write = studio.open.put(WRITE, json=body("Job"))
    read = studio.closed.get(READ)

    for answer in (write, read):
        assert "jobtypes/tokens.json is damaged (row 0" in answer.json["error"]
        assert "bring it back from a backup" in answer.json["error"]
        assert "secret-word" not in answer.json["error"]
    assert "WWW-Authenticate" in read.headers


def test_tokens_that_were_made_by_an_earlier_version_are_marked_at_the_first_look(studio):
    (studio.repo / MARKER).unlink()

    Tokens(studio.repo).rows()
    studio.file.unlink()

    assert studio.statuses(create_app(Config(studio.repo)).test_client()) == LOST


def test_what_nobody_lost_is_open(client):
    assert client.put(WRITE, json=body("Job")).status_code == 201


@pytest.mark.parametrize("failing", range(1, 7))
def test_a_disk_that_fails_for_a_moment_asks_nobody_for_a_token(client, monkeypatch, failing):
    looks = itertools.count(1)
    lstat = Path.lstat

    def fails_once(path: Path) -> os.stat_result:
        if path.name == Path(FILE).name and next(looks) == failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", fails_once)
    statuses = [client.put(WRITE, json=body("Job")).status_code for _ in range(6)]

    assert statuses.count(503) == 1
    assert set(statuses) <= {200, 201, 503}


def test_git_reads_it_too(studio):
    vanish(studio.file)

    push = studio.open.get("/jobtypes.git/info/refs?service=git-receive-pack")
    fetch = studio.open.get("/jobtypes.git/info/refs?service=git-upload-pack")
    closed = studio.closed.get("/jobtypes.git/info/refs?service=git-upload-pack")

    assert push.status_code == 503
    assert push.text.startswith("nobody may write: the tokens are lost: jobtypes/tokens.json is")
    assert (fetch.status_code, closed.status_code) == (200, 401)


def test_the_log_warns_of_others_who_may_write_the_file(studio, caplog):
    studio.file.chmod(0o666)

    assert studio.statuses(studio.open) == GOOD
    assert "mode 0666" in caplog.text
    assert "do chmod 600" in caplog.text


# The command line


def test_a_token_is_made_where_the_file_is_gone_and_is_the_only_one(studio):
    vanish(studio.file)

    done = jobtypes("token", "create", "new", "--role", "admin", "--repo", studio.repo)

    assert done.returncode == 0
    assert "the tokens were lost" in done.stderr
    assert [row.name for row in Tokens(studio.repo).rows()] == ["new"]
    assert studio.statuses(studio.open) == [(200, 401), (401, 401), (401, 401)]


@pytest.mark.parametrize(
    "command",
    [("create", "new", "--role", "read"), ("revoke", "adm"), ("list",)],
    ids=["create", "revoke", "list"],
)
def test_no_command_takes_a_damaged_file_for_none(studio, command):
    studio.file.write_bytes(b"[{")

    done = jobtypes("token", *command, "--repo", studio.repo)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "is damaged" in done.stderr
    assert "move it away" in done.stderr
    assert studio.file.read_bytes() == b"[{"


@pytest.mark.parametrize("state", ["there", "no file", "empty", "cut short"])
def test_off_gives_tokens_up_and_leaves_an_empty_file(studio, state):
    HARM.get(state, lambda path: None)(studio.file)

    done = jobtypes("token", "off", "--repo", studio.repo)

    assert done.returncode == 0
    assert done.stdout.startswith(
        "there are no tokens any more: everybody on this machine may write"
    )
    assert studio.file.read_bytes() == b""
    for client in (studio.open, studio.closed, create_app(Config(studio.repo)).test_client()):
        assert studio.statuses(client) == OPEN
    assert jobtypes("token", "list", "--repo", studio.repo).returncode == 0


def test_after_off_tokens_can_be_made_and_lost_again(studio):
    jobtypes("token", "off", "--repo", studio.repo)
    studio.secret = Tokens(studio.repo).create("b", Role.ADMIN, "b@studio.example", ())
    assert studio.statuses(studio.open) == GOOD

    studio.file.write_bytes(b"")

    assert studio.statuses(studio.open) == LOST


def test_tokens_that_are_given_up_open_nothing_to_other_machines(studio):
    client = create_app(Config(studio.repo, host="0.0.0.0")).test_client()
    told = create_app(
        Config(studio.repo, host="0.0.0.0", insecure_writes=True, read_needs_token=True)
    ).test_client()

    jobtypes("token", "off", "--repo", studio.repo)

    assert studio.statuses(client) == LOST
    assert "--insecure-writes" in client.put(WRITE, json=body("Job")).json["error"]
    assert studio.statuses(told) == OPEN


# The service


def test_all_workers_agree_and_so_does_the_next_start(empty, serve):
    adm = Tokens(empty).create("adm", Role.ADMIN, "adm@studio.example", ())
    server = serve(empty, "--workers", "2", "--host", "0.0.0.0")
    file, away = empty / FILE, empty / "away.json"

    def answers(headers: dict[str, str]) -> set[int]:
        sent = body("Job")
        return {server.request("PUT", WRITE, sent, headers).status for _ in range(EVERY_WORKER)}

    assert answers(bearer(adm)) == {201}
    file.rename(away)
    assert answers({}) == answers(bearer(adm)) == {503}
    wait_for(lambda: "nobody may write" in server.log.read_text(), "the log to tell it")
    server.stop()
    before = len(server.log.read_text())

    server.start()

    assert "nobody may write: the tokens are lost" in server.log.read_text()[before:]
    assert answers({}) == answers(bearer(adm)) == {503}
    assert server.get(READ).status == 200
    away.rename(file)
    assert answers(bearer(adm)) == {201}
    assert answers({}) == {401}


def test_a_restore_from_a_mirror_says_that_there_are_no_tokens(empty, serve, tmp_path):
    Tokens(empty).create("adm", Role.ADMIN, "adm@studio.example", ())
    mirror = tmp_path / "mirror.git"
    git(tmp_path, "clone", "--quiet", "--mirror", str(empty), str(mirror))

    refused = jobtypes("serve", "--repo", mirror, "--host", "0.0.0.0", "--port", free_port())
    server = serve(mirror)

    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Make tokens" in refused.stderr
    assert "there are no tokens: everybody on this machine may write" in server.log.read_text()


def test_what_a_killed_command_leaves_never_opens(tmp_path):
    """Each file as it is between two steps of ``token off`` and of the first ``create``."""
    repo = init_repository(tmp_path / "r.git", "main").git_dir
    Tokens(repo).create("adm", Role.ADMIN, "adm@studio.example", ())
    (repo / MARKER).unlink()  # Off, begun.
    assert [row.name for row in Tokens(repo).rows()] == ["adm"]
    (repo / FILE).unlink()
    assert Tokens(repo).standing.lost  # Create, begun: the marker is there, the file not yet.


def test_the_folder_is_on_disk_before_a_command_says_so(empty, tmp_path):
    if shutil.which("strace") is None:
        pytest.skip("strace is missing")
    trace = tmp_path / "trace"
    words = ["-m", "api", "token", "create", "adm", "--role", "admin", "--repo", str(empty)]
    command = ["strace", "-f", "-y", "-e", "trace=fsync", "-o", trace, sys.executable, *words]
    subprocess.run(command, check=True, capture_output=True)

    synced = trace.read_text()
    for path in (empty / "jobtypes" / "tokens.new", empty / "jobtypes", empty):
        assert f"<{path.resolve()}>" in synced
