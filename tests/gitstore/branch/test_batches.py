"""Writes that wait at the same time are made together, and each gets what is its own."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.batches import LIMIT, Batches
from gitstore.branch.store import Store, Writer
from gitstore.catalogue.catalogue import Catalogue
from gitstore.edits.jobtypes import JobtypeWish, create_jobtype
from gitstore.errors import Busy, Exists, Forbidden, Invalid, StorageFailed, StorageFull
from gitstore.format.schema import JobtypeMeta
from gitstore.git.locks import Turns
from tests.support.branches import REF, Branch, jobtype
from tests.support.git import git
from tests.support.waiting import wait_for

LONG_S = 60.0


@pytest.fixture
def turns(tmp_path) -> Turns:
    return Turns(tmp_path / "turns")


def test_each_piece_of_work_is_done_once_by_any_thread(turns):
    done: list[list[int]] = []
    batches = Batches[object](turns, lambda some: done.append(list(map(id, some))))
    works = [object() for _ in range(200)]

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(lambda work: batches.join(work, LONG_S), works))

    assert sorted(one for some in done for one in some) == sorted(map(id, works))
    assert max(map(len, done)) <= LIMIT


def test_what_waits_is_done_in_one_turn_and_in_its_order(turns):
    done: list[list[int]] = []
    batches = Batches[list[int]](turns, lambda some: done.append([work[0] for work in some]))
    with ThreadPoolExecutor(5) as pool, turns.turn(LONG_S):
        for number in range(5):
            pool.submit(batches.join, [number], LONG_S)
            wait_for(lambda n=number: len(batches._waiting) == n + 1, "it waits")

    assert done == [[0, 1, 2, 3, 4]]


def test_work_whose_turn_does_not_come_is_not_done(turns):
    done: list[str] = []
    batches = Batches[str](turns, done.extend)
    with ThreadPoolExecutor(2) as pool:
        with turns.turn(LONG_S):
            late = [pool.submit(batches.join, work, 0.2) for work in ("leads", "follows")]
            assert [one.result() for one in late] == [False, False]

        assert batches.join("next", LONG_S)

    assert done == ["next"]


def test_work_that_is_being_done_when_its_time_is_up_is_waited_for(turns):
    begun, go_on = threading.Event(), threading.Event()
    done: list[str] = []

    def do(some: list[str]) -> None:
        begun.set()
        go_on.wait(LONG_S)
        done.extend(some)

    batches = Batches[str](turns, do)
    with ThreadPoolExecutor(2) as pool:
        with turns.turn(LONG_S):
            leads = pool.submit(batches.join, "leads", LONG_S)
            wait_for(lambda: len(batches._waiting) == 1, "the first leads")
            follows = pool.submit(batches.join, "follows", 0.3)
            wait_for(lambda: len(batches._waiting) == 2, "the second waits")
        assert begun.wait(LONG_S)
        time.sleep(0.5)
        assert not follows.done()
        go_on.set()

        assert leads.result()
        assert follows.result()
    assert done == ["leads", "follows"]


# The store


Write = Callable[[], Catalogue]


@pytest.fixture
def branch(tmp_path) -> Branch:
    branch = Branch(tmp_path / "together.git")
    branch.commit(jobtype("Known"))
    return branch


@pytest.fixture
def store(branch) -> Store:
    return Store(branch.path)


def at_once(store: Store, writes: Sequence[Write]) -> list[Future[Catalogue]]:
    """What came of *writes*, which all came while somebody else wrote, in their order."""
    with ThreadPoolExecutor(len(writes)) as pool, store._turns.turn(LONG_S):
        futures = []
        for number, write in enumerate(writes, 1):
            futures.append(pool.submit(write))
            wait_for(lambda n=number: len(store._batches._waiting) == n, "it waits")
    return futures


def writing(store: Store, name: str, who: str, code: str | None = None) -> Write:
    """Creates jobtype *name* as *who*, who may write but to jobtypes whose name begins with T."""
    access = Access(who, f"{who}@studio.example", Role.WRITE, ("[!T]*",))
    source = code or f"class {name}:\n    made_by = {who!r}\n"
    wish = JobtypeWish(name, source, JobtypeMeta(classname=name))
    return lambda: store.write([create_jobtype(wish)], Writer(access))


def moves(branch: Branch) -> int:
    """How often the branch was moved, by its reflog."""
    return len((branch.path / "logs" / REF).read_text().splitlines())


def test_writes_that_wait_move_the_branch_once_and_each_has_a_commit_of_its_own(branch, store):
    before = moves(branch)
    events: list[str] = []
    store.note = events.append

    futures = at_once(store, [writing(store, f"Job{n}", f"td{n}") for n in range(5)])

    assert moves(branch) == before + 1
    assert events == ["commit"] * 5
    log = git(branch.path, "log", "--reverse", "--format=%H %an", "main").splitlines()[1:]
    assert [line.split()[1] for line in log] == [f"td{n}" for n in range(5)]
    # Each gets the branch as it was after its own write.
    made = [future.result() for future in futures]
    assert [catalogue.history.tip for catalogue in made] == [line.split()[0] for line in log]
    names = [sorted(j.name for j in catalogue.jobtypes()) for catalogue in made]
    assert names == [sorted([*(f"Job{m}" for m in range(n + 1)), "Known"]) for n in range(5)]
    fresh = Store(branch.path)
    assert fresh.build(made[-1].history.tip).history == store.catalogue().history
    assert git(branch.path, "fsck", "--strict", "--no-dangling") == ""


def test_a_write_that_is_refused_takes_nothing_from_those_that_wait_with_it(branch, store):
    writes = [
        writing(store, "First", "td"),
        writing(store, "Broken", "td", "class Broken(:\n"),
        writing(store, "First", "late"),
        writing(store, "Theirs", "td"),
        writing(store, "Last", "td"),
    ]

    first, broken, twice, forbidden, last = at_once(store, writes)

    assert {j.name for j in last.result().jobtypes()} == {"Known", "First", "Last"}
    assert first.result().find_jobtype("First")
    assert not first.result().find_jobtype("Last")
    for refused, why in ((broken, Invalid), (twice, Exists), (forbidden, Forbidden)):
        with pytest.raises(why):
            refused.result()
    # Nothing is left of what was refused.
    unreachable = git(branch.path, "fsck", "--strict", "--unreachable")
    assert unreachable == ""


def test_a_lost_race_has_all_who_waited_try_again(branch, store, monkeypatch):
    other = Store(branch.path)
    move = store.repository.move
    raced = []

    def late(*args: object) -> None:
        if not raced:
            raced.append(writing(other, "Rival", "rival")())
        move(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(store.repository, "move", late)
    monkeypatch.setattr(other, "_turns", Turns(branch.path / "elsewhere"))
    other._batches = Batches(other._turns, other._make)

    futures = at_once(store, [writing(store, name, "td") for name in ("A", "Rival", "B")])

    assert {j.name for j in futures[2].result().jobtypes()} == {"Known", "Rival", "A", "B"}
    with pytest.raises(Exists):
        futures[1].result()
    assert {j.name for j in Store(branch.path).catalogue().jobtypes()} == {
        *("Known", "Rival", "A", "B")
    }


def test_what_the_disk_refuses_to_one_it_does_not_refuse_to_the_others(branch, store, monkeypatch):
    """As where a large file finds no room, and small ones do."""
    write = store.repository._loose_objects.write

    def full(objects: Mapping[str, bytes]) -> set[str]:
        if any(b"class Large" in data for data in objects.values()):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(objects)

    monkeypatch.setattr(store.repository._loose_objects, "write", full)

    futures = at_once(store, [writing(store, name, "td") for name in ("A", "Large", "B")])

    with pytest.raises(StorageFull):
        futures[1].result()
    assert {j.name for j in store.catalogue().jobtypes()} == {"Known", "A", "B"}
    assert futures[0].result().find_jobtype("A")
    assert futures[2].result().find_jobtype("B")


def test_a_move_that_fails_is_raised_to_all_and_not_tried_again(branch, store, monkeypatch):
    """As where the ref was renamed, but its folder could not be flushed."""
    move = store.repository.move

    def fail(*args: object) -> None:
        move(*args)  # type: ignore[arg-type]
        raise StorageFailed("the folder can't be flushed")

    monkeypatch.setattr(store.repository, "move", fail)

    for future in at_once(store, [writing(store, name, "td") for name in ("A", "B")]):
        with pytest.raises(StorageFailed, match="flushed"):
            future.result()

    served = Store(branch.path).catalogue()
    assert {j.name: len(j.versions) for j in served.jobtypes()} == {"Known": 1, "A": 1, "B": 1}


def test_what_a_write_asks_of_its_own_thread_it_gets_whichever_makes_it(store):
    mine: ContextVar[str] = ContextVar("mine")
    seen: dict[str, str] = {}

    def write(name: str) -> Write:
        def look(catalogue: Catalogue) -> None:
            seen[name] = mine.get()

        def run() -> Catalogue:
            mine.set(name)
            wish = JobtypeWish(name, f"class {name}: pass\n", JobtypeMeta(classname=name))
            return store.write([create_jobtype(wish)], Writer(), before=look)

        return run

    futures = at_once(store, [write(f"Job{n}") for n in range(4)])

    assert all(future.result() for future in futures)
    assert seen == {f"Job{n}": f"Job{n}" for n in range(4)}


def test_writes_whose_turn_does_not_come_are_busy_and_write_nothing(branch, store):
    store.write_limit_s = 0.3
    with ThreadPoolExecutor(2) as pool, store._turns.turn(LONG_S):
        futures = [pool.submit(writing(store, name, "td")) for name in ("A", "B")]
        for future in futures:
            with pytest.raises(Busy):
                future.result()

    assert [j.name for j in store.catalogue().jobtypes()] == ["Known"]
