"""A disk that fails: each system call of a write is made to fail in turn, by strace."""

from __future__ import annotations

import shutil
import threading

import pytest
from conftest import git
from flask.testing import FlaskClient
from processes import workers
from rest import Rest, body, code
from strace import fault

from api import create_app
from api.config import Config
from gitstore import Repository, StorageFailed, StorageFull, init_repository
from gitstore.store import SERVICE

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
WHEN = {"openat": ("1+", "12+", "25+"), "fsync": ("1+", "3", "14+"), "write": ("1", "4", "7+")}
"""Which of the calls fail: from the first on, or only the one of that number."""


@pytest.fixture(scope="module")
def writer(tmp_path_factory) -> FlaskClient:
    """A client of a service in this process, with version 1 of the jobtype Sound."""
    git_dir = init_repository(tmp_path_factory.mktemp("faults") / "served.git", "main").git_dir
    client = create_app(Config(git_dir, write_limit_s=2)).test_client()
    for n in range(2):
        assert client.put(PATH, json=body("Sound", code=code(n))).status_code == 201
    return client


def repository(client: FlaskClient):
    return client.application.extensions["jobtypes"].repository.git_dir


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

    with (
        fault("mkdir", error, "1+", "-p", str(threading.get_native_id())),
        pytest.raises(failure) as raised,
    ):
        repository.write_commit(tree, (), "x\n", SERVICE, SERVICE)

    assert type(raised.value) is failure


LIVES = (("fsync", "ENOSPC", 507), ("link,rename", "EIO", 503))


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
