"""Review without a forge: branches that were pushed are listed, shown, merged, deleted."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.merging import Merged
from gitstore.branch.reviews import Reviews
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.store import Store
from gitstore.branch.tokens import Tokens
from gitstore.branch.writing import Writer
from tests.support.branches import Branch, Content, jobtype
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git
from tests.support.rest import Json, body, code
from tests.support.server import Answer, Server, free_port

BRANCH_ADVICE = ("git switch -c my-change", "git push -u origin my-change")


@pytest.fixture
def served(branch) -> Branch:
    """A served branch with one version of Blender and of Nuke."""
    branch.commit({**jobtype("Blender"), **jobtype("Nuke")}, "Begin\n")
    return branch


@pytest.fixture
def client(served) -> FlaskClient:
    """A client of the application on it."""
    return create_app(Config(served.path)).test_client()


def propose(
    branch: Branch,
    name: str,
    changes: dict[str, Content],
    message: str = "change\n",
    onto: str | None = None,
) -> str:
    """The commit of *changes* on a change's branch."""
    commit = branch.side(changes, message, onto)
    git(branch.path, "update-ref", f"refs/heads/{name}", commit)
    return commit


def tip(path: Path, ref: str = "main") -> str:
    return git(path, "rev-parse", ref).strip()


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


# With --protect and tokens: pushes by the real client


@dataclass
class Studio:
    """A protected service with tokens, and who has which."""

    server: Server
    secrets: dict[str, str]
    folder: Path

    def call(self, who: str | None, method: str, path: str, body: object = None) -> Answer:
        headers = {} if who is None else {"Authorization": f"Bearer {self.secrets[who]}"}
        return self.server.request(method, f"/api/v1{path}", body, headers)

    def merge(self, who: str | None, branch: str) -> Answer:
        """What merging said to one who has just looked at the branch."""
        seen = tip(self.server.repo, branch)
        return self.call(who, "POST", f"/changes/{branch}/merge", {"commit": seen})

    def clone(self, who: str) -> Worktree:
        """That person's clone, at what is served now."""
        path = self.folder / who
        if not path.exists():
            url = self.server.url.replace("//", f"//x:{self.secrets[who]}@")
            git(self.folder, "clone", "--quiet", f"{url}/jobtypes.git", who)
        made = Worktree(path)
        made.git("fetch", "--quiet", "--prune")
        made.git("checkout", "--quiet", "--force", "--detach", "origin/main")
        return made

    def push(self, who: str, ref: str, mark: str, *options: str) -> CompletedProcess[str]:
        """What pushing a change of Command by *who* to *ref* said."""
        worktree = self.clone(who)
        path = worktree.path / "jobtypes" / "Command" / "code.py"
        worktree.write("jobtypes/Command/code.py", path.read_text() + f"\nMARK = {mark!r}\n")
        return worktree.push(*options, "origin", f"HEAD:refs/heads/{ref}")


ROLES = {"alice": "write", "bob": "write", "carol": "admin", "reader": "read", "nukist": "write"}


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    repo = folder / "farm.git"
    create_repository(repo, "main", sample_path())
    secrets = {}
    for name, role in ROLES.items():
        only = ("--only", "Nuke*") if name == "nukist" else ()
        done = jobtypes("token", "create", name, "--role", role, *only, "--repo", repo)
        found = re.search(r"jtr_\S+", done.stdout)
        assert found, done
        secrets[name] = found[0]
    server = Server(repo, "--workers", "1", "--protect")
    yield Studio(server, secrets, folder)
    server.stop()


def test_a_direct_push_to_a_protected_branch_reads_the_two_lines(studio):
    before = tip(studio.server.repo)

    pushed = studio.push("alice", "main", "direct")

    assert pushed.returncode
    assert "the served branch is protected" in pushed.stderr
    for line in BRANCH_ADVICE:
        assert line in pushed.stderr
    assert tip(studio.server.repo) == before


def test_the_two_lines_do_what_they_promise(studio):
    worktree = studio.clone("alice")
    worktree.write("jobtypes/Command/README.md", "more\n")
    worktree.commit()

    for line in BRANCH_ADVICE:
        worktree.git(*line.split()[1:])

    assert studio.merge("bob", "my-change").status == 200


def test_a_rest_write_to_a_protected_branch_is_refused(studio):
    answer = studio.call("alice", "PUT", "/jobtypes/Command", body("Command", code=code("rest")))

    assert answer.status == 403
    assert "push a branch" in answer.json["error"]


