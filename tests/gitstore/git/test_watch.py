"""A ref that moved, however it was done, is never taken for one that did not."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gitstore.branch.store import Store
from gitstore.git import file_watch
from gitstore.git.file_watch import Watch
from tests.support.branches import REF, TD, Branch, jobtype
from tests.support.git import git

SETTLED_S = 0.05
"""Enough where the disk counts in milliseconds, as those of tests do."""


@pytest.fixture(autouse=True)
def settled_soon(monkeypatch) -> None:
    monkeypatch.setattr(file_watch, "SETTLED_S", SETTLED_S)


@pytest.fixture
def branch(tmp_path) -> Branch:
    branch = Branch(tmp_path / "watched.git")
    branch.commit(jobtype("Job"))
    if Watch(branch.path, REF).mark() is None:
        pytest.skip("the folder for temporary files is on a file system that is not watched")
    return branch


def loose(branch: Branch) -> None:
    assert (branch.path / REF).is_file()


def packed(branch: Branch) -> None:
    git(branch.path, "pack-refs", "--all")
    assert not (branch.path / REF).exists()


def below_another_name(branch: Branch) -> None:
    """Packed, with another branch that is not."""
    packed(branch)
    git(branch.path, "update-ref", "refs/heads/other", "main")


def by_git(branch: Branch, new: str) -> None:
    git(branch.path, "update-ref", REF, new)


def by_us(branch: Branch, new: str) -> None:
    branch.repository.move(REF, branch.tip, new, TD, "test")


def by_git_and_packed_at_once(branch: Branch, new: str) -> None:
    by_git(branch, new)
    git(branch.path, "pack-refs", "--all")


def by_git_there_and_back_and_there(branch: Branch, new: str) -> None:
    assert branch.tip
    for commit in (new, branch.tip, new):
        by_git(branch, commit)


def by_hand(branch: Branch, new: str) -> None:
    (branch.path / REF).write_text(f"{new}\n")


def by_deleting(branch: Branch, new: str) -> None:
    git(branch.path, "update-ref", "-d", REF)


def by_damaging(branch: Branch, new: str) -> None:
    (branch.path / REF).write_text("nonsense\n")


@pytest.mark.parametrize("before", [loose, packed, below_another_name])
@pytest.mark.parametrize(
    "move",
    [
        by_git,
        by_us,
        by_git_and_packed_at_once,
        by_git_there_and_back_and_there,
        by_hand,
        by_deleting,
        by_damaging,
    ],
)
def test_a_ref_looks_different_when_it_moved(branch, before, move):
    before(branch)
    new = branch.side(jobtype("Job", "a = 1\n"))
    time.sleep(SETTLED_S * 2)
    watched = Watch(branch.path, REF)
    mark = watched.mark()
    assert mark is not None
    assert watched.holds(mark)

    move(branch, new)

    assert not watched.holds(mark)


def test_a_young_file_differs_from_the_one_that_comes_for_it_at_once(branch):
    watched = Watch(branch.path, REF)
    for number in range(50):
        mark = watched.mark()
        assert mark is not None
        assert watched.holds(mark)
        branch.commit(jobtype("Job", f"n = {number}\n"))
        assert not watched.holds(mark)


def test_a_young_folder_is_not_relied_on(branch):
    watched = Watch(branch.path, REF)
    packed(branch)
    assert watched.mark() is None

    time.sleep(SETTLED_S * 2)
    assert watched.mark() is not None


def test_a_folder_that_a_clock_that_was_ahead_has_dated_is_not_relied_on(branch):
    packed(branch)
    os.utime((branch.path / REF).parent, (time.time() + 3600,) * 2)
    time.sleep(SETTLED_S * 2)
    assert Watch(branch.path, REF).mark() is None


def test_a_ref_that_is_a_symbolic_link_is_not_relied_on(branch):
    (branch.path / REF).rename(branch.path / "elsewhere")
    (branch.path / REF).symlink_to(branch.path / "elsewhere")
    time.sleep(SETTLED_S * 2)
    assert Watch(branch.path, REF).mark() is None


def test_a_repository_that_another_is_put_in_the_place_of_is_noticed(branch, monkeypatch):
    monkeypatch.setattr(file_watch, "RENEWED_S", 0.1)
    watched = Watch(branch.path, REF)
    mark = watched.mark()
    assert mark is not None
    assert watched.holds(mark)

    branch.path.rename(branch.path.with_name("before.git"))
    git(branch.path.parent, "clone", "--quiet", "--mirror", "before.git", branch.path.name)
    git(branch.path, "update-ref", REF, "main")
    time.sleep(0.2)

    assert not watched.holds(mark)


def test_marks_that_are_done_with_leave_no_file_open(branch):
    watched = Watch(branch.path, REF)
    handles = {mark.handle for mark in (watched.mark() for _ in range(100)) if mark}
    assert len(handles) < 5


def test_a_mark_that_the_disk_does_not_let_go_of_troubles_nobody(branch):
    mark = Watch(branch.path, REF).mark()
    os.close(mark.handle)  # So that closing it fails.

    del mark  # An exception here, which nobody could catch, would fail the test.


def test_a_file_that_the_disk_says_nothing_of_is_not_relied_on(branch, monkeypatch):
    def fail(handle: int) -> os.stat_result:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    watched = Watch(branch.path, REF)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", fail)
        mark = watched.mark()

    assert mark is None


def test_a_packed_ref_in_a_folder_that_git_has_removed_is_not_relied_on(branch):
    git(branch.path, "update-ref", "refs/heads/farm/main", "main")
    git(branch.path, "pack-refs", "--all")
    time.sleep(SETTLED_S * 2)
    assert Watch(branch.path, "refs/heads/farm/main").mark() is None


def test_a_file_system_that_other_machines_may_change_is_not_relied_on(branch, monkeypatch):
    time.sleep(SETTLED_S * 2)
    monkeypatch.setattr(file_watch, "_LOCAL", frozenset({"nfs"}))
    assert Watch(branch.path, REF).mark() is None


def read_tip(path: Path) -> Callable[[], str | None]:
    """What a store that is asked all the time says of the branch."""
    store = Store(path)
    return lambda: store.catalogue().history.tip


def test_every_commit_is_in_the_next_catalogue(branch):
    tip = read_tip(branch.path)
    for number in range(12):
        for _ in range(3):
            assert tip() == branch.tip
            time.sleep(SETTLED_S / 2)
        if number % 3 == 2:
            packed(branch)
        branch.commit(jobtype("Job", f"n = {number}\n"))


def test_a_catalogue_that_is_known_is_given_without_reading_the_ref(branch, monkeypatch):
    store = Store(branch.path)
    time.sleep(SETTLED_S * 2)
    # The first look at a file dates its last access again.
    catalogue = [store.catalogue() for _ in range(2)][1]
    read = []
    monkeypatch.setattr(store.repository, "tip", lambda *_: read.append(1))

    assert store.catalogue() is catalogue
    assert read == []


def test_an_index_that_is_rebuilt_is_not_passed_over(branch):
    store = Store(branch.path)
    time.sleep(SETTLED_S * 2)
    before = store.catalogue()

    after = store.served.rebuild_index()

    assert after is not before
    assert store.catalogue() is after
