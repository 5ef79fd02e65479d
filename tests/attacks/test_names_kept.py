"""Names that agents keep code under: one that was used comes back in no other spelling."""

from __future__ import annotations

import pytest

from gitstore.branch.access import Access, Role
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.branch.writing import Writer
from tests.support.branches import REF, Branch, Content, jobtype
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.rest import body


def put(client, name: str, key: str | None = None, classname: str = "Job"):
    return client.put(f"/api/v1/jobtypes/{key or name}", json=body(name, classname=classname))


def job(name: str, classname: str, extra: str = "") -> dict[str, Content]:
    """The files of a jobtype whose class is *classname*."""
    return {
        f"jobtypes/{name}/code.py": f"class {classname}:\n    pass\n{extra}",
        f"jobtypes/{name}/meta.yaml": f"classname: {classname}\n",
    }


def gone(*names: str) -> dict[str, Content]:
    return {f"jobtypes/{name}": None for name in names}


# Case


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Maya", "maya"),
        ("maya", "MAYA"),
        ("Stra\u00dfe", "STRASSE"),
        ("\u00c9t\u00e9", "\u00e9t\u00e9"),
    ],
)
def test_a_deleted_name_comes_back_over_rest_in_its_own_spelling_alone(client, old, new):
    assert put(client, old).status_code == 201
    assert client.delete(f"/api/v1/jobtypes/{old}").status_code == 204
    assert put(client, "Other").status_code == 201

    answers = [
        put(client, new),
        client.post("/api/v1/jobtypes/", json=body(new)),
        put(client, new, key="Other"),
    ]

    assert [answer.status_code for answer in answers] == [409, 409, 409]
    assert all("differs only in case" in answer.json["error"] for answer in answers)
    assert put(client, old).json["version"] == 2


def test_a_name_that_was_left_by_a_rename_is_used_too(client):
    put(client, "Maya")
    assert put(client, "Houdini", key="Maya").status_code == 201

    assert put(client, "MAYA").status_code == 409
    assert put(client, "HOUDINI", key="Houdini").status_code == 409


def test_a_rename_of_case_alone_is_refused_whatever_its_steps(empty, clone, server):
    td = clone(f"{server.url}/jobtypes.git")
    for name, content in job("Maya", "Job").items():
        td.write(name, str(content))
    assert td.push("origin", "HEAD:refs/heads/main").returncode == 0

    td.git("mv", "jobtypes/Maya", "jobtypes/Step")
    td.commit()
    td.git("mv", "jobtypes/Step", "jobtypes/maya")
    pushed = td.push()

    assert pushed.returncode == 1
    assert "differs only in case from Maya, which was used before" in " ".join(
        pushed.stderr.replace("remote:", "").split()
    )


def pair(branch: Branch) -> Branch:
    """A history that came past the service: maya came when Maya had gone."""
    branch.commit(job("Maya", "Job"))
    branch.commit(gone("Maya"))
    branch.commit(job("maya", "Job", "new = 1\n"))
    return branch


def test_a_history_that_has_both_keeps_them_with_a_warning(branch, clone):
    pair(branch)
    store = Store(branch.path)
    history = store.catalogue().history
    assert history.numbers == {"Maya": 1, "maya": 1}
    assert [v.number for v in history.jobtypes["maya"].versions] == [1]

    td = clone(branch.path)
    checked = jobtypes("check", "--all", str(td.path), "--repo", str(td.path))
    assert checked.returncode == 0, checked.stdout
    assert "differs only in case from Maya, which was used before" in checked.stdout

    new = branch.side(job("maya", "Job", "new = 2\n"))
    problems = store.check_push(store.growth(new)).problems
    assert [str(p.severity) for p in problems if p.rule.startswith("name")] == ["warning"]


def test_a_follower_serves_a_history_that_has_both(branch, tmp_path):
    pair(branch)
    copy = Store(Branch(tmp_path / "copy.git").path)

    assert Upstream(copy, str(branch.path)).fetch().refusal == ""

    assert copy.repository.tip(REF) == branch.tip
    assert copy.catalogue().newest("maya").version.number == 1


def test_a_merge_brings_no_other_spelling(branch, client, empty):
    branch.commit(job("Maya", "Job"))
    branch.commit(gone("Maya") | {"README.md": "x\n"})
    side = branch.side(job("maya", "Job"))
    git(branch.path, "push", "--quiet", str(empty), f"{branch.tip}:refs/heads/main")
    git(branch.path, "push", "--quiet", str(empty), f"{side}:refs/heads/back")

    merged = client.post("/api/v1/changes/back/merge", json={})

    assert merged.status_code == 409
    assert "differs only in case" in merged.json["error"]


# The agent's files