def test_an_admin_may_write_and_push_directly(studio):
    answer = studio.call("carol", "PUT", "/jobtypes/ByCarol", body("ByCarol"))

    assert answer.status == 201
    pushed = studio.push("carol", "main", "by carol")
    assert pushed.returncode == 0, pushed.stderr


def test_who_pushed_the_last_commit_may_not_merge_it_and_another_may(studio):
    assert studio.push("alice", "four-eyes", "alice").returncode == 0

    own = studio.merge("alice", "four-eyes")
    other = studio.merge("bob", "four-eyes")

    assert own.status == 403
    assert "alice pushed the last commit" in own.json["error"]
    assert other.status == 200
    author = git(studio.server.repo, "log", "-1", "--format=%an", "main").strip()
    assert author == "bob"


def test_who_pushed_is_known_though_git_trims_their_name(studio):
    # No token gets such a name any more, but one may have it.
    today, name = "J. Smith Jr", "J. Smith Jr."
    tokens, file = Tokens(studio.server.repo), studio.server.repo / "jobtypes" / "tokens.json"
    studio.secrets[name] = tokens.create(today, Role.WRITE, "js@studio.example", ())
    file.write_text(file.read_text().replace(f'"{today}"', f'"{name}"'))
    assert studio.push(name, "trimmed", "trimmed").returncode == 0

    assert studio.merge(name, "trimmed").status == 403


def test_who_pushed_last_counts_not_who_began(studio):
    assert studio.push("alice", "shared", "alice").returncode == 0
    worktree = studio.clone("bob")
    worktree.git("checkout", "--quiet", "origin/shared")
    worktree.write("jobtypes/Command/README.md", "bob's\n")
    assert worktree.push("origin", "HEAD:refs/heads/shared").returncode == 0

    assert studio.merge("bob", "shared").status == 403
    assert studio.merge("alice", "shared").status == 200


def test_a_branch_that_is_deleted_and_pushed_again_is_still_its_pushers(studio):
    assert studio.push("alice", "again", "again").returncode == 0
    assert studio.call("alice", "DELETE", "/changes/again").status == 204
    assert studio.clone("alice").push("origin", "HEAD:refs/heads/again").returncode == 0
    assert studio.push("alice", "again", "once more", "--force").returncode == 0

    assert studio.merge("alice", "again").status == 403


def test_a_branch_of_which_nobody_knows_the_pusher_is_for_an_admin_to_merge(studio):
    repo = studio.server.repo
    worktree = studio.clone("bob")
    worktree.write("jobtypes/Command/README.md", "nobody's\n")
    commit = worktree.commit()
    git(repo, "fetch", "--quiet", str(worktree.path), commit)
    git(repo, "-c", "core.logAllRefUpdates=false", "update-ref", "refs/heads/orphan", commit)

    refusal = studio.merge("alice", "orphan")

    assert refusal.status == 403
    assert "nobody knows who pushed" in refusal.json["error"]
    assert studio.merge("carol", "orphan").status == 200


def test_an_admin_may_merge_what_they_pushed(studio):
    assert studio.push("carol", "carols", "carol").returncode == 0

    assert studio.merge("carol", "carols").status == 200


def test_who_may_not_write_may_not_merge(studio):
    assert studio.push("alice", "hers", "hers").returncode == 0
    before = tip(studio.server.repo)

    for who, status in ((None, 401), ("reader", 403), ("nukist", 403)):
        assert studio.call(who, "GET", "/changes/hers").status == 200
        assert studio.merge(who, "hers").status == status, who
    assert tip(studio.server.repo) == before


def test_a_change_is_deleted_by_its_first_pusher_or_an_admin(studio):
    refspecs = [f"HEAD:refs/heads/{name}" for name in ("gone", "gone-too")]
    assert studio.clone("alice").push("origin", *refspecs).returncode == 0
    for who, status in ((None, 401), ("reader", 403), ("bob", 403), ("nukist", 403)):
        assert studio.call(who, "DELETE", "/changes/gone").status == status, who
        assert studio.call("alice", "GET", "/changes/gone").status == 200

    for who, name in (("alice", "gone"), ("carol", "gone-too")):
        assert studio.call(who, "DELETE", f"/changes/{name}").status == 204
        assert studio.call("alice", "GET", f"/changes/{name}").status == 404


def test_a_change_that_deletes_a_jobtype_is_for_an_admin_to_merge(studio):
    worktree = studio.clone("alice")
    worktree.git("rm", "--quiet", "-r", "jobtypes/FFmpeg")
    assert worktree.push("origin", "HEAD:refs/heads/no-ffmpeg").returncode == 0

    assert studio.merge("bob", "no-ffmpeg").status == 403
    assert studio.merge("carol", "no-ffmpeg").status == 200


