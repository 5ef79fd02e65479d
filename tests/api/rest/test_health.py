"""Three questions about the service's health, and their answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.web.parts import parts_of
from gitstore.branch.upstream import Upstream, open_follower
from tests.support.branches import REF, TD, Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.rest import Json


@pytest.fixture
def copy(branch, tmp_path) -> Path:
    """What follows *branch*, which has one jobtype."""
    branch.commit(jobtype("Blender"))
    return open_follower(tmp_path / "copy.git", str(branch.path), None).git_dir


def following(copy: Path, branch: Branch, **settings: object) -> tuple[FlaskClient, Upstream]:
    """A client of an application that follows *branch*, and what fetches for it."""
    app = create_app(Config(copy, upstream=str(branch.path), **settings))
    return app.test_client(), parts_of(app).follower.upstream


def asked(client: FlaskClient, question: str, status: int = 200) -> Json:
    answer = client.get(f"/health/{question}")
    assert answer.status_code == status, answer.data
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json


def test_live_says_that_the_process_answers(client):
    assert asked(client, "live") == {"live": True}


def test_ready_tells_the_tip_and_how_many_jobtypes(branch):
    client = create_app(Config(branch.path)).test_client()
    before = asked(client, "ready")
    tip = branch.commit(jobtype("Blender"))

    assert before == {"ready": True, "tip": None, "jobtypes": 0, "damaged": []}
    assert asked(client, "ready") == {"ready": True, "tip": tip, "jobtypes": 1, "damaged": []}


def test_ready_is_503_when_the_branch_can_not_be_read(branch):
    client = create_app(Config(branch.path)).test_client()
    tip = branch.commit(jobtype("Blender"))
    (branch.path / "objects" / tip[:2] / tip[2:]).unlink()

    said = asked(client, "ready", 503)

    assert said["ready"] is False
    assert tip in said["error"]
    asked(client, "live")


def test_ready_is_yes_while_upstream_is_down(copy, branch, tmp_path):
    client, upstream = following(copy, branch)
    upstream.fetch()
    branch.path.rename(tmp_path / "away.git")
    upstream.fetch()

    assert asked(client, "ready")["tip"] == branch.tip


def test_without_an_upstream_there_is_none(client):
    assert asked(client, "upstream")["state"] == "none"


def test_following_tells_the_age_of_the_last_good_fetch(copy, branch):
    client, upstream = following(copy, branch)
    upstream.fetch()

    said = asked(client, "upstream")

    assert 0 <= said.pop("last_good_fetch_age_s") < 300
    assert said == {
        "state": "following",
        "upstream": str(branch.path),
        "branch": "main",
        "stale": False,
        "refusal": None,
        "error": None,
        "problems": [],
        "problems_total": 0,
    }


def test_before_the_first_good_fetch_it_is_503(copy, branch, tmp_path):
    client, upstream = following(copy, branch)
    branch.path.rename(tmp_path / "away.git")
    upstream.fetch()

    said = asked(client, "upstream", 503)

    assert said["state"] == "unreachable"
    assert said["last_good_fetch_age_s"] is None
    assert said["stale"] is True
    assert str(branch.path) in said["error"]


def test_an_upstream_that_is_down_is_503_once_the_last_good_fetch_is_too_old(
    copy, branch, tmp_path
):
    client, upstream = following(copy, branch)
    upstream.fetch()
    branch.path.rename(tmp_path / "away.git")
    upstream.fetch()
    impatient, _ = following(copy, branch, upstream_stale_s=-1)

    assert asked(client, "upstream")["state"] == "unreachable"
    assert asked(impatient, "upstream", 503)["stale"] is True


def test_a_refusal_says_what_to_do(copy, branch):
    client, upstream = following(copy, branch)
    upstream.fetch()
    good = branch.tip
    other = Branch(copy.parent / "other.git")
    bad = other.commit(jobtype("Other"))
    git(branch.path, "fetch", "--quiet", str(other.path), "main")
    branch.repository.move(REF, good, bad, TD, "rewrite")
    upstream.fetch()

    said = asked(client, "upstream", 503)

    assert said["state"] == "refused"
    assert f"git push --force-with-lease origin {good}:main" in said["refusal"]


def test_health_needs_no_token(copy, branch):
    jobtypes("token", "create", "alice", "--role", "read", "--repo", copy)
    client, upstream = following(copy, branch, read_needs_token=True)
    upstream.fetch()

    for question in ("live", "ready", "upstream"):
        asked(client, question)
    assert client.get("/api/v1/jobtypes/").status_code == 401


def test_one_worker_tells_what_another_fetched(copy, branch):
    (client, upstream), (other, _) = following(copy, branch), following(copy, branch)
    upstream.fetch()

    assert asked(client, "upstream")["state"] == asked(other, "upstream")["state"] == "following"
    assert asked(other, "upstream")["last_good_fetch_age_s"] is not None
