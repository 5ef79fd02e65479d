"""Writing: all or nothing, on the newest tip, never twice."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.catalogue.catalogue import Catalogue
from gitstore.catalogue.history import History
from gitstore.edits.edit import Edit, Edited
from gitstore.edits.jobtypes import delete_jobtype, remove_requirement, withdraw
from gitstore.errors import Busy, Forbidden, Invalid, Moved, NotFound, StorageFailed
from tests.support.branches import REF, TD, Branch, jobtype
from tests.support.git import git

ALICE = Access("alice", "alice@studio.example", Role.WRITE)


def change(name: str, code: str = "class Job:\n    pass\n") -> Edit:
    """A change that writes a jobtype's two files."""
    files = {f"jobtypes/{name}/code.py": code, f"jobtypes/{name}/meta.yaml": "classname: Job\n"}
    return lambda catalogue: Edited({p: t.encode() for p, t in files.items()}, f"{name}: test")


def objects(repo: Path) -> str:
    return git(repo, "cat-file", "--batch-all-objects", "--batch-check", "--unordered")


def state(repo: Path) -> tuple[str, list[Path]]:
    """What refs there are, and files that a write might leave; our own locks stay."""
    locks = [path for path in repo.rglob("*.lock") if path.parent.name != "jobtypes"]
    return git(repo, "for-each-ref"), [*locks, *repo.rglob("tmp_*")]


def test_a_write_is_a_commit_by_the_service_with_the_writer_as_author(store):
    store.write([change("A")], Writer(ALICE, "A: by hand"))

    said = git(store.repository.git_dir, "log", "-1", "--format=%an %ae|%cn|%s", "main").strip()
    assert said == "alice alice@studio.example|Jobtype repository|A: by hand"
    moved = git(store.repository.git_dir, "log", "-1", "-g", "--format=%gn|%gs", "main").strip()
    assert moved == "alice|rest"


def test_several_changes_are_as_many_commits_and_one_move(store):
    store.write([change("A")], Writer())

    after = store.write([change("B"), change("C")], Writer()).after

    repo = store.repository.git_dir
    assert git(repo, "rev-list", "--count", "main").strip() == "3"
    assert len(git(repo, "reflog", "show", "main").splitlines()) == 2
    assert sorted(after.history.jobtypes) == ["A", "B", "C"]
    assert after.history == Store(repo).catalogue().history


def test_a_change_that_changes_nothing_is_no_commit(store):
    first = store.write([change("A")], Writer()).after

    assert store.write([change("A")], Writer()).after is first
    assert store.write([lambda catalogue: None], Writer()).after is first


def test_an_edit_adds_no_defaults_to_a_meta_that_left_them_out(branch):
    software = {"software/nuke.yaml": "versions: []\n"}
    branch.commit(jobtype("A", meta="requirements:\n  # slate\n  - software: nuke\n") | software)
    store = Store(branch.path)

    after = store.write([remove_requirement("A", "nuke")], Writer()).after

    blob = after.newest("A").directory.meta_blob
    assert store.repository.read_blob(blob) == b"classname: Job\nrequirements: []\n"


def test_a_change_that_is_refused_leaves_no_trace(store):
    store.write([change("A")], Writer())
    before = state(store.repository.git_dir)

    with pytest.raises(Invalid) as caught:
        store.write([change("B"), change("A", "class Job:\n    def\n")], Writer())

    assert [problem.path for problem in caught.value.problems] == ["jobtypes/A/code.py"]
    assert state(store.repository.git_dir) == before
    assert list(store.catalogue().history.jobtypes) == ["A"]


def test_what_before_raises_comes_out_and_nothing_is_written(store):
    before = state(store.repository.git_dir)

    def refuse(catalogue: Catalogue) -> None:
        raise Forbidden("no")

    with pytest.raises(Forbidden, match="no"):
        store.write([change("A")], Writer(), refuse)
    assert state(store.repository.git_dir) == before


def test_a_writer_who_lost_the_race_goes_on_from_the_new_tip(store):
    other = Store(store.repository.path)
    tries: list[int] = []

    def slow(catalogue: Catalogue) -> Edited | None:
        if not tries:
            other.write([change("Other")], Writer())
        tries.append(len(catalogue.history.jobtypes))
        return change("Mine")(catalogue)

    after = store.write([slow], Writer()).after

    assert tries == [0, 1]
    assert sorted(after.history.jobtypes) == ["Mine", "Other"]


def test_a_writer_who_loses_for_too_long_gets_an_error(store):
    other = Store(store.repository.path)
    store.writing.limit_s = 0
    count = iter(range(100))

    def beaten(catalogue: Catalogue) -> Edited | None:
        other.write([change(f"Other{next(count)}")], Writer())
        return change("Mine")(catalogue)

    with pytest.raises(Busy, match="other writers"):
        store.write([beaten], Writer())
    assert "Mine" not in store.catalogue().history.jobtypes


