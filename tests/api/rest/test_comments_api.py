"""Comments and approvals over HTTP, and the ref that has them, seen with the real git."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config, ConfigError
from gitstore.branch.access import Role
from gitstore.branch.review_log import REF, TEXT_LIMIT
from gitstore.branch.tokens import Tokens
from gitstore.git.commits import Signature
from gitstore.git.repository import Repository
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git
from tests.support.rest import Json
from tests.support.server import Answer, Server

CODE = "jobtypes/Blender/code.py"


@dataclass
class Farm:
    """A protected service with the tokens of Ada, Bo (write), Eve (admin) and Di (read)."""

    server: Server
    tokens: dict[str, str]
    folder: Path

    def ask(
        self, name: str | None, method: str, path: str, body: object = None, **headers: str
    ) -> Answer:
        if name:
            headers["Authorization"] = f"Bearer {self.tokens[name]}"
        return self.server.request(method, f"/api/v1/changes/{path}", body, headers)

    def json(self, path: str) -> Json:
        answer = self.ask(None, "GET", path)
        assert answer.status == 200, answer.body
        return answer.json

    def propose(self, name: str, branch: str, code: str) -> str:
        """The commit that *name* adds to *branch*, as after a push."""
        repository = Repository(self.server.repo)
        ref = f"refs/heads/{branch}"
        old = repository.tip(ref)
        parent = old or repository.tip("refs/heads/main")
        assert parent is not None
        files = {CODE: f"class Job:\n    pass\n{code}".encode()}
        tree = repository.write_tree(repository.commit(parent).tree, files)
        by = Signature(name, f"{name.lower()}@studio.example")
        commit = repository.write_commit(tree, (parent,), "change\n", by, by)
        repository.move(ref, old, commit, by, "push")
        return commit

    def push(self, name: str, branch: str, code: str) -> str:
        """The commit that *name* pushes to *branch*, which is new."""
        clone = Worktree(self.folder / f"{name}-{branch}")
        url = f"http://{name}:{self.tokens[name]}@127.0.0.1:{self.server.port}/jobtypes.git"
        git(self.folder, "clone", "--quiet", url, str(clone.path))
        clone.write(CODE, f"class Job:\n    pass\n{code}")
        commit = clone.commit()
        done = clone.push_head("origin", f"HEAD:{branch}")
        assert done.returncode == 0, done.stderr
        return commit


@pytest.fixture(scope="module")
def farm(tmp_path_factory) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("reviews")
    branch = Branch(folder / "served.git")
    branch.commit(jobtype("Blender"))
    tokens = Tokens(branch.path)
    roles = {"Ada": Role.WRITE, "Bo": Role.WRITE, "Di": Role.READ, "Eve": Role.ADMIN}
    secrets = {
        name: tokens.create(name, role, f"{name.lower()}@studio.example", ())
        for name, role in roles.items()
    }
    server = Server(branch.path, "--workers", "1", "--protect", "--require-approvals", "1")
    yield Farm(server, secrets, folder)
    server.stop()


def test_a_change_is_commented_approved_and_merged(farm):
    commit = farm.push("Ada", "walk", "    two = 2\n")
    said = {"text": "Why <two>?", "path": CODE, "line": 3, "commit": commit}

    made = farm.ask("Bo", "POST", "walk/comments", said)
    assert made.status == 201, made.body
    whole = farm.ask("Ada", "POST", "walk/comments", {"text": "Because."})
    assert whole.status == 201, whole.body
    rows = farm.json("walk/comments")

    assert rows == [made.json, whole.json]
    date = rows[0].pop("date")
    assert date.endswith("+00:00")
    assert rows[0] == {**said, "id": 1, "author": "Bo", "email": "bo@studio.example"}
    assert farm.json("walk/approvals") == {
        "commit": commit, "required": 1, "missing": 1, "approvals": [],
    }  # fmt: skip

    def merge() -> Answer:
        return farm.ask("Bo", "POST", "walk/merge", {"commit": commit, "delete_branch": True})

    refused = merge()
    assert refused.status == 403
    assert "walk has 0 of 1 approvals" in refused.json["error"]
    assert farm.ask("Ada", "POST", "walk/approvals", {"commit": commit}).status == 403
    assert farm.ask("Di", "POST", "walk/approvals", {"commit": commit}).status == 403
    approved = farm.ask("Bo", "POST", "walk/approvals", {"commit": commit})
    assert approved.status == 200, approved.body
    assert approved.json["missing"] == 0
    assert [(a["author"], a["counts"]) for a in approved.json["approvals"]] == [("Bo", True)]
    assert merge().status == 200
    assert len(farm.json("walk/comments")) == 2


def test_a_push_drops_approvals_over_http(farm):
    first = farm.propose("Ada", "drop", "    three = 3\n")
    assert farm.ask("Bo", "POST", "drop/approvals", {"commit": first}).status == 200
    second = farm.propose("Bo", "drop", "    four = 4\n")

    said = farm.json("drop/approvals")
    assert (said["commit"], said["missing"]) == (second, 1)
    assert [a["counts"] for a in said["approvals"]] == [False]
    merge = farm.ask("Bo", "POST", "drop/merge", {"commit": second})
    assert merge.status == 403
    assert farm.ask("Eve", "POST", "drop/approvals", {"commit": first}).status == 409
    assert farm.ask("Eve", "POST", "drop/approvals", {"commit": second}).status == 200
    assert farm.ask("Eve", "DELETE", "drop/approvals").status == 204
    assert farm.json("drop/approvals")["missing"] == 1


def test_the_command_line_asks_for_approvals_too(farm):
    commit = farm.propose("Ada", "shell", "    five = 5\n")
    repo = ("--repo", str(farm.server.repo))

    refused = jobtypes("changes", "merge", "shell", "--require-approvals", "1", *repo)
    assert refused.returncode == 1
    assert "shell has 0 of 1 approvals" in refused.stderr
    farm.ask("Bo", "POST", "shell/comments", {"text": "Five\n\u001b[31m?".replace("\u001b", "")})
    assert farm.ask("Bo", "POST", "shell/approvals", {"commit": commit}).status == 200
    shown = jobtypes("changes", "show", "shell", *repo).stdout
    assert "approved by Bo, 2" in shown
    assert ":\n  Five\n  [31m?\n" in shown
    merged = jobtypes("changes", "merge", "shell", "--require-approvals", "1", *repo)
    assert merged.returncode == 0, merged.stderr


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"text": ""}, 400),
        ({"text": " \n"}, 400),
        ({"text": "x" * (TEXT_LIMIT + 1)}, 400),
        ({"text": "\u0000"}, 400),
        ({"text": "\ud800"}, 400),
        ({"text": "x", "path": "\ud800"}, 400),
        ({"text": "x", "path": "../../etc/passwd"}, 404),
        ({"text": "x", "path": CODE, "line": 10**9}, 404),
        ({"text": "x", "path": CODE, "line": 2**40}, 400),
        ({"text": "x", "path": CODE, "line": True}, 400),
        ({"text": "x", "line": 1}, 404),
        ({"text": "x", "commit": "main"}, 400),
        ({"text": "x", "commit": "4" * 40}, 409),
        ({"text": "x", "author": "Eve"}, 400),
        ([], 400),
    ],
)
def test_a_comment_that_can_not_be_is_refused_in_words(farm, body, status):
    if farm.ask(None, "GET", "odd").status != 200:
        farm.propose("Ada", "odd", "    six = 6\n")

    answer = farm.ask("Bo", "POST", "odd/comments", body)

    assert answer.status == status, answer.body
    assert answer.json["error"]
    assert farm.json("odd/comments") == []


@pytest.mark.parametrize("below", ["comments", "comments/1", "approvals"])
def test_without_a_token_nothing_is_said(farm, below):
    for method in ("POST", "DELETE"):
        answer = farm.ask(None, method, f"odd/{below}", {"text": "x"})
        assert answer.status in (401, 405)
    assert farm.ask("Bo", "GET", "none/approvals").status == 404
    assert farm.ask("Bo", "POST", "none/comments", {"text": "x"}).status == 404


def test_the_log_is_the_services_to_write_and_every_mirrors_to_have(farm):
    commit = farm.propose("Ada", "mirror", "    seven = 7\n")
    said = {"text": "seven", "path": CODE, "line": 3, "commit": commit}
    assert farm.ask("Bo", "POST", "mirror/comments", said).status == 201
    url = f"http://Eve:{farm.tokens['Eve']}@127.0.0.1:{farm.server.port}/jobtypes.git"
    mirror = farm.folder / "mirror.git"
    git(farm.folder, "clone", "--quiet", "--mirror", url, str(mirror))
    tip = git(farm.server.repo, "rev-parse", REF)

    assert git(mirror, "rev-parse", REF) == tip
    clone = Worktree(farm.folder / "plain")
    git(farm.folder, "clone", "--quiet", url, str(clone.path))
    assert "reviews" not in clone.git("for-each-ref")
    refspecs = (f"+HEAD:{REF}", f"HEAD:{REF}/x", "HEAD:refs/reviews/other")
    done = clone.push_head("origin", *refspecs)
    assert done.stderr.count("hidden ref") == len(refspecs)
    assert clone.push_head("origin", f":{REF}").returncode == 1
    assert git(farm.server.repo, "rev-parse", REF) == tip
    app = create_app(Config(mirror)).test_client()
    there = app.get("/api/v1/changes/mirror/comments").json
    assert there == farm.json("mirror/comments")
    assert [row["text"] for row in there] == ["seven"]


def test_code_and_numbers_do_not_depend_on_the_log(farm):
    farm.propose("Ada", "logged", "    eight = 8\n")
    assert farm.ask("Bo", "POST", "logged/comments", {"text": "eight"}).status == 201
    before = farm.server.get("/api/v1/jobtypes/Blender").body
    tip = git(farm.server.repo, "rev-parse", REF).strip()
    git(farm.server.repo, "update-ref", "-d", REF)
    assert farm.server.get("/api/v1/jobtypes/Blender").body == before
    git(farm.server.repo, "update-ref", REF, tip)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"require_approvals": 1}, "needs protect"),
        ({"require_approvals": 1, "protect": True, "upstream": "/x"}, "its forge"),
    ],
)
def test_approvals_are_required_only_where_merges_are(tmp_path, settings, says):
    with pytest.raises(ConfigError, match=says):
        Config(tmp_path, **settings)
