"""Tokens: who may read, write and push with which, by the real commands, HTTP and git."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.commands import jobtypes
from tests.support.git import git
from tests.support.rest import CODE, PREFIX, body, error
from tests.support.tokens import ROLES, Studio, bearer, create, secret_of
from tests.support.waiting import wait_for

EVERY_WORKER = 16
"""So many connections that no worker of two goes without one."""


# Roles


def rest(method: str, path: str, with_body: bool = False) -> Callable[[Studio, str, str], str]:
    """An action over REST: it tells why it was refused, or nothing."""

    def act(studio: Studio, who: str, name: str) -> str:
        sent = body(name, code=CODE + "    new = True\n") if with_body else None
        answer = studio.call(who, method, path.format(name=name), sent)
        return "" if answer.status < 300 else error(answer, 403)["error"]

    return act


def push(meta: str) -> Callable[[Studio, str, str], str]:
    """An action by push, which tells the same."""

    def act(studio: Studio, who: str, name: str) -> str:
        result = studio.push(who, name, meta)
        said = " ".join(result.stderr.replace("remote: ", "").split())
        return "" if result.returncode == 0 else said

    return act


ACTIONS = {
    "GET": rest("GET", "/jobtypes/{name}"),
    "POST": rest("POST", "/jobtypes/", True),
    "PUT": rest("PUT", "/jobtypes/{name}", True),
    "withdraw": rest("DELETE", "/jobtypes/{name}/versions/1"),
    "DELETE": rest("DELETE", "/jobtypes/{name}"),
    "DELETE software": rest("DELETE", "/software/{name}"),
    "push": push("classname: Job\nmax_batch: 3\n"),
    "push with a warning": push("max_batch: 3\n"),
}
FIRST = ("POST",)
"""Actions on what is not there yet."""

WRITES_NOT = "needs a token with the role write; read has less"
NEEDS_ADMIN = "that needs a token with the role admin"
REFUSED = {
    "read": {
        "POST": WRITES_NOT,
        "PUT": WRITES_NOT,
        "withdraw": WRITES_NOT,
        "DELETE": WRITES_NOT,
        "DELETE software": WRITES_NOT,
        "push": "403",
        "push with a warning": "403",
    },
    "write": {
        "DELETE software": f"this deletes software {{name}}; {NEEDS_ADMIN}",
        "withdraw": f"this withdraws {{name}}; {NEEDS_ADMIN}",
        "DELETE": f"this deletes {{name}}; {NEEDS_ADMIN}",
        "push with a warning": "Fix them, or ask an admin to push them",
    },
    "admin": {},
}
"""What each role reads if it may not do something; it may do all the rest."""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_role_may_do_what_its_table_says(studio, role, action):
    name = f"{role}{list(ACTIONS).index(action)}"
    if action not in FIRST:
        studio.make(name)
    before = git(studio.server.repo, "rev-parse", "main")

    said = ACTIONS[action](studio, role, name)

    refused = REFUSED[role].get(action)
    if refused is None:
        assert said == ""
    else:
        assert refused.format(name=name) in said
    taken = git(studio.server.repo, "rev-parse", "main") != before
    assert taken == (refused is None and action != "GET")


def test_a_withdrawn_version_is_an_admins_to_restore(studio):
    studio.make("Back")
    path = "/jobtypes/Back/versions/1"
    assert studio.call("admin", "DELETE", path).status == 204

    said = error(studio.call("write", "POST", f"{path}/restore", {}), 403)["error"]
    assert said == f"this restores Back; {NEEDS_ADMIN}"
    assert studio.call("admin", "POST", f"{path}/restore", {}).status == 200


# Tokens limited to some jobtypes


def test_a_limited_token_writes_what_its_pattern_says_and_reads_what_it_may_not(studio):
    studio.make("Maya")
    assert studio.call("nukist", "PUT", "/jobtypes/NukeRest", body("NukeRest")).status == 201

    for method, path, sent in (
        ("PUT", "/jobtypes/Maya", body("Maya", max_batch=2)),
        ("PUT", "/jobtypes/nukelower", body("nukelower")),
        ("DELETE", "/jobtypes/Maya", None),
        ("DELETE", "/jobtypes/Maya/versions/1", None),
        ("PUT", "/software/Nuke", {"software": "Nuke", "versions": []}),
    ):
        said = error(studio.call("nukist", method, path, sent), 403)["error"]
        touched = "software/Nuke.yaml" if "software" in path else path.split("/")[2]
        assert f"nukist may only change Nuke*; this changes {touched}" in said


def test_a_limited_token_renames_nothing_into_or_out_of_its_pattern(studio):
    studio.make("NukeOld")
    studio.make("Houdini")
    for old, new in (("NukeOld", "Elsewhere"), ("Houdini", "NukeTaken")):
        worktree = studio.tree("nukist")
        worktree.git("mv", f"jobtypes/{old}", f"jobtypes/{new}")

        said = " ".join(worktree.push().stderr.replace("remote: ", "").split())

        assert "nukist may only change Nuke*; this changes " in said
    assert studio.call("nukist", "GET", "/jobtypes/NukeOld").status == 200


def test_a_limited_token_pushes_what_its_pattern_says(studio):
    assert studio.push("nukist", "NukePushed", "classname: Job\n").returncode == 0


def test_a_push_of_others_with_a_limited_token_is_refused_naming_them(studio):
    worktree = studio.tree("nukist")
    for name in ("NukeAlong", "Zbrush", "Arnold"):
        worktree.write(f"jobtypes/{name}/code.py", CODE)
        worktree.write(f"jobtypes/{name}/meta.yaml", "classname: Job\n")
    worktree.write("README.md", "mine\n")

    said = " ".join(worktree.push().stderr.replace("remote: ", "").split())

    assert "may only change Nuke*; this changes Arnold, Zbrush, README.md" in said
    assert studio.call(None, "GET", "/jobtypes/NukeAlong").status == 404


BRIEF = {
    "jobtypes": ("jobtypes/Brief/code.py", "Brief", "deletes Brief"),
    "software": ("software/brief.yaml", "software/brief.yaml", "deletes software brief"),
}
"""What a push makes and undoes: a file of it, what is changed, and what needs an admin."""


@pytest.mark.parametrize(("path", "changed", "ended"), BRIEF.values(), ids=BRIEF)
def test_what_a_push_makes_and_undoes_is_refused_as_if_it_had_stayed(studio, path, changed, ended):
    before = git(studio.server.repo, "rev-parse", "main")
    for who, why in (
        ("nukist", f"nukist may only change Nuke*; this changes {changed}"),
        ("write", f"this {ended}; {NEEDS_ADMIN}"),
    ):
        worktree = studio.tree(who)
        worktree.write(path, "versions: []\n")
        worktree.commit()
        worktree.git("rm", "--quiet", path)

        result = worktree.push()

        assert result.returncode != 0
        assert why in " ".join(result.stderr.replace("remote: ", "").split())
    assert git(studio.server.repo, "rev-parse", "main") == before


def test_an_admin_who_undoes_in_one_push_reads_what_ended(studio):
    worktree = studio.tree("admin")
    worktree.write("jobtypes/Passing/code.py", CODE)
    worktree.commit()
    worktree.git("rm", "--quiet", "jobtypes/Passing/code.py")

    result = worktree.push()

    assert result.returncode == 0
    assert "Passing: deleted" in result.stderr


# Who it was


def test_a_commit_over_rest_bears_the_token_as_its_author(studio):
    assert studio.call("nukist", "PUT", "/jobtypes/NukeAuthor", body("NukeAuthor")).status == 201

    author = git(studio.server.repo, "log", "-1", "--format=%an <%ae>", "main")
    assert author.strip() == "nukist <n@studio.example>"


def test_a_push_keeps_its_authors_and_the_log_and_reflog_name_the_token(studio):
    result = studio.push("nukist", "NukeLogged", "classname: Job\n")

    assert result.returncode == 0, result.stderr
    repo = studio.server.repo
    assert git(repo, "log", "-1", "--format=%an", "main").strip() == "Test TD"
    last = git(repo, "log", "-1", "--walk-reflogs", "--format=%gn <%ge>", "main")
    assert last.strip() == "nukist <n@studio.example>"
    old, new = (git(repo, "rev-parse", f"main{at}")[:10] for at in ("~1", ""))
    line = f"push by nukist taken: refs/heads/main {old}..{new}"
    wait_for(lambda: line in studio.server.log.read_text(), "the log's line")
    assert "jtr_" not in studio.server.log.read_text()


def test_the_log_tells_of_each_branch_whether_a_push_was_taken(studio):
    worktree = studio.tree("write")
    worktree.write("jobtypes/First/meta.yaml", "max_batch: ten\n")
    worktree.commit()

    for refspecs in (["HEAD:main"], ["HEAD:refs/heads/a", "HEAD:refs/heads/b"], [":a", ":b"]):
        worktree.push("origin", *refspecs)

    new, main = (worktree.git("rev-parse", name)[:10] for name in ("HEAD", "origin/main"))
    none = "0" * 10
    for says in (
        f"refused: refs/heads/main {main}..{new}",
        f"taken: refs/heads/a {none}..{new}",
        f"taken: refs/heads/b {none}..{new}",
        f"taken: refs/heads/a {new}..{none}",
        f"taken: refs/heads/b {new}..{none}",
    ):
        line = f"push by write {says}"
        wait_for(lambda line=line: line in studio.server.log.read_text(), line)


# While the service runs


def test_tokens_are_made_and_revoked_in_every_worker_at_once(studio):
    repo = studio.server.repo

    def answers(secret: str) -> set[int]:
        path = f"{PREFIX}/jobtypes/First"
        sent = bearer(secret)
        return {
            studio.server.request("GET", path, headers=sent).status for _ in range(EVERY_WORKER)
        }

    secret = secret_of(create(repo, "short", "--role", "read"))
    assert answers(secret) == {200}
    jobtypes("token", "revoke", "short", "--repo", repo)
    assert answers(secret) == {401}
    other = secret_of(create(repo, "short", "--role", "read"))
    assert answers(other) == {200}
    assert answers(secret) == {401}


def test_the_first_token_closes_writing_and_revoking_the_last_opens_it_not_again(empty, serve):
    server = serve(empty, "--workers", "2")

    def answers() -> set[int]:
        sent = body("X")
        path = f"{PREFIX}/jobtypes/X"
        return {server.request("PUT", path, sent).status for _ in range(EVERY_WORKER)}

    assert answers() <= {200, 201}
    create(empty, "alice", "--role", "read")
    assert answers() == {401}
    jobtypes("token", "revoke", "alice", "--repo", empty)
    assert answers() == {401}


def test_a_tokens_file_that_cannot_be_looked_at_opens_nothing(empty, client):
    path = empty / "jobtypes" / "tokens.json"
    path.symlink_to(path)

    assert client.put(f"{PREFIX}/jobtypes/X", json=body("X")).status_code == 503
    assert client.get(f"{PREFIX}/jobtypes/").status_code == 200
