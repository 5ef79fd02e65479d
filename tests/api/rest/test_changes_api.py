"""Review without a forge: branches that were pushed are listed, shown, merged, deleted."""

from __future__ import annotations

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from gitstore.branch import merging
from gitstore.branch.merges import merge_of
from gitstore.branch.merging import Merged
from gitstore.branch.reviews import Reviews
from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from tests.support.branches import Branch, jobtype, propose
from tests.support.commands import jobtypes
from tests.support.git import git, tip
from tests.support.rest import Json


@pytest.fixture
def served(branch) -> Branch:
    """A served branch with one version of Blender and of Nuke."""
    branch.commit({**jobtype("Blender"), **jobtype("Nuke")}, "Begin\n")
    return branch


@pytest.fixture
def client(served) -> FlaskClient:
    """A client of the application on it."""
    return create_app(Config(served.path)).test_client()


def merge(client: FlaskClient, name: str, **body: object) -> Json:
    """What merging says, which must be accepted."""
    answer = client.post(f"/api/v1/changes/{name}/merge", json=body)
    assert answer.status_code == 200, answer.data
    return answer.json


def refused(answer: object, status: int) -> str:
    """The sentence of a refusal."""
    assert answer.status_code == status, answer.data  # type: ignore[attr-defined]
    sentence: str = answer.json["error"]  # type: ignore[attr-defined]
    return sentence


TWO = jobtype("Blender", "    two = 2\n")


# Listing and showing


@pytest.mark.parametrize("slash", ["", "/"])
def test_every_branch_but_the_served_one_is_a_change(served, client, slash):
    propose(served, "zeta", TWO, "Tiles\n\nMore of it.\n")
    commit = propose(served, "jobtypes/Blender/abc", TWO, "Tiles\n\nMore of it.\n")
    git(served.path, "update-ref", "refs/upstream/heads/x", commit)
    git(served.path, "update-ref", "refs/tags/x", commit)

    rows = client.get(f"/api/v1/changes{slash}").json

    assert [row["branch"] for row in rows] == ["jobtypes/Blender/abc", "zeta"]
    date = rows[0].pop("date")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", date)
    assert rows[0] == {
        "branch": "jobtypes/Blender/abc",
        "commit": commit,
        "author": "Test TD",
        "email": "td@studio.example",
        "subject": "Tiles",
    }


def test_a_branch_that_no_url_could_name_is_not_listed(served, client):
    commit = propose(served, "topic", TWO)
    command = [b"git", b"update-ref", b"refs/heads/caf\xe9", commit.encode()]
    subprocess.run(command, cwd=served.path, check=True)

    assert [row["branch"] for row in client.get("/api/v1/changes/").json] == ["topic"]
    assert client.get("/api/v1/changes/topic").status_code == 200


def test_without_a_branch_there_is_no_change(client):
    assert client.get("/api/v1/changes/").json == []


@pytest.mark.parametrize("name", ["none", "main", "..", "x" * 300, "refs/heads/main"])
def test_what_is_no_change_is_404(client, name):
    for answer in (
        client.get(f"/api/v1/changes/{name}"),
        client.post(f"/api/v1/changes/{name}/merge", json={}),
    ):
        assert answer.status_code == 404
        assert "error" in answer.json


def test_a_change_is_shown_with_what_it_would_make(served, client):
    first = propose(served, "topic", TWO, "Tiles\n")
    houdini = {**jobtype("Houdini"), "notes.txt": "x\n"}
    second = propose(served, "topic", houdini, "Houdini\n", onto=first)
    served.commit(jobtype("Nuke", "    two = 2\n"), "meanwhile\n")

    shown = client.get("/api/v1/changes/topic").json

    assert shown["branch"] == "topic"
    assert [row["commit"] for row in shown["commits"]] == [second, first]
    assert [row["subject"] for row in shown["commits"]] == ["Houdini", "Tiles"]
    assert {row["path"]: row["status"] for row in shown["files"]} == {
        "jobtypes/Blender/code.py": "M",
        "jobtypes/Houdini/code.py": "A",
        "jobtypes/Houdini/meta.yaml": "A",
        "notes.txt": "A",
    }
    # Against where it forked: what went on next to it is not its own.
    assert "+    two = 2" in shown["diff"]
    assert "Nuke" not in shown["diff"]
    assert shown["versions"] == {"Blender": [2], "Houdini": [1]}
    assert shown["makes"] == ["Blender: version 2 (was 1)", "Houdini: new jobtype, version 1"]
    assert (shown["mergeable"], shown["merged"], shown["conflicts"]) == (True, False, [])
    assert shown["problems"] == []


def test_a_change_is_shown_with_its_problems(served, client):
    propose(served, "topic", {"jobtypes/Blender/meta.yaml": "classname: Job\nmax_batch: ten\n"})

    shown = client.get("/api/v1/changes/topic").json

    assert [(p["path"], p["line"], p["severity"]) for p in shown["problems"]] == [
        ("jobtypes/Blender/meta.yaml", 2, "error")
    ]
    assert "max_batch" in shown["problems"][0]["message"]


