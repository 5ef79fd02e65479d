"""Keeping the repository fast and tidy: by the service during its work, or by somebody else."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.store import Store
from gitstore.git.locks import try_file_lock
from gitstore.git.maintenance import LEFTOVER_S, NICENESS, maintain, remove_leftovers
from tests.support.branches import Branch, jobtype
from tests.support.git import git
from tests.support.rest import Rest, body
from tests.support.server import Server
from tests.support.waiting import wait_for

SECONDS = 3
LIMIT_SECONDS = 120


def packs(repo: Path) -> list[str]:
    return sorted(p.name for p in (repo / "objects" / "pack").glob("*.pack"))


def loose(repo: Path) -> list[Path]:
    return list(repo.glob("objects/??/*"))


# Maintenance


@pytest.fixture
def due(branch) -> Branch:
    """A branch in more packs than Git finds good."""
    for number in range(3):
        branch.commit(jobtype("Job", f"    n = {number}\n"))
        git(branch.path, "repack", "-d", "--quiet")
    git(branch.path, "config", "gc.autoPackLimit", "1")
    assert len(packs(branch.path)) == 3
    return branch


def test_what_is_due_is_done_and_the_repository_reads_as_before(due):
    store = Store(due.path)
    before = store.catalogue().history

    assert maintain(due.path)

    assert len(packs(due.path)) == 1
    for one in (store, Store(due.path)):
        assert one.catalogue().history.jobtypes == before.jobtypes


def test_what_is_not_due_is_left(branch):
    branch.commit(jobtype("Job"))
    before = loose(branch.path)

    assert maintain(branch.path)

    assert loose(branch.path) == before


def test_while_another_process_is_at_it_nothing_is_done(due):
    leftover = abandoned(due.path, "objects/pack/tmp_pack_x", LEFTOVER_S + 60)
    path = due.path / "jobtypes" / "maintenance.lock"
    path.parent.mkdir(exist_ok=True)

    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert not maintain(due.path)
        assert leftover.exists()
        assert len(packs(due.path)) == 3

    assert maintain(due.path)
    assert not leftover.exists()
    assert len(packs(due.path)) == 1


def test_what_another_git_failed_at_yesterday_does_not_stop_it(due, caplog):
    (due.path / "gc.log").write_text("fatal: out of memory\n")

    assert maintain(due.path)

    assert len(packs(due.path)) == 1
    assert not (due.path / "gc.log").exists()
    assert "removed gc.log, which says: fatal: out of memory" in caplog.text


@pytest.mark.parametrize("days", [0, 30, -30])
def test_after_the_clock_was_set_nothing_is_taken_for_old(due, monkeypatch, days):
    monkeypatch.setattr(
        "gitstore.git.maintenance._CLOCK", time.time() - time.monotonic() - days * 86400
    )
    id = git(due.path, "hash-object", "-w", "--stdin", input="a write under way").strip()
    loose = due.path / "objects" / id[:2] / id[2:]
    half = due.path / "objects" / "tmp_objdir-incoming-x"
    half.mkdir()
    for path in (loose, half):
        os.utime(path, (10**9, 10**9))

    assert maintain(due.path)

    assert len(packs(due.path)) == 1
    assert (loose.exists(), half.exists()) == (bool(days), bool(days))


def slow_down(repo: Path) -> Path:
    """Have Git wait before it tidies up; where it then writes its number, niceness and session."""
    note, hook = repo / "begun", repo / "hooks" / "pre-auto-gc"
    hook.parent.mkdir(exist_ok=True)
    what = "$$ $(nice) $(cut -d ' ' -f 6 /proc/$$/stat)"
    hook.write_text(f"#!/bin/sh\necho {what} > {note}.new; mv {note}.new {note}\nsleep 60\n")
    hook.chmod(0o755)
    return note


def test_git_is_nice_and_is_ended_past_its_time(due, caplog, monkeypatch):
    monkeypatch.setattr("gitstore.git.maintenance.LIMIT_S", 1)
    note = slow_down(due.path)

    assert maintain(due.path)

    pid, niceness, session = note.read_text().split()
    assert int(niceness) == min(19, os.nice(0) + NICENESS)
    # In another session it would be nice to its own processes alone.
    assert int(session) == os.getsid(0)
    assert "git maintenance took longer than 1 s" in caplog.text
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "its helpers to end")


@pytest.mark.parametrize(("by", "goes_on"), [(signal.SIGTERM, False), (signal.SIGKILL, True)])
def test_git_ends_with_who_started_it_or_keeps_the_lock(due, by, goes_on):
    note = slow_down(due.path)
    says = (
        "import sys, pathlib, gitstore.git.maintenance as m; m.maintain(pathlib.Path(sys.argv[1]))"
    )
    ends = "import signal; signal.signal(signal.SIGTERM, lambda *a: sys.exit()); "
    code = says.replace("; m.", f"; {ends}m.")
    owner = subprocess.Popen([sys.executable, "-c", code, str(due.path)])
    wait_for(note.exists, "Git to begin")
    group = os.getpgid(int(note.read_text().split()[0]))

    owner.send_signal(by)
    owner.wait()

    if goes_on:
        assert not maintain(due.path)
        os.killpg(group, signal.SIGKILL)
    wait_for(lambda: not is_held(due.path / "jobtypes" / "maintenance.lock"), "the lock")


def is_held(path: Path) -> bool:
    with try_file_lock(path) as held:
        return held is None


def test_a_repository_that_git_can_not_tidy_up_is_logged_and_read_on(branch, caplog):
    branch.commit(jobtype("Job"))
    git(branch.path, "config", "gc.auto", "x")

    assert maintain(branch.path)

    assert "git maintenance ended with status" in caplog.text
    assert Store(branch.path).catalogue().jobtypes()


# What dead writers leave


def abandoned(repo: Path, name: str, age_s: float) -> Path:
    """A file or, where the name ends in a slash, a folder with a file, not touched for long."""
    path = repo / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith("/"):
        path.mkdir()
        (path / "pack").mkdir()
        (path / "pack" / "tmp_pack_1").write_bytes(b"half")
    else:
        path.write_bytes(b"half")
        path.chmod(0o444)
    when = time.time() - age_s
    os.utime(path, (when, when))
    return path


LEFTOVERS = (
    "objects/tmp_objdir-incoming-AbCdEf/",
    "objects/tmp_object_git2_AbCdEf",
    "objects/tmp_obj_AbCdEf",
    "objects/3f/tmp_obj_AbCdEf",
    "objects/pack/tmp_pack_AbCdEf",
    "objects/pack/tmp_idx_AbCdEf",
    "objects/pack/.tmp-123-pack-AbCdEf.pack",
    "jobtypes/.index-AbCdEf",
)
KEPT = (
    "objects/3f/" + "a" * 38,
    "objects/pack/pack-" + "a" * 40 + ".keep",
    "objects/info/alternates",
    "jobtypes/tokens.json",
    "refs/heads/tmp_obj",
)


@pytest.mark.parametrize("name", LEFTOVERS)
def test_what_is_half_written_goes_when_its_writer_must_be_dead(empty, name):
    old = abandoned(empty, name, LEFTOVER_S + 60)
    live = abandoned(empty, name.replace("AbCdEf", "living"), LEFTOVER_S - 60)

    assert remove_leftovers(empty, LEFTOVER_S) == 1

    assert not old.exists()
    assert live.exists()


@pytest.mark.parametrize("name", KEPT)
def test_what_is_no_leftover_stays_however_old_it_is(empty, name):
    kept = abandoned(empty, name, 1000 * LEFTOVER_S)

    assert remove_leftovers(empty, 0) == 0

    assert kept.exists()


# The service's own


@pytest.fixture
def tidying(tmp_path, serve) -> Callable[..., Server]:
    """Starts a service of two workers on the sample jobtypes that tidies up each second."""
    repo = tmp_path / "tidying.git"
    create_repository(repo, "main", sample_path())

    def start(*options: str) -> Server:
        started: Server = serve(repo, "--workers", "2", "--housekeeping-s", "1", *options)
        return started

    return start


def events(server: Server, name: str) -> float:
    """How often that happened, in all workers together."""
    for line in server.get("/metrics").body.decode().splitlines():
        if line.startswith("jobtypes_events_total") and f'"{name}"' in line:
            return float(line.split()[-1])
    return 0


def test_the_service_tidies_up_in_the_background_while_it_is_read_and_written(tidying):
    server = tidying()
    git(server.repo, "config", "gc.auto", "1")
    leftover = abandoned(server.repo, LEFTOVERS[0], LEFTOVER_S + 60)
    rest = Rest(server)
    number = 0

    def is_tidied() -> bool:
        nonlocal number
        number += 1
        rest.jobtype("Busy", code=f"class Job:\n    n = {number}\n")
        assert rest.json("/jobtypes/Busy/versions/1")["version"] == 1
        return bool(packs(server.repo)) and not leftover.exists()

    wait_for(is_tidied, "the repository to be packed")
    versions = rest.json("/jobtypes/Busy/versions/")
    assert versions == list(range(1, number + 1))
    wait_for(lambda: events(server, "maintenance") >= 1, "Git to have tidied up")
    server.stop()
    git(server.repo, "fsck", "--strict", "--no-dangling")


def test_git_ends_with_the_service_and_keeps_no_tags_waiting(tidying):
    server = tidying("--workers", "1")
    note = slow_down(server.repo)
    git(server.repo, "config", "gc.autoPackLimit", "1")
    for number in range(3):
        Rest(server).jobtype("Busy", code=f"class Job:\n    n = {number}\n")
        git(server.repo, "repack", "-d", "--quiet")
    wait_for(note.exists, "Git to begin")
    pid = int(note.read_text().split()[0])

    Rest(server).jobtype("Meanwhile")
    wait_for(lambda: "Meanwhile/v1" in git(server.repo, "tag"), "the tag")
    server.stop()

    wait_for(lambda: not Path(f"/proc/{pid}").exists(), "Git to end")


def test_a_service_whose_repository_another_process_tidies_up_does_not_wait_for_it(tidying):
    server = tidying()
    path = server.repo / "jobtypes" / "maintenance.lock"
    with path.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        before = events(server, "maintenance")
        for number in range(20):
            sent = body("Busy", code=f"class Job:\n    n = {number}\n")
            assert server.request("PUT", "/api/v1/jobtypes/Busy", sent).status in (200, 201)
        wait_for(lambda: "Busy/v20" in git(server.repo, "tag"), "the tags, which do not wait")
        assert events(server, "maintenance") == before

    wait_for(lambda: events(server, "maintenance") > before, "its turn")


# Somebody else's


@pytest.fixture
def reading(tidying, clone) -> Iterator[tuple[Server, list[str], list[int]]]:
    """A service that is read and cloned all the time; what went wrong, and what was done."""
    server = tidying("--threads", "16")
    stopping = threading.Event()
    faults: list[str] = []
    counts = [0, 0]
    commits = git(server.repo, "rev-list", "--count", "main")
    jobtypes = ("Blender", "Maya", "Nuke", "Houdini")

    def read() -> None:
        for name in jobtypes:
            answer = server.get(f"/api/v1/jobtypes/{name}/versions/1/code")
            if answer.status != 200:
                faults.append(f"{name}: {answer.status} {answer.body!r}")
        counts[0] += 1

    def fetch() -> None:
        made = clone(f"{server.url}/jobtypes.git")
        if made.git("rev-list", "--count", "HEAD") != commits:
            faults.append("a clone that has not all")
        counts[1] += 1

    def repeat(work: Callable[[], None]) -> None:
        while not stopping.is_set() and not faults:
            try:
                work()
            except (AssertionError, OSError) as error:
                faults.append(repr(error))

    threads = [threading.Thread(target=repeat, args=(work,)) for work in (read, read, fetch)]
    for thread in threads:
        thread.start()
    yield server, faults, counts
    stopping.set()
    for thread in threads:
        thread.join()


@pytest.mark.farm
def test_readers_and_clones_do_not_notice_that_all_is_packed_again_and_pruned(reading):
    server, faults, counts = reading
    begun = time.monotonic()
    rounds = 0

    def is_enough() -> bool:
        """Clones get what is left of the processors: on a busy machine that takes a while."""
        took = time.monotonic() - begun
        return (took > SECONDS and min(rounds, *counts) >= 2) or took > LIMIT_SECONDS

    while not faults and not is_enough():
        git(server.repo, "repack", "-a", "-d", "--quiet", "--window", str(rounds % 5 + 1))
        git(server.repo, "gc", "--quiet", "--prune=now")
        rounds += 1

    assert faults == []
    assert rounds >= 2
    assert min(counts) >= 2


def test_a_store_that_was_open_before_finds_all_after_packs_are_gone(branch):
    for number in range(3):
        branch.commit(jobtype("Job", f"    n = {number}\n"))
    git(branch.path, "repack", "-a", "-d", "--quiet")
    store = Store(branch.path)
    opened = store.repository.commit(str(branch.tip))

    for number in range(3, 6):
        branch.commit(jobtype("Job", f"    n = {number}\n"))
        before = packs(branch.path)
        git(branch.path, "repack", "-a", "-d", "-f", "--quiet")
        git(branch.path, "gc", "--quiet", "--prune=now")
        assert not set(before) & set(packs(branch.path))
        history = store.catalogue().history
        assert history.tip == branch.tip
        assert len(history.jobtypes["Job"].versions) == number + 1
        assert store.repository.commit(opened.id) == opened
        assert loose(branch.path) == []