def test_a_change_with_a_warning_is_for_an_admin_to_merge(studio):
    worktree = studio.clone("alice")
    worktree.write("jobtypes/Warned/code.py", "class Job(object):\n    pass\n")
    worktree.write("jobtypes/Warned/meta.yaml", "classname: null\n")
    assert worktree.push("origin", "HEAD:refs/heads/warned").returncode == 0

    refusal = studio.merge("bob", "warned")

    assert refusal.status == 403
    assert "jobtypes/Warned" in refusal.json["error"]
    assert "ask an admin to merge it" in refusal.json["error"]
    assert studio.merge("carol", "warned").status == 200


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


def test_without_tokens_everybody_may_merge_and_the_start_says_so(sample, serve, clone):
    server = serve(sample, "--workers", "1", "--protect")
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("jobtypes/Command/README.md", "mine\n")

    direct = worktree.push()
    branch = worktree.push("origin", "HEAD:mine")
    commit = worktree.git("rev-parse", "HEAD").strip()
    merged = server.request("POST", "/api/v1/changes/mine/merge", {"commit": commit})

    assert "everybody may merge their own changes" in server.log.read_text()
    assert direct.returncode
    assert "the served branch is protected" in direct.stderr
    assert branch.returncode == 0
    assert merged.status == 200
    refusal = server.request("PUT", "/api/v1/jobtypes/X", body("X"))
    assert refusal.status == 403


def test_with_tokens_the_start_warns_of_nothing(studio):
    assert "everybody may merge" not in studio.server.log.read_text()


# The command line

Run = Callable[..., str]


@pytest.fixture
def run(served) -> Run:
    """What ``jobtypes <args>`` prints on the served repository; it must succeed."""

    def call(*args: object) -> str:
        done = jobtypes(*args, "--repo", served.path)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return call


def test_the_command_line_lists_shows_and_merges_changes(served, run):
    commit = propose(served, "topic", TWO, "Tiles\n")

    listed = run("changes", "list")
    shown = run("changes", "show", "topic")
    merged = run("changes", "merge", "topic", "--delete-branch", "-m", "Tiles, at last")

    assert re.search(rf"^topic +{commit[:10]} .* Test TD +Tiles$", listed, re.M)
    assert "Blender: version 2 (was 1)" in shown
    assert f"commit {commit[:10]} Test TD: Tiles" in shown
    assert "+    two = 2" in shown
    assert merged == f"merged topic in {tip(served.path)[:10]}\n"
    assert run("log", "Blender").count("\n") == 3
    assert run("changes", "list").count("\n") == 1


def test_the_command_line_says_why_it_does_not_merge(served):
    propose(served, "bad", {"jobtypes/Blender/code.py": "class Job:\npass\n"})
    propose(served, "conflict", TWO)
    served.commit(jobtype("Blender", "    other = 2\n"))

    for name, says in (
        ("bad", "jobtypes/Blender/code.py"),
        ("conflict", "conflicts in jobtypes/Blender/code.py"),
        ("none", "no change on a branch none"),
    ):
        done = jobtypes("changes", "merge", name, "--repo", served.path)
        assert done.returncode == 1
        assert says in done.stderr
    assert tip(served.path) == served.tip
    shown = jobtypes("changes", "show", "conflict", "--repo", served.path)
    assert "conflict: jobtypes/Blender/code.py" in shown.stdout


def test_summary_says_what_a_pull_request_would_make(served, clone):
    propose(served, "topic", {**TWO, **jobtype("Houdini")})
    worktree = clone(served.path, "--branch", "topic")

    done = jobtypes("summary", "origin/main", "--repo", worktree.path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:2] == [
        "Blender: version 2 (was 1)",
        "Houdini: new jobtype, version 1",
    ]


def test_summary_says_what_is_missing(served, clone):
    done = jobtypes("summary", "origin/none", "--repo", clone(served.path).path)

    assert done.returncode == 1
    assert "fetch it first" in done.stderr


def test_protect_comes_from_the_settings_file(served, tmp_path):
    config = tmp_path / "settings.toml"
    config.write_text(f"protect = true\nrepo = {json.dumps(str(served.path))}\nhost = '0.0.0.0'\n")

    done = jobtypes("--config", config, "serve", "--port", free_port())

    assert done.returncode == 1
    assert "can be reached from other machines" in done.stderr
