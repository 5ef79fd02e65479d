"""A repository with damage: what is damaged says so, and all else is served."""

from __future__ import annotations

import subprocess

import pytest

from api.app import create_app
from api.config import Config
from api.web.parts import parts_of
from gitstore.branch.store import Store
from gitstore.errors import Damaged
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.waiting import wait_for


@pytest.fixture
def damaged(branch: Branch):
    """A client of a service on two versions of Old and one of New, and the branch itself."""
    branch.commit(jobtype("Old", "# 1\n"))
    branch.commit(jobtype("Old", "# 2\n"))
    branch.commit(jobtype("New", "# 3\n"))
    return create_app(Config(branch.path)).test_client()


def loose(branch: Branch, id: str):
    path = branch.path / "objects" / id[:2] / id[2:]
    path.chmod(0o644)
    return path


def code_id(branch: Branch, revision: str, name: str) -> str:
    return git(branch.path, "rev-parse", f"{revision}:jobtypes/{name}/code.py").strip()


DAMAGES = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "rubbish": lambda path: path.write_bytes(b"rubbish"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_version_is_a_500_that_names_the_object_and_all_else_is_served(
    damaged, branch, damage
):
    id = code_id(branch, "main~2", "Old")
    damage(loose(branch, id))

    answer = damaged.get("/api/v1/jobtypes/Old/versions/1")

    assert answer.status_code == 500
    assert id in answer.json["error"]
    assert "git fsck" in answer.json["error"]
    assert "restore" in answer.json["error"]
    for path in ("Old", "Old/versions/2", "New", "New/versions/1/code", ""):
        assert damaged.get(f"/api/v1/jobtypes/{path}").status_code == 200, path


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_health_names_damaged_objects_in_every_process_until_they_are_repaired(
    damaged, branch, damage
):
    id = code_id(branch, "main~2", "Old")
    path = loose(branch, id)
    whole = path.read_bytes()
    others = create_app(Config(branch.path)).test_client()
    assert damaged.get("/health/ready").json["damaged"] == []
    damage(path)
    damaged.get("/api/v1/jobtypes/Old/versions/1")

    for client in (damaged, others):
        health = client.get("/health/ready")
        assert (health.status_code, health.json["damaged"]) == (200, [id])

    path.write_bytes(whole)
    for client in (damaged, others):
        assert client.get("/health/ready").json["damaged"] == []


def test_a_damaged_version_is_served_again_once_its_object_is_restored(damaged, branch):
    path = loose(branch, code_id(branch, "main~2", "Old"))
    whole = path.read_bytes()
    path.write_bytes(b"rubbish")
    assert damaged.get("/api/v1/jobtypes/Old/versions/1").status_code == 500

    path.write_bytes(whole)

    assert damaged.get("/api/v1/jobtypes/Old/versions/1").status_code == 200


def test_a_missing_pack_is_a_500_and_health_says_so(branch):
    for n in range(2):
        branch.commit(jobtype("Old", f"# {n}\n"))
    git(branch.path, "repack", "-a", "-d", "--quiet")
    for pack in (branch.path / "objects" / "pack").iterdir():
        pack.unlink()
    client = create_app(Config(branch.path)).test_client()

    answer = client.get("/api/v1/jobtypes/Old")
    health = client.get("/health/ready")

    assert answer.status_code == 500
    assert branch.tip in answer.json["error"]
    assert health.status_code == 503
    assert health.json["ready"] is False
    assert branch.tip in health.json["error"]


def test_ancestors_of_a_damaged_history_are_damage_and_a_tag_has_none(damaged, branch):
    first, second = (git(branch.path, "rev-parse", f"main~{n}").strip() for n in (2, 1))
    git(branch.path, "tag", "-a", "-m", "noted", "noted", second)
    tag = git(branch.path, "rev-parse", "noted").strip()
    loose(branch, second).unlink()
    repository = Store(branch.path).repository

    with pytest.raises(Damaged, match=f"{second}.*git fsck"):
        repository.is_ancestor(first, branch.tip)
    assert not repository.is_ancestor(first, tag)
    assert not repository.is_ancestor(tag, first)


@pytest.mark.parametrize("content", ["rubbish\n", "", "0" * 40 + "\n", "f" * 40 + "\n"])
def test_a_bad_ref_is_a_500_with_advice_and_health_says_so(branch, content):
    branch.commit(jobtype("Old"))
    (branch.path / "refs/heads/main").write_text(content)
    client = create_app(Config(branch.path)).test_client()

    for path in ("/api/v1/jobtypes/", "/api/v1/jobtypes/Old"):
        answer = client.get(path)
        assert answer.status_code == 500, answer.data
        assert answer.json["error"]
    assert client.get("/health/ready").status_code == 503
    assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize("kept", [0, 10, -10])
def test_a_truncated_index_is_computed_again(damaged, branch, kept):
    store = parts_of(damaged.application).store
    before = damaged.get("/api/v1/jobtypes/Old").data
    store.served.rebuild_index()
    path = store.served.index.path
    path.write_bytes(path.read_bytes()[:kept])

    again = create_app(Config(branch.path)).test_client()

    assert again.get("/api/v1/jobtypes/Old").data == before


def test_while_a_version_is_damaged_others_can_be_made(damaged, branch):
    loose(branch, code_id(branch, "main~2", "Old")).unlink()

    sent = {"name": "New", "classname": "Job", "code": "class Job:\n    x = 1\n"}

    assert damaged.put("/api/v1/jobtypes/New", json=sent).status_code == 201


def test_the_objects_of_a_backup_repair_the_damage(damaged, branch, tmp_path):
    git(tmp_path, "clone", "--quiet", "--mirror", str(branch.path), str(tmp_path / "backup.git"))
    loose(branch, code_id(branch, "main~2", "Old")).unlink()
    assert damaged.get("/api/v1/jobtypes/Old/versions/1").status_code == 500

    pack = subprocess.run(
        ["git", "-C", str(tmp_path / "backup.git"), "pack-objects", "--all", "--stdout"],
        input=b"",
        capture_output=True,
        check=True,
    )
    command = ["git", "-C", str(branch.path), "unpack-objects", "-q"]
    subprocess.run(command, input=pack.stdout, check=True)

    assert damaged.get("/api/v1/jobtypes/Old/versions/1").status_code == 200


LOSSES = {
    "the ref": lambda path: (path / "refs/heads/main").unlink(),
    "the ref and the reflog": lambda path: (
        (path / "refs/heads/main").unlink(),
        (path / "logs/refs/heads/main").unlink(),
    ),
    "the folder": lambda path: path.rename(path.with_name("elsewhere.git")),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_branch_that_is_lost_is_not_taken_for_a_new_one(damaged, branch, lose):
    before = damaged.get("/api/v1/jobtypes/New").data
    tip = branch.tip
    lose(branch.path)

    # A folder that is moved away is noticed within file_watch.RENEWED_S.
    new = "/api/v1/jobtypes/New"
    wait_for(lambda: damaged.get(new).status_code in (500, 503), "the loss is noticed")
    for path in ("New", "New/versions/1", "New/versions/1/code", "", "Old/versions/"):
        assert damaged.get(f"/api/v1/jobtypes/{path}").status_code in (500, 503), path
    assert damaged.get("/health/ready").status_code == 503
    sent = {"name": "New", "classname": "Job", "code": "class Job:\n    other = 1\n"}
    answer = damaged.put("/api/v1/jobtypes/New", json=sent)
    assert answer.status_code in (500, 503)

    if not branch.path.exists():
        branch.path.with_name("elsewhere.git").rename(branch.path)
    else:
        assert f"git update-ref refs/heads/main {tip}" in answer.json["error"]
        git(branch.path, "update-ref", "refs/heads/main", tip)
    assert damaged.get("/api/v1/jobtypes/New").data == before


@pytest.mark.parametrize("witness", ["index", "reflog"])
def test_a_start_without_the_branch_is_refused_where_something_tells_of_it(
    damaged, branch, witness
):
    parts_of(damaged.application).store.served.rebuild_index()
    tip = branch.tip
    (branch.path / "refs/heads/main").unlink()
    if witness == "index":
        (branch.path / "logs/refs/heads/main").unlink()
    else:
        parts_of(damaged.application).store.served.index.delete()
    again = create_app(Config(branch.path)).test_client()

    answer = again.get("/api/v1/jobtypes/")

    assert answer.status_code == 500
    assert tip in answer.json["error"]
    assert jobtypes("index", "--rebuild", "--repo", branch.path).returncode == 3
    assert jobtypes("list", "--repo", branch.path).returncode == 3


def test_a_push_to_a_branch_that_is_lost_is_refused(branch, clone, serve):
    branch.commit(jobtype("Old"))
    server = serve(branch.path)
    worktree = clone(f"{server.url}/jobtypes.git")
    tip = branch.tip
    (branch.path / "refs/heads/main").unlink()

    worktree.write("jobtypes/Old/code.py", "class Job:\n    other = 1\n")
    pushed = worktree.push()

    assert pushed.returncode != 0
    assert tip in " ".join(pushed.stderr.replace("remote:", " ").split())
    git(branch.path, "update-ref", "refs/heads/main", tip)
    assert worktree.push_head().returncode == 0
