"""A command prints the same of a repository and of the service that serves it."""

from __future__ import annotations

import json

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream, open_follower
from tests.support.asked import CHANGE, NAME
from tests.support.branches import TD, Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.plain_browser import listening

READING = {
    "list": ["list"],
    "log": ["log", NAME],
    "log of one version": ["log", f"{NAME}@2"],
    "log of what is deleted": ["log", "Gone"],
    "log by id": ["log", "3"],
    "show": ["show", NAME],
    "show of one version": ["show", f"{NAME}@2"],
    "diff": ["diff", NAME, "1..4"],
    "diff of a broken version": ["diff", NAME, "2", "3"],
    "whose of a log": [
        "whose",
        f"\x1b[31m\0 \udcff \u202e \uffff\n\x1b[0m\x01\udcff ({NAME}_Job_v4.py:2)\x9b \ue000\t\r\n",
    ],
    "whose": ["whose", f"{NAME}_Job_v2.py:2 {NAME}_Job_v4.py:2 {NAME}_Job_v4.py:9"],
    "changes list": ["changes", "list"],
    "changes show": ["changes", "show", CHANGE],
}

REFUSED = {
    "log": ["log", "Ünï code +2"],
    "log of no version": ["log", f"{NAME}@9"],
    "show": ["show", "Unknown"],
    "show of what is withdrawn": ["show", f"{NAME}@1"],
    "show of what is broken": ["show", f"{NAME}@3"],
    "show of no version": ["show", "Old"],
    "diff": ["diff", NAME, "1..9"],
    "changes show": ["changes", "show", "fix/tiles"],
}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("command", READING.values(), ids=READING)
def test_a_service_and_its_repository_give_the_same_output(farm, command, form):
    words = [*command, "--format", form]

    here = jobtypes(*words, "--repo", farm.server.repo)
    there = jobtypes(*words, "--url", farm.url)

    assert (there.returncode, there.stderr) == (0, "")
    # Commands that are named for the next step ask where this one did.
    assert there.stdout.replace(f"--url {farm.url}", f"--repo {farm.server.repo}") == here.stdout
    assert len(there.stdout) > 10
    assert form == "text" or json.loads(there.stdout)


@pytest.mark.parametrize("command", REFUSED.values(), ids=REFUSED)
def test_a_refusal_is_the_same_sentence(farm, command):
    here = jobtypes(*command, "--repo", farm.server.repo)
    there = jobtypes(*command, "--url", farm.url)

    assert (there.returncode, there.stdout) == (1, "")
    assert there.stderr == here.stderr
    assert len(there.stderr.splitlines()) == 1


def test_json_has_the_objects_of_the_api(farm):
    def asked(*command):
        return json.loads(jobtypes(*command, "--format", "json", "--url", farm.url).stdout)

    def rest(path):
        return json.loads(farm.server.get(f"/api/v1/{path}").body)

    name, branch = "%C3%9Cn%C3%AF%20code%20%2B1", "fix/t%C3%AFles%231"
    assert asked("log", NAME) == rest(f"jobtypes/{name}/history")
    assert asked("show", NAME) == rest(f"jobtypes/{name}")
    assert asked("diff", NAME, "1..2") == rest(f"jobtypes/{name}/diff/1..2")
    assert asked("changes", "list") == rest("changes/")
    change = asked("changes", "show", CHANGE)
    assert change.pop("comments") == rest(f"changes/{branch}/comments")
    assert change.pop("approvals") == rest(f"changes/{branch}/approvals")
    assert change == rest(f"changes/{branch}")
    (row,) = (row for row in asked("list") if row["name"] == NAME)
    assert row == {
        "id": 3,
        "name": NAME,
        "version": 4,
        "classname": "Job",
        "description": None,
    }


def test_a_long_history_comes_in_parts(farm, monkeypatch):
    from api.client import remote

    whole = jobtypes("log", NAME, "--url", farm.url).stdout
    monkeypatch.setattr(remote, "PAGE", 1)

    assert jobtypes("log", NAME, "--url", farm.url).stdout == whole
    assert len(whole.splitlines()) == 5


def test_a_change_at_a_service_that_follows_has_no_talk(tmp_path):
    origin = Branch(tmp_path / "origin.git")
    origin.commit(jobtype("A"))
    copy = tmp_path / "copy.git"
    store = Store(open_follower(copy, str(origin.path), "main"))
    Upstream(store, str(origin.path)).fetch()
    side = store.repository.write_tree(
        store.catalogue().history.tree, {"jobtypes/A/code.py": b"class Job:\n    x = 1\n"}
    )
    change = store.repository.write_commit(side, (origin.tip,), "A change\n", TD, TD)
    store.repository.move("refs/heads/topic", None, change, TD, "push")
    words = ("changes", "show", "topic", "--format", "json")

    with listening(create_app(Config(copy, "main", upstream=str(origin.path)))) as port:
        there = jobtypes(*words, "--url", f"http://127.0.0.1:{port}")
    here = jobtypes(*words, "--repo", copy)

    assert there.returncode == 0
    assert there.stdout == here.stdout
    change = json.loads(there.stdout)
    assert change["makes"] == ["A: version 2 (was 1)"]
    assert (change["comments"], change["approvals"]) == (None, None)