def rules(branch: Branch, changes: dict[str, Content]) -> list[tuple[str, str]]:
    """The agent's rules that a push of *changes* is warned by, and where."""
    store = Store(branch.path)
    push = store.check_push(store.growth(branch.side(changes)))
    return [(p.rule, p.path) for p in push.problems if p.rule.startswith("agent-")]


FILE = [("agent-cache-file", "jobtypes/Maya/meta.yaml")]
MODULE = [("agent-module", "jobtypes/Maya/meta.yaml")]


@pytest.mark.parametrize(
    ("before", "warned"),
    [
        (job("Maya_Batch", "Job"), FILE),
        (job("maya_batch", "JOB"), FILE),
        (job("Maya_Batch", "Other"), []),
        (job("MayaBatch", "Job"), []),
    ],
)
def test_a_file_that_a_deleted_jobtype_left_is_warned_of(branch, before, warned):
    branch.commit(before)
    branch.commit(gone("Maya_Batch", "maya_batch", "MayaBatch") | {"README.md": "x\n"})

    assert rules(branch, job("Maya", "Batch_Job")) == warned


def test_a_file_of_a_version_before_is_warned_of(branch):
    branch.commit(job("Maya_Batch", "Job"))
    branch.commit(job("Maya_Batch", "Task"))

    assert rules(branch, job("Maya", "Batch_Job")) == FILE

    branch.commit(job("Maya", "Batch_Job"))
    assert rules(branch, job("Maya", "Batch_Job", "more = 1\n")) == []


def test_a_file_under_a_name_that_was_left_is_warned_of(branch):
    branch.commit(job("Maya_Batch", "Job"))
    branch.commit(gone("Maya_Batch") | job("Renamed", "Job"))

    assert rules(branch, job("Maya", "Batch_Job")) == FILE
    assert rules(branch, job("Renamed", "Job", "more = 1\n")) == []


def test_a_module_of_a_deleted_jobtype_is_warned_of(branch):
    branch.commit(job("Maya2", "Job"))
    branch.commit(gone("Maya2") | {"README.md": "x\n"})

    assert rules(branch, job("Maya", "Job")) == MODULE
    assert rules(branch, job("Maya", "Other")) == []
    assert rules(branch, job("Maya2", "Job", "more = 1\n")) == []


def test_files_that_differ_only_in_case_are_the_same_among_neighbours(branch):
    branch.commit(job("maya_batch", "job"))

    assert rules(branch, job("Maya", "Batch_Job")) == FILE


# Names in withdrawn.yaml


def test_a_rename_with_its_list_is_taken_without_a_warning(branch):
    for n in range(3):
        branch.commit(jobtype("Maya", f"n = {n}\n"))
    branch.commit({"withdrawn.yaml": "Maya: [1, 9]\n"})
    store = Store(branch.path)
    tree = store.catalogue().history.jobtypes["Maya"].tree
    files = {
        path.replace("Maya", "Maia"): text for path, text in jobtype("Maya", "n = 2\n").items()
    }

    renamed = branch.side(gone("Maya") | files | {"withdrawn.yaml": "Maia: [1, 9]\n"})
    push = store.check_push(store.growth(renamed))

    assert push.problems == ()
    assert push.difference.renamed == (("Maya", "Maia"),)
    assert push.after.history.jobtypes["Maia"].tree == tree
    assert push.after.history.is_withdrawn("Maia", 1)
    assert store.check_against(renamed, store.catalogue()) == []


def test_a_change_that_renames_with_its_list_takes_no_admin_to_merge(branch):
    branch.commit(jobtype("Maya"))
    branch.commit(jobtype("Maya", "n = 1\n"))
    branch.commit({"withdrawn.yaml": "Maya: [1]\n"})
    files = {
        path.replace("Maya", "Maia"): text for path, text in jobtype("Maya", "n = 1\n").items()
    }
    side = branch.side(gone("Maya") | files | {"withdrawn.yaml": "Maia: [1]\n"})
    git(branch.path, "update-ref", "refs/heads/side", side)
    store = Store(branch.path)

    Reviews(store).merge("side", Writer(Access("td", "td@x.example", Role.WRITE)), False)

    history = store.catalogue().history
    assert history.numbers == {"Maya": 2, "Maia": 2}
    assert history.is_withdrawn("Maia", 1)


def test_a_list_is_held_against_the_numbers_of_its_own_step(branch):
    branch.commit(jobtype("Maya"))
    store = Store(branch.path)
    one = branch.side(jobtype("Maya", "n = 1\n"))
    two = branch.side({"withdrawn.yaml": "Maya: [2]\n"}, onto=one)
    three = branch.side({"withdrawn.yaml": "Maya: [2, 4]\n"}, onto=two)

    assert store.check_push(store.growth(two)).problems == ()
    found = store.check_push(store.growth(three)).problems
    assert [p.message for p in found] == ["Maya has no version 4; its newest is 2"]
