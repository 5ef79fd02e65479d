"""Events: applied in order, they give the catalogue; a cursor misses and repeats nothing."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import pytest

from gitstore.branch.events import BEGINNING, Told
from gitstore.branch.store import Store
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.events import Kind
from gitstore.errors import Gone
from tests.support.branches import Branch, jobtype
from tests.support.depth import DEPTH
from tests.support.histories import Life


class Replay:
    """A catalogue as a reader of events has it."""

    def __init__(self) -> None:
        self.jobtypes: dict[str, tuple[int, dict[int, str]]] = {}
        self.software: dict[str, tuple[int, list[tuple[str, int | None]]]] = {}

    def take(self, told: Told) -> None:
        event = told.event
        name, number = event.name, event.number or 0
        if event.kind is Kind.SOFTWARE:
            if told.renamed_to:
                self.software[told.renamed_to] = self.software.pop(name)
            elif told.versions is None:
                del self.software[name]
            else:
                rows = [(row.version, row.id) for row in told.versions]
                self.software[name] = (event.id, rows)
        elif event.kind is Kind.RENAMED:
            assert told.renamed_to
            self.jobtypes[told.renamed_to] = self.jobtypes.pop(name)
        elif event.kind is Kind.DELETED:
            del self.jobtypes[name]
        elif event.kind is Kind.VERSION:
            id, versions = self.jobtypes.setdefault(name, (event.id, {}))
            assert id == event.id
            assert number not in versions
            versions[number] = "broken" if told.is_broken else "in service"
        else:
            versions = self.jobtypes[name][1]
            was = event.kind is Kind.RESTORED
            assert versions[number].endswith("withdrawn") is was
            text = versions[number].removesuffix(", withdrawn")
            versions[number] = text if was else f"{text}, withdrawn"

    def says(self) -> dict[str, object]:
        return {"jobtypes": self.jobtypes, "software": self.software}


def says(catalogue: Catalogue) -> dict[str, object]:
    """What *catalogue* says, in the form of a replay."""

    def state(name: str, number: int, tree: str) -> str:
        is_broken = catalogue.contents.directory(tree).faults
        tail = ", withdrawn" if catalogue.history.is_withdrawn(name, number) else ""
        return ("broken" if is_broken else "in service") + tail

    return {
        "jobtypes": {
            j.name: (j.id, {v.number: state(j.name, v.number, v.tree) for v in j.versions})
            for j in catalogue.jobtypes()
        },
        "software": {
            s.name: (
                s.id,
                [
                    (v.version, s.version_id(v.version))
                    for v in catalogue.software_file(s).by_rank()
                ],
            )
            for s in catalogue.software()
        },
    }


def follow(store: Store, since: str, limit: int) -> Iterator[Told]:
    """Yield all events after *since*, page by page."""
    while True:
        _, news = store.news(since, limit)
        assert news.is_last or news.next != since
        yield from news.events
        since = news.next
        if news.is_last:
            return


@pytest.mark.parametrize("seed", range(3 * DEPTH))
def test_all_events_of_a_random_history_give_the_catalogue(tmp_path, seed):
    life, random = Life(tmp_path / "life.git", seed), Random(seed)
    replay, cursor = Replay(), BEGINNING
    store = Store(life.branch.path)
    seen: list[Told] = []
    for _ in range(60):
        life.step()
        if random.random() < 0.2:
            new = list(follow(store, cursor, random.randint(1, 5)))
            seen += new
            for told in new:
                replay.take(told)
            cursor = store.catalogue().history.tip or cursor
            assert replay.says() == says(store.catalogue())
    seen += follow(store, cursor, 2)

    # Other sizes of pages, and another process, give the same events.
    for other, limit in ((store, 1), (Store(life.branch.path), 7), (store, 1000)):
        assert list(follow(other, BEGINNING, limit)) == seen


@pytest.fixture
def told(branch) -> Store:
    """A branch on which everything happens once."""
    branch.commit({**jobtype("A"), "software/maya.yaml": "versions:\n- version: '1'\n  rank: 1\n"})
    branch.commit({"README": "nothing served\n"})
    branch.commit({"jobtypes/A/meta.yaml": "max_batch: none\n"}, "A: broken\n")
    branch.commit({"withdrawn.yaml": "A: [1, 3]\n"}, "Slow\n")
    branch.commit({"jobtypes/A/code.py": "class Job: pass\n"}, "A: born withdrawn\n")
    branch.commit({"withdrawn.yaml": "A: [3]\n"}, "Fast again\n")
    code = {"jobtypes/A/code.py": None, "jobtypes/A/meta.yaml": None}
    new = {"jobtypes/B/code.py": "class Job: pass\n", "jobtypes/B/meta.yaml": "max_batch: none\n"}
    branch.commit({**code, **new, "withdrawn.yaml": "B: [3]\n"}, "B\n")
    branch.commit({"jobtypes/B/code.py": None, "jobtypes/B/meta.yaml": None}, "gone\n")
    branch.commit({"software/maya.yaml": None}, "gone\n")
    return Store(branch.path)


def lines(events: Iterator[Told]) -> list[tuple[object, ...]]:
    return [
        (t.event.kind.value, t.event.name, t.event.number, t.reason or t.renamed_to) for t in events
    ]


def test_each_thing_that_happens_is_an_event(told):
    assert lines(follow(told, BEGINNING, 2)) == [
        ("version", "A", 1, None),
        ("software", "maya", None, None),
        ("version", "A", 2, None),
        ("withdrawn", "A", 1, "Slow"),
        ("version", "A", 3, None),
        ("withdrawn", "A", 3, "A: born withdrawn"),
        ("restored", "A", 1, None),
        ("renamed", "A", None, "B"),
        ("deleted", "B", None, None),
        ("software", "maya", None, None),
    ]


def test_a_rename_that_leaves_the_list_behind_restores(branch):
    branch.commit(jobtype("A"))
    branch.commit({"withdrawn.yaml": "A: [1]\n"})
    branch.commit({path: None for path in jobtype("A")} | jobtype("B"))
    store = Store(branch.path)
    tip = branch.repository.commit(branch.tip)

    events = lines(follow(store, tip.parents[0], 9))

    assert events == [("renamed", "A", None, "B"), ("restored", "B", 1, None)]


def test_a_version_that_comes_as_its_number_leaves_the_list_was_never_withdrawn(branch):
    branch.commit(jobtype("A"))
    branch.commit({"withdrawn.yaml": "A: [2]\n"})
    branch.commit({"jobtypes/A/code.py": "class Job: x = 1\n", "withdrawn.yaml": None})

    events = lines(follow(Store(branch.path), BEGINNING, 9))

    assert events == [("version", "A", 1, None), ("version", "A", 2, None)]


def test_a_step_is_never_split_and_the_limit_counts_steps(branch):
    branch.commit({**jobtype("A"), **jobtype("B"), **jobtype("C")})
    branch.commit({"README": "x"})
    branch.commit({"jobtypes/A/code.py": "class Job: pass\n"})
    store = Store(branch.path)

    _, first = store.news(BEGINNING, 1)
    _, second = store.news(first.next, 1)

    assert [t.event.name for t in first.events] == ["A", "B", "C"]
    assert [t.event.name for t in second.events] == ["A"]
    assert (first.is_last, second.is_last, second.next) == (False, True, branch.tip)


def test_without_a_cursor_there_are_no_events_and_the_tip_is_next(told, store):
    tip = told.catalogue().history.tip
    for since in (None, tip):
        _, news = told.news(since, 9)
        assert (news.events, news.next, news.is_last) == ((), tip, True)
    assert store.news(None, 9)[1].next == BEGINNING
    assert store.news(BEGINNING, 9)[1].events == ()


def test_an_unknown_cursor_is_gone_and_the_error_has_the_newest(told, branch):
    side = branch.side({"README": "y"})
    blob = branch.repository.entries(branch.repository.commit(branch.tip).tree)["README"].id
    for since in (side, blob, "1" * 40):
        with pytest.raises(Gone) as error:
            told.news(since, 9)
        assert error.value.next == branch.tip
        assert since in str(error.value)


def test_a_branch_that_was_rewritten_knows_its_own_commits_only(branch: Branch):
    first = branch.commit(jobtype("A"))
    store = Store(branch.path)
    old = branch.commit({"jobtypes/A/code.py": "class Job: x = 1\n"})
    assert len(store.news(BEGINNING, 9)[1].events) == 2
    new = branch.side({"jobtypes/A/code.py": "class Job: x = 2\n"}, onto=first)
    branch.move(new)

    assert len(store.news(first, 9)[1].events) == 1
    with pytest.raises(Gone):
        store.news(old, 9)
