"""The commands withdraw, restore and rollback."""

from __future__ import annotations

import pytest

from gitstore.branch.store import Store
from tests.support.branches import Branch, jobtype
from tests.support.commands import Done, jobtypes
from tests.support.git import git

MAYA = "versions: [{version: '1', rank: 1}]\n"
META = "requirements:\n  - software: maya\n    min_version: '1'\n"


@pytest.fixture
def farm(branch) -> Branch:
    """Three versions of Maya. The first needs a software that left the catalogue."""
    branch.commit({**jobtype("Maya", meta=META), "software/maya.yaml": MAYA})
    branch.commit({**jobtype("Maya", "    n = 2\n"), "software/maya.yaml": None})
    branch.commit(jobtype("Maya", "    n = 3\n"))
    return branch


def run(farm: Branch, *args: object, status: int = 0) -> Done:
    done = jobtypes(*args, "--repo", farm.path)
    assert done.returncode == status, done.stderr
    return done


def last(farm: Branch) -> str:
    return git(farm.path, "log", "-1", "--format=%an <%ae> %s | %b", "main").strip()


def service_has(farm: Branch) -> list[int]:
    catalogue = Store(farm.path).catalogue()
    return [v.number for v in catalogue.versions(catalogue.jobtype("Maya"))]


def test_a_rollback_names_the_person_and_the_reason(farm):
    done = run(farm, "rollback", "Maya", "2", "--reason", "Renders black")

    assert done.stdout == "Maya: version 4 (was 3)\n"
    assert last(farm) == (
        "Test TD <td@studio.example> Maya: roll back to version 2, version 4 |"
        " Renders black\n\nJobtype-Version: 4 Maya"
    )
    tables = run(farm, "log", "Maya").stdout
    assert "Test TD" in tables
    assert "Maya: roll back to version 2, version 4" in tables
    done = run(farm, "rollback", "Maya@v3", "--reason", "It was the disk")
    assert done.stdout == "Maya: version 5 (was 4)\n"


def test_a_version_is_withdrawn_and_restored(farm):
    withdraw = ("withdraw", "Maya", "v3", "--reason", "Renders black")
    assert run(farm, *withdraw).stdout == "Maya: version 3 withdrawn\n"
    assert last(farm).startswith("Test TD <td@studio.example> Renders black |")
    assert run(farm, *withdraw).stdout == "Maya: version 3 is withdrawn already\n"
    assert "withdrawn: Renders black" in run(farm, "log", "Maya").stdout
    assert service_has(farm) == [1, 2]

    assert run(farm, "restore", "Maya", "3").stdout == "Maya: version 3 back in service\n"
    assert last(farm).startswith("Test TD <td@studio.example> Maya: restore version 3 |")
    assert run(farm, "restore", "Maya", "3").stdout == "Maya: version 3 is in service already\n"
    assert service_has(farm) == [1, 2, 3]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("rollback", "Maya", "3"), "version 3 is the newest of Maya already"),
        (("rollback", "Maya", "9"), "Maya has no version 9"),
        (("withdraw", "Maya", "9"), "Maya has no version 9"),
        (("restore", "Maya", "9"), "Maya has no version 9"),
        (("rollback", "maya", "2"), "did you mean Maya?"),
        (("rollback", "Maya", "two"), "two is no version number; write it as 3 or v3"),
        (("rollback", "Maya", "2", "--reason", " "), "the reason is empty"),
        (("rollback", "Maya", "2", "--reason", "a\nb"), "holds a control character"),
        (("rollback", "Maya", "1"), "Maya/meta.yaml:3: error: the software maya is not in"),
    ],
)
def test_what_is_refused_with_a_sentence(farm, args, sentence):
    before = git(farm.path, "for-each-ref")
    reason = () if "--reason" in args else ("--reason", "Renders black")

    done = run(farm, *args, *reason, status=1)

    assert sentence in done.stderr
    assert done.stdout == ""
    assert git(farm.path, "for-each-ref") == before


@pytest.mark.parametrize("args", [("Maya",), ("Maya", "1", "2"), ("Maya@1", "2")])
def test_one_version_is_named(farm, args):
    done = run(farm, "rollback", *args, "--reason", "Renders black", status=2)

    assert "name one version of Maya" in done.stderr


def test_a_rollback_and_a_withdrawal_need_a_reason(farm):
    for command in ("rollback", "withdraw"):
        assert "--reason" in run(farm, command, "Maya", "2", status=2).stderr


def test_a_person_that_git_does_not_know_is_asked_for_a_name(farm, monkeypatch):
    for name in ("NAME", "EMAIL"):
        monkeypatch.delenv(f"GIT_AUTHOR_{name}")
    args = ("rollback", "Maya", "2", "--reason", "Renders black")

    assert 'git config --global user.name "Your Name"' in run(farm, *args, status=1).stderr

    git(farm.path, "config", "user.name", "Ünï <TD>")
    git(farm.path, "config", "user.email", "uni@studio.example")
    run(farm, *args)
    assert last(farm).startswith("Ünï TD <uni@studio.example> Maya: roll back to version 2")


def test_a_clone_and_a_copy_are_left_alone(farm, clone):
    worktree = clone(farm.path)
    args = ("rollback", "Maya", "2", "--reason", "Renders black")

    done = jobtypes(*args, "--repo", worktree.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "is a clone, and the farm gets what its service has" in done.stderr
    note = farm.path / "jobtypes" / "upstream.json"
    note.parent.mkdir(exist_ok=True)
    note.write_text("{}")
    assert "follows an upstream; write there" in run(farm, *args, status=1).stderr
