"""The index on disk: never believed further than it can be trusted."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gitstore.branch.store import Store
from gitstore.catalogue.history import History
from gitstore.catalogue.index import Index
from tests.support.branches import REF, Branch, jobtype
from tests.support.depth import examples


@pytest.fixture
def grown(branch) -> Branch:
    """A branch with jobtypes, software, a deletion, a rename and a withdrawal."""
    branch.commit({**jobtype("A"), **jobtype("B"), "software/blender.yaml": SOFTWARE})
    branch.commit({"jobtypes/A/code.py": "class Job:\n    x = 1\n"})
    branch.commit({path: None for path in jobtype("B")} | jobtype("C"), "B is now C\n")
    branch.commit({path: None for path in jobtype("C")})
    branch.commit({"withdrawn.yaml": "A: [1]\n"})
    return branch


SOFTWARE = "software: blender\nversions:\n  - version: '4.2'\n"


def written(branch: Branch) -> Index:
    """The index of *branch*, as it is at its tip."""
    Store(branch.path).served.rebuild_index()
    index = Index(branch.path, REF)
    assert index.read() == branch.history()
    return index


def test_what_is_read_is_what_was_written(grown):
    assert Store(grown.path).catalogue().history == grown.history()

    assert written(grown).read() == grown.history()


def test_an_index_is_gone_on_from_at_its_step(grown):
    written(grown)
    grown.commit({"jobtypes/A/code.py": "class Job:\n    x = 2\n"})
    steps: list[tuple[int, int]] = []

    catalogue = Store(grown.path).catalogue(lambda done, of: steps.append((done, of)))

    assert catalogue.history == grown.history()
    assert steps == [(1, 1)]


def test_the_first_read_of_a_long_history_writes_it_and_later_ones_leave_that(grown, monkeypatch):
    monkeypatch.setattr("gitstore.branch.reading.INDEX_STEPS", 2)
    store, index = Store(grown.path), Index(grown.path, REF)

    store.catalogue()
    first = index.read()
    grown.commit({"jobtypes/A/code.py": "class Job:\n    x = 2\n"})
    store.catalogue()
    store.served.keep_index()
    one_more = index.read()
    grown.commit({"jobtypes/A/code.py": "class Job:\n    x = 3\n"})
    store.catalogue()
    read = index.read()
    store.served.keep_index()

    assert first is not None
    assert first.counters.steps == 5
    assert one_more == read == first
    assert index.read() == grown.history()


RELEASE = version("jobtype-repository").encode()
DAMAGE: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
    "another release's": lambda path: path.write_bytes(
        path.read_bytes().replace(RELEASE, b"0.0.9", 1)
    ),
    "no JSON": lambda path: path.write_bytes(b"jobtypes-index %b 0\n{" % RELEASE),
    "not to be read": lambda path: (path.unlink(), path.symlink_to(path)),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_can_not_be_trusted_is_as_good_as_nothing(grown, damage):
    index = written(grown)

    damage(index.path)

    assert index.read() is None
    assert Store(grown.path).catalogue().history == grown.history()


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(15))
def test_cut_off_or_changed_in_any_byte_it_is_not_believed(grown, data):
    index = written(grown)
    whole = index.path.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    cut = data.draw(st.booleans())

    flipped = whole[at] ^ data.draw(st.integers(1, 255))
    index.path.write_bytes(whole[:at] if cut else whole[:at] + bytes([flipped]) + whole[at + 1 :])

    assert index.read() in (None, grown.history())


def test_the_index_of_another_history_is_not_gone_on_from(grown, tmp_path):
    written(grown)
    other = Branch(tmp_path / "other.git")
    other.commit(jobtype("Other"))
    written(other)

    shutil.copy(Index(other.path, REF).path, Index(grown.path, REF).path)

    assert Store(grown.path).catalogue().history == grown.history()


def test_a_branch_that_was_rewritten_is_read_again(grown):
    written(grown)
    first = grown.repository.commit(grown.tip).parents[0]
    grown.repository.move(REF, grown.tip, first, grown.repository.commit(first).author, "back")
    grown.tip = first

    assert Store(grown.path).catalogue().history == grown.history()


def test_a_folder_that_takes_no_file_is_no_reason_to_stop(grown):
    shutil.rmtree(grown.path / "jobtypes", ignore_errors=True)
    (grown.path / "jobtypes").write_text("no folder")

    assert Store(grown.path).served.rebuild_index().history == grown.history()


def _rebuild(path: Path, found: multiprocessing.Queue[History]) -> None:
    found.put(Store(path).served.rebuild_index().history.counters.steps)


@pytest.mark.farm
def test_processes_that_start_at_once_do_not_disturb_each_other(grown):
    context = multiprocessing.get_context("spawn")
    found = context.Queue()
    starting = [context.Process(target=_rebuild, args=(grown.path, found)) for _ in range(4)]
    for process in starting:
        process.start()
    for process in starting:
        process.join(120)

    assert [found.get(timeout=120) for _ in starting] == [5] * 4
    assert Index(grown.path, REF).read() == grown.history()
    assert not list((grown.path / "jobtypes").glob(".index-*"))
