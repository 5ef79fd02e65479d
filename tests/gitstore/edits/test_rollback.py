"""Rolling back: the whole directory of an old version as a new one, in a real repository."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.edits.jobtypes import restore
from gitstore.edits.rollback import roll_back
from gitstore.errors import Exists, Forbidden, Invalid, NotFound
from gitstore.git.tree_edit import Graft
from gitstore.git.trees import Entry
from tests.support.branches import Branch, jobtype
from tests.support.git import git

ADA = Access("Ada", "ada@studio.example", Role.WRITE)
META = "requirements: [{software: maya, min_version: '1'}]\n"
MAYA = "versions: [{version: '1', rank: 1}, {version: '2', rank: 2}]\n"


def farm_at(branch: Branch) -> Store:
    """Maya 1 with more files and a requirement, Maya 2 without, Maya 3."""
    blob = branch.write_raw("blob", b"#!/bin/sh\n")
    files = {
        "jobtypes/Maya/tools/run.sh": Graft(Entry(0o100755, blob)),
        "jobtypes/Maya/README.md": "# Maya\n",
    }
    branch.commit({**jobtype("Maya", "    n = 1\n", META), **files, "software/maya.yaml": MAYA})
    branch.commit({**jobtype("Maya", "    n = 2\n"), **dict.fromkeys(files)})
    branch.commit(jobtype("Maya", "    n = 3\n"))
    return Store(branch.path)


@pytest.fixture
def store(branch) -> Store:
    return farm_at(branch)


def rolled(store: Store, number: int, name: str = "Maya", access: Access = ADA) -> int:
    """The number of the version that rolling back to version *number* makes."""
    done = store.write([roll_back(name, number)], Writer(access, "Renders black"))
    return done.after.newest(name).version.number


def numbers(store: Store) -> list[int]:
    catalogue = store.catalogue()
    return [v.number for v in catalogue.jobtype("Maya").versions]


def test_the_new_version_has_the_whole_directory_of_the_old_one(branch, store):
    assert rolled(store, 1) == 4

    trees = git(branch.path, "rev-parse", "main:jobtypes/Maya", "main~3:jobtypes/Maya").split()
    assert trees[0] == trees[1]
    assert "100755 blob" in git(branch.path, "ls-tree", "-r", "main", "jobtypes/Maya/tools")
    assert numbers(store) == [1, 2, 3, 4]
    assert git(branch.path, "log", "-1", "--format=%an <%ae>%n%B", "main").strip() == (
        "Ada <ada@studio.example>\n"
        "Maya: roll back to version 1, version 4\n\nRenders black\n\nJobtype-Version: 4 Maya"
    )
    assert git(branch.path, "fsck", "--strict") == ""


def test_every_clone_counts_the_same_versions(branch, store):
    rolled(store, 1)
    rolled(store, 2)

    served = store.catalogue().history
    assert served.jobtypes == store.served.build(served.tip).history.jobtypes
    assert numbers(store) == [1, 2, 3, 4, 5]


def test_a_rollback_to_what_the_newest_has_already_makes_a_version(store):
    assert rolled(store, 2) == 4

    assert rolled(store, 2) == 5

    assert numbers(store) == [1, 2, 3, 4, 5]


def test_a_number_that_was_withdrawn_is_not_given_again(branch, store):
    branch.tip = store.repository.tip(store.ref)
    branch.commit({"withdrawn.yaml": "Maya: [4]\n"})

    assert rolled(store, 1) == 5


def test_versions_from_before_a_rename_come_back_under_the_new_name(branch, store):
    tree = branch.repository.entries(branch.repository.commit(branch.tip).tree)["jobtypes"]
    old = branch.repository.entries(tree.id)["Maya"]
    branch.commit({"jobtypes/Maya": None, "jobtypes/Render": Graft(old)})

    assert rolled(store, 1, "Render") == 4
    with pytest.raises(NotFound, match="it was renamed to Render"):
        rolled(store, 1, "Maya")


@pytest.mark.parametrize(
    ("number", "error", "sentence"),
    [
        (9, NotFound, "Maya has no version 9"),
        (3, Exists, "version 3 is the newest of Maya already; name an older one"),
        (2, NotFound, "2 of Maya was withdrawn: It leaks; restore it first, or name another"),
    ],
)
def test_a_version_that_can_not_be_gone_back_to(branch, store, number, error, sentence):
    branch.commit({"withdrawn.yaml": "Maya: [2]\n"}, "It leaks\n")
    before = store.repository.tip(store.ref)

    with pytest.raises(error, match=sentence):
        rolled(store, number)

    assert store.repository.tip(store.ref) == before


def test_the_newest_that_is_left_is_the_newest(branch, store):
    branch.commit({"withdrawn.yaml": "Maya: [3]\n", **jobtype("Maya", "    n = 2\n")})

    with pytest.raises(Exists, match="version 2 is the newest of Maya already"):
        rolled(store, 2)
    assert rolled(store, 1) == 4


def test_a_broken_version_does_not_come_back(branch, store):
    branch.commit({"jobtypes/Maya/code.py": None})
    branch.commit(jobtype("Maya", "    n = 5\n"))

    with pytest.raises(NotFound, match=r"4 of Maya is broken: .*code.py.*; name another version"):
        rolled(store, 4)
    branch.commit({"withdrawn.yaml": "Maya: [4]\n"})
    with pytest.raises(NotFound, match="can't come back: it is broken"):
        store.write([restore("Maya", 4)], Writer(ADA))


def test_the_newest_in_service_comes_back_over_a_newer_one_that_is_broken(branch, store):
    branch.commit({"jobtypes/Maya/code.py": None})
    assert store.catalogue().newest("Maya").version.number == 3

    assert rolled(store, 3) == 5

    trees = git(branch.path, "rev-parse", "main:jobtypes/Maya", "main~2:jobtypes/Maya").split()
    assert trees[0] == trees[1]


@pytest.mark.parametrize(
    ("software", "problem"),
    [
        (None, "jobtypes/Maya/meta.yaml:2: error: the software maya is not in the catalogue"),
        (
            "versions: [{version: '2', rank: 2}]\n",
            "jobtypes/Maya/meta.yaml:2: error: maya has no version 1 in the catalogue",
        ),
    ],
)
def test_what_a_version_requires_has_to_be_there(branch, store, software, problem):
    branch.commit({"software/maya.yaml": software})

    with pytest.raises(Invalid) as caught:
        rolled(store, 1)

    assert [str(p).partition(";")[0] for p in caught.value.problems] == [problem]
    assert numbers(store) == [1, 2, 3]


def test_what_the_validator_refuses_today_is_named_by_file_and_line(branch, store):
    branch.commit(jobtype("Maya", "print 'Python 2'\n"))
    branch.commit(jobtype("Maya", "    n = 5\n"))

    with pytest.raises(Invalid, match=r"^jobtypes/Maya/code.py:3: error: "):
        rolled(store, 4)


def test_a_limited_token_rolls_back_its_own_jobtypes_alone(store):
    nuke = Access("nuke", "nuke@studio.example", Role.WRITE, ("Nuke*",))

    with pytest.raises(Forbidden, match=r"nuke may only change Nuke\*; this changes Maya"):
        rolled(store, 1, access=nuke)

    assert rolled(store, 1, access=Access("m", "m@x", Role.WRITE, ("Ma*",))) == 4


def test_rollbacks_that_race_all_get_a_version_of_their_own(branch, store):
    def roll(n: int) -> int:
        return rolled(Store(branch.path), 1 + n % 2)

    with ThreadPoolExecutor(4) as pool:
        made = sorted(pool.map(roll, range(8)))

    assert len(set(made)) == len(made)
    assert numbers(store) == list(range(1, 12))
    for version in store.catalogue().jobtype("Maya").versions[3:]:
        subject, *_ = git(branch.path, "log", "-1", "--format=%s", version.commit).splitlines()
        target = int(subject.split("version ")[1].split(",")[0])
        assert version.tree == store.catalogue().jobtype("Maya").find_version(target).tree
        assert subject == f"Maya: roll back to version {target}, version {version.number}"