def test_a_change_that_conflicts_is_shown_with_the_files(served, client):
    propose(served, "topic", TWO)
    served.commit(jobtype("Blender", "    other = 2\n"))

    shown = client.get("/api/v1/changes/topic").json

    assert shown["mergeable"] is False
    assert shown["conflicts"] == ["jobtypes/Blender/code.py"]
    assert (shown["makes"], shown["versions"]) == ([], {})


def test_a_change_that_shares_no_history_is_shown(served, client, tmp_path):
    other = Branch(tmp_path / "other.git")
    other.commit(jobtype("Other"))
    git(served.path, "fetch", "--quiet", str(other.path), "main:refs/heads/other")

    shown = client.get("/api/v1/changes/other").json

    assert shown["versions"] == {"Other": [1]}
    assert "+class Job" in shown["diff"]
    assert {row["status"] for row in shown["files"]} == {"A"}


# Merging


def test_merging_makes_a_commit_whose_first_parent_is_the_served_branch(served, client):
    commit = propose(served, "topic", TWO, "Tiles\n")
    before = served.commit(jobtype("Nuke", "    two = 2\n"))

    answer = client.post("/api/v1/changes/topic/merge", json={})

    assert answer.status_code == 200
    merged = tip(served.path)
    said = {"branch": "topic", "merged": True, "commit": merged, "deleted": False}
    assert answer.json == said
    assert answer.headers["X-Git-Commit"] == merged
    parents = git(served.path, "log", "-1", "--format=%P%n%s", "main").splitlines()
    assert parents == [f"{before} {commit}", "Merge topic: Tiles"]
    assert client.get("/api/v1/jobtypes/Blender").json["version"] == 2
    assert client.get("/api/v1/jobtypes/Nuke").json["version"] == 2
    assert git(served.path, "fsck", "--no-dangling") == ""


def test_a_change_on_top_of_the_served_branch_is_merged_by_a_commit_too(served, client):
    commit = propose(served, "topic", jobtype("Blender", "    step = 1\n"), "One\n")
    propose(served, "topic", TWO, "Two\n", onto=commit)

    merge(client, "topic")

    assert client.get("/api/v1/jobtypes/Blender/versions/").json == [1, 2]
    assert len(git(served.path, "rev-list", "--first-parent", "main").split()) == 2


def test_a_repeated_merge_click_gives_the_same_answer_and_no_second_commit(served, client):
    propose(served, "topic", TWO)
    first = merge(client, "topic")
    served.tip = tip(served.path)
    served.commit(jobtype("Nuke", "    two = 2\n"))

    assert merge(client, "topic") == first
    assert client.get("/api/v1/changes/topic").json["merged"] is True
    assert client.get("/api/v1/jobtypes/Blender/versions/").json == [1, 2]


def test_merge_clicks_at_once_make_one_commit(served):
    app = create_app(Config(served.path, write_places=16))
    propose(served, "topic", TWO)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: merge(app.test_client(), "topic"), range(8)))

    assert len({answer["commit"] for answer in answers}) == 1
    assert len(git(served.path, "rev-list", "--first-parent", "main").split()) == 2


