"""Writes that come at the same time: each has its turn, and gets only what is its own."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer, Written
from gitstore.edits.jobtypes import JobtypeWish, create_jobtype
from gitstore.errors import Busy, Exists, Forbidden, Invalid, StorageFailed, StorageFull
from gitstore.format.schema import JobtypeMeta
from gitstore.git.locks import Turns
from tests.support.branches import Branch, jobtype
from tests.support.git import git

LONG_S = 60.0

Write = Callable[[], Written]


@pytest.fixture
def branch(tmp_path) -> Branch:
    branch = Branch(tmp_path / "writing.git")
    branch.commit(jobtype("Known"))
    return branch


@pytest.fixture
def store(branch) -> Store:
    return Store(branch.path)


def at_once(writes: Sequence[Write]) -> list[Future[Written]]:
    """What came of *writes*, each in a thread of its own, in their order."""
    with ThreadPoolExecutor(len(writes)) as pool:
        return [pool.submit(write) for write in writes]


def writing(store: Store, name: str, who: str, code: str | None = None) -> Write:
    """Creates jobtype *name* as *who*, who may write only jobtypes that don't begin with T."""
    access = Access(who, f"{who}@studio.example", Role.WRITE, ("[!T]*",))
    source = code or f"class {name}:\n    made_by = {who!r}\n"
    wish = JobtypeWish(name, source, JobtypeMeta(classname=name))
    return lambda: store.write([create_jobtype(wish)], Writer(access))


def names(store: Store) -> set[str]:
    return {jobtype.name for jobtype in store.catalogue().jobtypes()}


def test_each_write_has_a_commit_of_its_own_and_the_catalogues_around_it(branch, store):
    events: list[str] = []
    store.note = events.append

    futures = at_once([writing(store, f"Job{n}", f"td{n}") for n in range(5)])

    assert events == ["commit"] * 5
    log = git(branch.path, "log", "--reverse", "--format=%H %an", "main").splitlines()
    authors = dict(line.split(maxsplit=1) for line in log)
    tips = list(authors)
    for number, future in enumerate(futures):
        written = future.result()
        tip = str(written.after.history.tip)
        assert authors[tip] == f"td{number}"
        assert tips[tips.index(tip) - 1] == written.before.history.tip
        assert written.after.find_jobtype(f"Job{number}")
        assert not written.before.find_jobtype(f"Job{number}")
    fresh = Store(branch.path)
    assert fresh.served.build(tips[-1]).history == store.catalogue().history
    assert git(branch.path, "fsck", "--strict", "--no-dangling") == ""


def test_a_refused_write_leaves_nothing_and_the_others_do_not_notice(branch, store):
    first, broken, forbidden, last = at_once(
        [
            writing(store, "First", "td"),
            writing(store, "Broken", "td", "class Broken(:\n"),
            writing(store, "Theirs", "td"),
            writing(store, "Last", "td"),
        ]
    )

    assert first.result().after.find_jobtype("First")
    assert last.result().after.find_jobtype("Last")
    for refused, why in ((broken, Invalid), (forbidden, Forbidden)):
        with pytest.raises(why):
            refused.result()
    assert names(store) == {"Known", "First", "Last"}
    assert git(branch.path, "fsck", "--strict", "--unreachable") == ""


def test_of_two_writes_that_create_one_jobtype_the_second_is_refused(store):
    futures = at_once([writing(store, "Same", who) for who in ("a", "b")])

    errors = [future.exception() for future in futures]
    assert sorted(map(type, errors), key=str) == sorted([type(None), Exists], key=str)


def test_a_write_that_loses_a_race_is_applied_to_the_new_tip(branch, store, monkeypatch):
    other = Store(branch.path)
    other.writing._turns = Turns(branch.path / "elsewhere")
    move = store.repository.move
    raced = []

    def late(*args: object) -> None:
        if not raced:
            raced.append(writing(other, "Rival", "rival")())
        move(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(store.repository, "move", late)
    events: list[str] = []
    store.note = events.append

    written = writing(store, "A", "td")()

    assert events == ["conflict", "commit"]
    assert written.before.history.tip == raced[0].after.history.tip
    assert names(store) == {"Known", "Rival", "A"}
    with pytest.raises(Exists):
        writing(store, "Rival", "td")()


def test_a_full_disk_refuses_the_large_write_and_not_the_small_ones(branch, store, monkeypatch):
    write = store.repository._loose_objects.write

    def full(objects: Mapping[str, bytes]) -> set[str]:
        if any(b"class Large" in data for data in objects.values()):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(objects)

    monkeypatch.setattr(store.repository._loose_objects, "write", full)

    a, large, b = at_once([writing(store, name, "td") for name in ("A", "Large", "B")])

    with pytest.raises(StorageFull):
        large.result()
    assert a.result()
    assert b.result()
    assert names(store) == {"Known", "A", "B"}


def test_a_move_that_fails_is_not_tried_again(branch, store, monkeypatch):
    """As where the ref was renamed, but its folder could not be flushed."""
    move = store.repository.move

    def fail(*args: object) -> None:
        move(*args)  # type: ignore[arg-type]
        raise StorageFailed("the folder can't be flushed")

    monkeypatch.setattr(store.repository, "move", fail)

    with pytest.raises(StorageFailed, match="flushed"):
        writing(store, "A", "td")()

    served = Store(branch.path).catalogue()
    assert {j.name: len(j.versions) for j in served.jobtypes()} == {"Known": 1, "A": 1}


def test_a_write_whose_turn_does_not_come_is_busy_and_writes_nothing(store):
    store.writing.limit_s = 0.3
    with ThreadPoolExecutor(2) as pool, store.writing._turns.turn(LONG_S):
        futures = [pool.submit(writing(store, name, "td")) for name in ("A", "B")]
        for future in futures:
            with pytest.raises(Busy):
                future.result()

    assert names(store) == {"Known"}
