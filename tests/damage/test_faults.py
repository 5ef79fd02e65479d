"""A disk that fails: each system call of a write is made to fail in turn, by strace."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.web.parts import parts_of
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.writing import SERVICE
from gitstore.errors import StorageFailed, StorageFull
from gitstore.git.repository import Repository, init_repository
from tests.support.cloning import UPLOAD, wanted
from tests.support.git import git
from tests.support.processes import workers
from tests.support.rest import Rest, body, code
from tests.support.strace import fault
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace")

PATH = "/api/v1/jobtypes/Sound"

FULL = {"ENOSPC": 507, "EDQUOT": 507}
BROKEN = {"EIO": 503, "EROFS": 503, "ENOMEM": 503}
FAULTS = {
    "openat": BROKEN | {"EMFILE": 503, "ENFILE": 503},
    "write": FULL | {"EIO": 503},
    "fsync": FULL | {"EIO": 503},
    "link,rename": FULL | BROKEN,
    "mkdir": FULL | BROKEN,
    "rename": FULL | BROKEN,
}
"""What each error of a system call is to be answered with."""
CASES = [
    (call, error, status) for call, errors in FAULTS.items() for error, status in errors.items()
]
WHEN = {"openat": ("1+", "12+", "20+"), "fsync": ("1+", "3", "8+"), "write": ("1", "4", "7+")}
"""Which of the calls fail: from the first on, or only the one of that number. Those of the thread
that answers: others flush some of the files for it (test_loose.py)."""


@pytest.fixture(scope="module")
def writer(tmp_path_factory) -> FlaskClient:
    """A client of a service in this process, with version 1 of the jobtype Sound."""
    git_dir = init_repository(tmp_path_factory.mktemp("faults") / "served.git", "main").git_dir
    client = create_app(Config(git_dir, write_limit_s=2)).test_client()
    for n in range(2):
        assert client.put(PATH, json=body("Sound", code=code(n))).status_code == 201
    return client


def repository(client: FlaskClient):
    return parts_of(client.application).store.repository.git_dir


def state(client: FlaskClient) -> tuple[str, bytes]:
    """All refs, and what is served; the repository must be in order."""
    git_dir = repository(client)
    git(git_dir, "fsck", "--strict")
    return git(git_dir, "for-each-ref"), client.get(PATH).data


@pytest.mark.parametrize(("calls", "error", "status"), CASES)
def test_a_write_that_fails_changes_nothing_and_says_why(writer, calls, error, status):
    before = state(writer)
    for number, when in enumerate(WHEN.get(calls, ("1+", "2"))):
        sent = body("Sound", code=code(f"{calls} {error} {number}"))
        with fault(calls, error, when, "-p", str(threading.get_native_id())):
            answer = writer.put(PATH, json=sent)

        if answer.status_code == 201:  # It was a call that may fail.
            before = state(writer)
            continue
        assert answer.status_code == status, (when, answer.json)
        assert answer.json["error"].startswith("the repository")
        assert state(writer) == before
        assert not list(repository(writer).rglob("refs/**/*.lock"))

    assert writer.put(PATH, json=body("Sound", code=code(f"{calls} {error}"))).status_code == 201


@pytest.mark.parametrize(("error", "failure"), [("EIO", StorageFailed), ("ENOSPC", StorageFull)])
def test_a_commit_that_the_disk_will_not_take_is_no_commit(empty, error, failure):
    repository = Repository(empty)
    tree = repository.write_tree(None, {"README.md": b"x"})
    # Of a date of its own, so that its id always begins otherwise than those of the objects above.
    author = replace(SERVICE, when=datetime.fromtimestamp(0, UTC))

    with (
        fault("mkdir", error, "1+", "-p", str(threading.get_native_id())),
        pytest.raises(failure) as raised,
    ):
        repository.write_commit(tree, (), "x\n", author, author)

    assert type(raised.value) is failure


REFS = "/jobtypes.git/info/refs?service=git-upload-pack"
ANSWERS = {
    "a pipe to Git": ("GET", REFS, "pipe2", "EMFILE"),
    "a process for Git": ("GET", REFS, "clone,clone3,fork,vfork", "EAGAIN"),
    "the tokens": ("PUT", PATH, "stat,newfstatat,statx", "EIO"),
    "an object": ("GET", f"{PATH}/versions/1/code", "openat", "EIO"),
    "a pack": ("GET", f"{PATH}/versions/1/code", "openat", "EIO"),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_what_the_machine_would_not_give_is_503_with_a_sentence(sample, what):
    method, path, calls, error = ANSWERS[what]
    client = create_app(Config(sample)).test_client()
    assert client.put(PATH, json=body("Sound")).status_code == 201
    catalogue = parts_of(client.application).store.catalogue()
    assert catalogue.jobtype("Sound")
    if what == "a pack":
        git(sample, "repack", "-a", "-d", "--quiet")

    with fault(calls, error, "1+", "-p", str(threading.get_native_id())):
        answer = client.open(path, method=method, json=body("Sound"))

    assert answer.status_code == 503, answer.text
    assert "mistake" not in answer.text
    assert "git fsck" not in answer.text
    assert answer.mimetype == ("text/plain" if path == REFS else "application/json")


RAISED = {
    "a full disk": (OSError(errno.ENOSPC, "No space left on device"), 507),
    "a quota": (OSError(errno.EDQUOT, "Disk quota exceeded"), 507),
    "a failing disk": (OSError(errno.EIO, "Input/output error"), 503),
    "no memory": (MemoryError(), 503),
    "a bug": (FileNotFoundError(errno.ENOENT, "No such file"), 500),
}


@pytest.mark.parametrize(("error", "status"), RAISED.values(), ids=RAISED)
def test_what_a_request_meets_of_the_machine_differs_from_a_bug(empty, error, status):
    app = create_app(Config(empty))

    def meet() -> None:
        raise error

    app.add_url_rule("/meet", view_func=meet)

    assert app.test_client().get("/meet").status_code == status


LIVES = (("fsync", "ENOSPC", 507), ("link,rename", "EIO", 503))


@pytest.fixture
def small_disk(tmp_path, monkeypatch) -> Iterator[Path]:
    """A disk of 12 MB, with room for temporary files on it as well."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(disk)]
    if os.getuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs root that may mount")
    (disk / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(disk / "tmp"))
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes what is left of *disk*."""
    path = disk / "filling"
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return path


def test_a_full_disk_stops_writes_and_nothing_else(small_disk, serve):
    repo = small_disk / "sample.git"
    create_repository(repo, "main", sample_path())
    server = serve(repo, "--workers", "2")
    rest = Rest(server)
    began = workers(server.process.pid)
    filling = fill(small_disk)

    for n in range(3):
        answer = rest("PUT", "/jobtypes/Sound", body("Sound"))
        assert answer.status == 507, answer.body
        for path in ("/jobtypes/", "/jobtypes/Maya", "/jobtypes/Nuke/versions/1/code"):
            assert rest.get(path).status == 200
        # Figures that are new take room of their own.
        assert rest(f"BREW{n}", "/software/").status == 405
        assert server.get("/metrics").status == 200
    refs = server.get("/jobtypes.git/info/refs?service=git-upload-pack")
    assert refs.status == 200
    headers = {"Content-Type": "application/x-git-upload-pack-request"}
    clone = wanted(git(repo, "rev-parse", "main").strip())
    fill(small_disk)  # What the worker began to write at its start is gone again by now.
    answer = server.request("POST", UPLOAD, clone, headers)
    assert (answer.status, answer.headers["content-type"]) == (507, "text/plain; charset=utf-8")
    assert answer.body.startswith(b"the disk is full: ")
    assert workers(server.process.pid) == began

    os.kill(began[0], signal.SIGKILL)
    wait_for(lambda: len(set(workers(server.process.pid)) - {*began}) == 1, "a new worker")
    wait_for(lambda: answers_twenty_times(rest), "the new worker to answer")

    filling.unlink()
    rest.jobtype("Sound")


def answers_twenty_times(rest: Rest) -> bool:
    with suppress(OSError):
        return [rest.get("/jobtypes/").status for _ in range(20)] == [200] * 20
    return False


@pytest.mark.parametrize(("calls", "error", "status"), LIVES)
def test_the_service_lives_through_a_fault_and_works_again(served, calls, error, status):
    rest = Rest(served)
    before = git(served.repo, "for-each-ref", "refs/heads")
    (worker,) = workers(served.process.pid)

    with fault(calls, error, "1+", "-f", "-p", str(worker)):
        answer = rest("PUT", "/jobtypes/Sound", body("Sound"))
        assert rest.get("/jobtypes/").status == 200
        assert answer.status == status, answer.body

    git(served.repo, "fsck", "--strict")
    assert git(served.repo, "for-each-ref", "refs/heads") == before
    rest.jobtype("Sound")