def test_changes_that_are_merged_at_once_all_land(served):
    app = create_app(Config(served.path, write_places=16))
    for n in range(8):
        propose(served, f"topic{n}", jobtype(f"J{n}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: merge(app.test_client(), f"topic{n}"), range(8)))

    names = {row["name"] for row in app.test_client().get("/api/v1/jobtypes/").json}
    assert names == {"Blender", "Nuke", *(f"J{n}" for n in range(8))}


def test_the_branch_can_be_deleted_with_the_merge(served, client):
    propose(served, "topic", TWO)

    first = merge(client, "topic", delete_branch=True)

    assert first["deleted"] is True
    assert client.get("/api/v1/changes/").json == []
    assert merge(client, "topic", delete_branch=True) == merge(client, "topic") == first
    assert client.post("/api/v1/changes/topi/merge", json={}).status_code == 404
    assert client.get("/api/v1/jobtypes/Blender/versions/").json == [1, 2]


def test_merge_clicks_at_once_that_delete_the_branch_are_no_conflict(served):
    app = create_app(Config(served.path, write_places=16))
    propose(served, "topic", TWO)
    path = "/api/v1/changes/topic/merge"

    with ThreadPoolExecutor(8) as pool:
        clicks = [
            pool.submit(lambda: app.test_client().post(path, json={"delete_branch": True}))
            for _ in range(8)
        ]
        statuses = {click.result().status_code for click in clicks}

    assert statuses == {200}
    assert len(git(served.path, "rev-list", "--first-parent", "main").split()) == 2


def test_a_branch_that_was_pushed_to_while_it_was_merged_is_kept(served):
    commit = propose(served, "topic", TWO)
    store = Store(served.path)
    newer = served.side({"notes.txt": "more\n"}, onto=commit)

    def push(old: str | None, new: str) -> None:
        git(served.path, "update-ref", "refs/heads/topic", newer)

    # What upstream is to a service: called just before the served branch moves.
    store.writing.outlet = push
    merged = Reviews(store).merge("topic", Writer(), delete_branch=True)

    assert merged == Merged(tip(served.path), deleted=False)
    assert tip(served.path, "topic") == newer


def test_the_merge_of_an_old_branch_is_searched_when_others_may_write(served, monkeypatch):
    propose(served, "topic", TWO)
    store = Store(served.path)
    first = Reviews(store).merge("topic", Writer(), delete_branch=False)
    had_turn: list[bool] = []

    def search(*args: object) -> str:
        with store.writing._turns.turn(0) as has_come:
            had_turn.append(has_come)
        return merge_of(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(merging, "merge_of", search)

    assert Reviews(store).merge("topic", Writer(), delete_branch=False) == first
    assert had_turn == [True]


def test_a_branch_of_a_name_that_was_merged_before_is_merged_again(served, client):
    propose(served, "topic", TWO)
    first = merge(client, "topic", delete_branch=True)
    served.tip = tip(served.path)
    propose(served, "topic", jobtype("Nuke", "    two = 2\n"))

    second = merge(client, "topic", delete_branch=True)

    assert second["commit"] == tip(served.path) != first["commit"]
    assert merge(client, "topic") == second


def test_the_message_of_the_merge_can_be_given(served, client):
    propose(served, "topic", TWO)

    client.post(
        "/api/v1/changes/topic/merge", json={}, headers={"X-Commit-Message": "Tiles, at last"}
    )

    message = git(served.path, "log", "-1", "--format=%B", "main").strip()
    assert message == "Tiles, at last\n\nMerged-Branch: topic"


def test_a_change_that_conflicts_is_not_merged(served, client):
    propose(served, "topic", TWO)
    before = served.commit(jobtype("Blender", "    other = 2\n"))

    said = refused(client.post("/api/v1/changes/topic/merge", json={}), 409)

    assert "jobtypes/Blender/code.py" in said
    assert tip(served.path) == before


def test_a_change_that_the_validator_refuses_is_not_merged(served, client):
    propose(served, "topic", {"jobtypes/Blender/code.py": "class Job:\npass\n"})

    said = refused(client.post("/api/v1/changes/topic/merge", json={}), 400)

    assert "jobtypes/Blender/code.py:2" in said
    assert tip(served.path) == served.tip


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"json": {"delete_branch": "yes"}}, 400),
        ({"json": {"delete": True}}, 400),
        ({"json": []}, 400),
        ({"data": "{}", "content_type": "text/plain"}, 415),
        ({"data": "{", "content_type": "application/json"}, 400),
    ],
    ids=str,
)
def test_a_wrong_body_merges_nothing(served, client, sent, status):
    propose(served, "topic", TWO)

    refused(client.post("/api/v1/changes/topic/merge", **sent), status)

    assert tip(served.path) == served.tip


def test_a_change_can_be_deleted_and_deleting_it_again_is_no_error(served, client):
    propose(served, "jobtypes/x/y", TWO)

    for _ in range(2):
        answer = client.delete("/api/v1/changes/jobtypes/x/y")
        assert (answer.status_code, answer.data) == (204, b"")
    client.delete("/api/v1/changes/main")

    assert client.get("/api/v1/changes/").json == []
    assert tip(served.path) == served.tip


def test_a_read_only_service_merges_and_deletes_nothing(served):
    client = create_app(Config(served.path, read_only=True)).test_client()
    propose(served, "topic", TWO)

    refused(client.post("/api/v1/changes/topic/merge", json={}), 403)
    refused(client.delete("/api/v1/changes/topic"), 403)

    assert [row["branch"] for row in client.get("/api/v1/changes/").json] == ["topic"]


# With --protect, without tokens


@pytest.mark.parametrize(("protect", "status"), [(False, 200), (True, 403)])
@pytest.mark.parametrize(
    "changes",
    [
        {"jobtypes/Nuke": None},
        {"withdrawn.yaml": "Nuke: [1]\n"},
        {"jobtypes/Nuke/meta.yaml": "classname: null\n"},
    ],
    ids=["deletes", "withdraws", "warned"],
)
def test_without_tokens_what_needs_an_admin_is_merged_if_nothing_is_protected(
    served, changes, protect, status
):
    client = create_app(Config(served.path, protect=protect)).test_client()
    seen = {"commit": propose(served, "topic", changes)}

    assert client.post("/api/v1/changes/topic/merge", json=seen).status_code == status
    assert jobtypes("changes", "merge", "topic", "--repo", served.path).returncode == 0