def test_a_ref_moves_from_where_it_is_said_to_be_or_not_at_all(branch):
    first = branch.commit(jobtype("A"))
    second = branch.commit(jobtype("B"))
    repository = branch.repository

    for old in (None, first, "1" * 40):
        with pytest.raises(Moved):
            repository.move(REF, old, first, TD, "test")
    assert repository.tip(REF) == second
    with pytest.raises(Moved):
        repository.delete_ref(REF, first)


def test_of_many_moves_from_one_commit_one_is_made(branch):
    first = branch.commit(jobtype("A"))
    sides = [branch.side(jobtype(f"B{n}")) for n in range(8)]
    barrier = threading.Barrier(len(sides))
    made: list[str] = []

    def move(side: str) -> None:
        barrier.wait()
        try:
            branch.repository.move(REF, first, side, TD, "test")
            made.append(side)
        except Moved:
            pass

    threads = [threading.Thread(target=move, args=(side,)) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert made == [branch.repository.tip(REF)]


def test_a_ref_can_not_move_to_what_is_not_there(branch):
    first = branch.commit(jobtype("A"))

    with pytest.raises((StorageFailed, Moved)):
        branch.repository.move(REF, first, "1" * 40, TD, "test")
    assert branch.repository.tip(REF) == first


def test_a_protected_branch_moves_for_admins_alone(empty):
    store = Store(empty, protect=True)

    with pytest.raises(Forbidden, match="push a branch"):
        store.write([change("A")], Writer(ALICE))
    store.write([change("A")], Writer(Access("root", "root@studio.example", Role.ADMIN)))
    assert list(store.catalogue().history.jobtypes) == ["A"]


@pytest.mark.parametrize("wish", [delete_jobtype("None"), withdraw("None", 1), withdraw("A", 7)])
def test_taking_away_what_is_not_there_is_no_commit(store, wish):
    first = store.write([change("A")], Writer()).after

    assert store.write([wish], Writer()).after is first


def test_an_older_catalogue_does_not_change(store):
    first = store.write([change("A")], Writer()).after
    kept = first.jobtypes()

    store.write([change("B")], Writer())
    store.write([delete_jobtype("A")], Writer())

    assert first.jobtypes() == kept
    assert [j.name for j in store.catalogue().jobtypes()] == ["B"]
    with pytest.raises(AttributeError):
        first.history = History()  # type: ignore[misc]
    with pytest.raises(TypeError):
        first.history.jobtypes["A"] = kept[0]  # type: ignore[index]


def test_what_another_process_wrote_is_there_at_once(store):
    store.write([change("A")], Writer())

    Store(store.repository.path).write([change("B")], Writer())

    assert [j.name for j in store.catalogue().jobtypes()] == ["A", "B"]


def test_the_catalogue_at_a_commit_is_what_was_said_then(branch):
    first = branch.commit(jobtype("A"))
    branch.commit(jobtype("B"))
    side = branch.side(jobtype("C"))
    store = Store(branch.path)

    assert list(store.at(first).history.jobtypes) == ["A"]
    assert list(store.at(side).history.jobtypes) == ["A", "B", "C"]
    assert list(store.at(None).history.jobtypes) == []


def test_what_is_no_version_is_not_compared(branch):
    branch.commit(jobtype("A"))
    store = Store(branch.path)

    with pytest.raises(NotFound, match="no version 2"):
        store.diff("A", 1, 2)


TIDY = """
import collections, pathlib, sys, time
removed = collections.Counter()
while True:
    time.sleep(0.0002)
    for folder in pathlib.Path(sys.argv[1]).glob("??"):
        if removed[folder] == 3:
            continue
        try:
            folder.rmdir()
        except OSError:
            continue  # most are not empty
        removed[folder] += 1
"""


def test_an_object_that_is_tidied_away_as_it_is_written_is_written_again(tmp_path):
    """Another process removes each empty folder three times, where Git does so once a run."""
    branch = Branch(tmp_path / "branch.git")
    tidying = subprocess.Popen([sys.executable, "-c", TIDY, str(branch.path / "objects")])
    try:
        for n in range(150):
            branch.commit(jobtype("A", f"# {n}\n"))
    finally:
        tidying.kill()
        tidying.wait()

    assert len(branch.history().jobtypes["A"].versions) == 150
    git(branch.path, "fsck", "--strict", "--no-dangling")


def test_a_first_commit_that_comes_while_the_branch_is_read_is_no_loss(branch, monkeypatch):
    reader = Store(branch.path)
    tip = reader.repository.tip
    asked = []

    def tip_before_the_commit(ref: str) -> str | None:
        found = tip(ref)
        asked.append(found)
        if len(asked) == 2:
            branch.commit(jobtype("Job"))
        return found

    monkeypatch.setattr(reader.repository, "tip", tip_before_the_commit)

    assert [job.name for job in reader.catalogue().jobtypes()] == ["Job"]
    assert asked[:2] == [None, None]
