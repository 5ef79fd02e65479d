"""Tokens: who may read, write and push with which, by the real commands, HTTP and git."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitstore.branch.tokens import Tokens
from gitstore.git.repository import init_repository
from tests.support.commands import Done, jobtypes
from tests.support.git import Worktree, git
from tests.support.rest import CODE, PREFIX, body, error, item
from tests.support.server import Answer, Server
from tests.support.sockets import Dialer
from tests.support.waiting import wait_for

EVERY_WORKER = 16
"""So many connections that no worker of two goes without one."""


def create(repo: Path, name: str, *options: str) -> Done:
    return jobtypes("token", "create", name, "--repo", repo, *options)


def secret_of(done: Done) -> str:
    """What a command showed as the only line of its output."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return done.stdout.strip()


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def basic(user: str, password: str) -> dict[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


# The commands


def test_a_token_is_shown_once_and_only_its_digest_is_kept(empty):
    secret = secret_of(create(empty, "alice", "--role", "write", "--only", "Nuke*"))

    path = empty / "jobtypes" / "tokens.json"
    kept = path.read_text()
    listed = jobtypes("token", "list", "--repo", empty).stdout
    assert secret.startswith("jtr_")
    assert len(secret) > 40
    assert secret.removeprefix("jtr_") not in kept + listed
    assert json.loads(kept)[0]["sha256"] == hashlib.sha256(secret.encode()).hexdigest()
    assert hashlib.sha256(secret.encode()).hexdigest() not in listed
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_file_is_for_its_owner_alone_after_each_change(empty):
    path = empty / "jobtypes" / "tokens.json"
    create(empty, "alice", "--role", "write")
    path.chmod(0o644)

    jobtypes("token", "revoke", "alice", "--repo", empty)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in path.parent.iterdir() if p.suffix == ".new"] == []


def test_a_list_says_who_may_do_what(empty):
    create(empty, "alice", "--role", "write", "--only", "Nuke*", "--only", "Maya")
    create(empty, "farm reader", "--role", "read", "--email", "farm@studio.example")

    rows = jobtypes("token", "list", "--repo", empty).stdout.splitlines()

    assert rows[0].split() == ["NAME", "ROLE", "ONLY", "EMAIL", "CREATED", "ENDS", "USED"]
    assert rows[1].split()[:5] == ["alice", "write", "Nuke*", "Maya", "alice@localhost"]
    assert rows[2].split()[:5] == ["farm", "reader", "read", "-", "farm@studio.example"]


def test_a_second_token_of_a_name_is_refused_until_the_first_is_revoked(empty):
    create(empty, "alice", "--role", "write")

    again = create(empty, "alice", "--role", "read")

    assert (again.returncode, again.stdout) == (1, "")
    assert "there is a token alice; revoke it first, rotate it, or" in again.stderr
    assert jobtypes("token", "revoke", "alice", "--repo", empty).stdout == "revoked alice\n"
    secret_of(create(empty, "alice", "--role", "read"))


def test_revoking_what_is_not_there_points_to_the_list(empty):
    done = jobtypes("token", "revoke", "alice", "--repo", empty)

    assert done.returncode == 1
    assert "there is no token alice; see jobtypes token list" in done.stderr


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("alice", (), "--role"),
        ("alice", ("--role", "root"), "'root' is not one of"),
        ("alice", ("--role", "read", "--email", "alice"), "--email"),
        ("alice", ("--role", "read", "--email", "a <a@studio.example>"), "--email"),
        ("alice\n", ("--role", "read"), "NAME"),
        ("<alice>", ("--role", "read"), "NAME"),
        ("", ("--role", "read"), "NAME"),
        ("J. Smith Jr.", ("--role", "read"), "NAME"),
        ("alice", ("--role", "write", "--only", ""), "--only"),
        ("alice", ("--role", "write", "--only", "Nuke*,Maya"), "one for each --only"),
        ("alice", ("--role", "write", "--only", "Nuke*", "--only", "jobtypes/Maya"), "--only"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused_by_the_option(empty, name, options, says):
    done = create(empty, name, *options)

    assert done.returncode != 0
    assert done.stdout == ""
    assert says in done.stderr
    assert not Tokens(empty).standing.exist


def test_tokens_made_at_once_are_all_kept(empty):
    command = [sys.executable, "-m", "api", "token", "create", "--role", "read"]
    makers = [
        subprocess.Popen(
            [*command, "--repo", empty, f"td{n}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for n in range(4)
    ]

    secrets = [maker.communicate(timeout=60)[0].strip() for maker in makers]

    found = [Tokens(empty).standing.find(secret) for secret in secrets]
    assert [access and access.name for access in found] == ["td0", "td1", "td2", "td3"]


def test_a_token_is_compared_with_every_row_in_constant_time(empty, monkeypatch):
    secrets = [secret_of(create(empty, name, "--role", "read")) for name in ("a", "b", "c")]
    tokens = Tokens(empty)
    compared = []
    real = hmac.compare_digest

    def counting(one: str, other: str) -> bool:
        compared.append(one)
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", counting)

    for secret in (*secrets, "jtr_wrong"):
        compared.clear()
        tokens.standing.find(secret)
        assert compared == [row.sha256 for row in tokens.rows()]


def test_a_clone_has_no_tokens(sample, clone):
    create(sample, "alice", "--role", "read")

    made = clone(sample)

    assert not list(made.path.rglob("tokens.json"))


# Roles


ROLES = ("read", "write", "admin")


@dataclass
class Studio:
    """A service with a token for each role, and one for Nuke alone."""

    server: Server
    secrets: dict[str, str]
    folder: Path

    def call(self, who: str | None, method: str, path: str, sent: object = None) -> Answer:
        headers = {} if who is None else bearer(self.secrets[who])
        return self.server.request(method, PREFIX + path, sent, headers)

    def make(self, name: str) -> None:
        """A jobtype and a software of that name, which are there from now on."""
        answer = self.call("admin", "PUT", item("jobtypes", name), body(name))
        assert answer.status in (200, 201), answer.body
        answer = self.call("admin", "PUT", item("software", name), {"software": name})
        assert answer.status in (200, 201), answer.body

    def tree(self, who: str) -> Worktree:
        """That person's clone, at what is served now."""
        made = Worktree(self.folder / who)
        if not made.path.exists():
            url = self.server.url.replace("//", f"//x:{self.secrets[who]}@")
            git(self.folder, "clone", "--quiet", f"{url}/jobtypes.git", who)
        made.git("fetch", "--quiet")
        made.git("checkout", "--quiet", "--force", "-B", "main", "origin/main")
        return made

    def push(self, who: str, name: str, meta: str) -> subprocess.CompletedProcess[str]:
        worktree = self.tree(who)
        worktree.write(f"jobtypes/{name}/code.py", CODE)
        worktree.write(f"jobtypes/{name}/meta.yaml", meta)
        return worktree.push()


@pytest.fixture(scope="module")
def studio(tmp_path_factory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    repo = init_repository(folder / "farm.git", "main").git_dir
    secrets = {role: secret_of(create(repo, role, "--role", role)) for role in ROLES}
    secrets["nukist"] = secret_of(
        create(repo, "nukist", "--role", "admin", "--only", "Nuke*", "--email", "n@studio.example")
    )
    server = Server(repo, "--workers", "2", "--no-access-log")
    made = Studio(server, secrets, folder)
    made.make("First")
    yield made
    server.stop()


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


# How a token is sent, and what is answered without a good one


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/jobtypes/"),
        ("PUT", "/jobtypes/First"),
        ("POST", "/software/"),
        ("DELETE", "/changes/mine"),
        ("POST", "/changes/mine/merge"),
    ],
)
@pytest.mark.parametrize(("who", "status"), [(None, 401), ("read", 403)])
def test_a_user_who_may_not_write_reads_so_whatever_they_sent(studio, method, path, who, status):
    error(studio.call(who, method, path, b"no JSON"), status)


def test_the_body_of_a_stranger_is_not_waited_for(studio):
    dialer = Dialer()
    stalled = dialer.stalled(studio.server.port, f"PUT {PREFIX}/jobtypes/First")

    assert stalled.status == 401
    dialer.close()


def test_a_stranger_reads_it_too_where_nothing_can_be_written(studio):
    assert studio.call(None, "POST", "/nothing").status == 404
    preview = studio.server.request("POST", f"/preview/main{PREFIX}/jobtypes/", body("New"))
    assert preview.status == 405


def challenges(server: Server, method: str, path: str) -> list[str]:
    """What a request without a token is asked for, which must be refused for that."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        assert response.status == 401
        return response.headers.get_all("WWW-Authenticate") or []
    finally:
        connection.close()


CHALLENGES = ['Basic realm="jobtypes"', 'Bearer realm="jobtypes"']


@pytest.mark.parametrize(
    "headers",
    [
        lambda secret: bearer(secret),
        lambda secret: basic("anybody", secret),
        lambda secret: basic("", secret),
        lambda secret: basic(secret, ""),
    ],
    ids=["bearer", "password", "password alone", "user alone"],
)
def test_a_token_is_taken_in_each_way_it_may_be_sent(studio, headers):
    path = f"{PREFIX}/jobtypes/First"
    sent = headers(studio.secrets["write"])

    answer = studio.server.request("PUT", path, body("First"), sent)

    assert answer.status in (200, 201), answer.body


@pytest.mark.parametrize("headers", [{}, {"Authorization": ""}], ids=["none", "empty"])
def test_a_write_without_a_token_asks_for_one(studio, headers):
    answer = studio.server.request("PUT", f"{PREFIX}/jobtypes/X", body("X"), headers)

    assert error(answer, 401)["error"].endswith(
        "send a token, as Authorization: Bearer jtr_... or as the password of Basic"
    )
    assert challenges(studio.server, "DELETE", f"{PREFIX}/jobtypes/First") == CHALLENGES


@pytest.mark.parametrize(
    "headers",
    [
        bearer("jtr_wrong"),
        bearer(""),
        bearer("jtr_" + "é" * 40),
        basic("alice", "wrong"),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Digest username=alice"},
        {"Authorization": "jtr_wrong"},
    ],
    ids=["unknown", "empty", "no ASCII", "wrong", "no base64", "digest", "no scheme"],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_what_is_no_token_of_ours_is_refused_even_to_read(studio, method, headers):
    sent = body("First") if method == "PUT" else None
    raw = {name: value.encode().decode("latin-1") for name, value in headers.items()}

    answer = studio.server.request(method, f"{PREFIX}/jobtypes/First", sent, raw)

    error(answer, 401)
    assert "www-authenticate" in answer.headers


def test_reading_and_cloning_need_no_token_by_default(studio, clone):
    assert studio.call(None, "GET", "/jobtypes/First").status == 200
    assert clone(f"{studio.server.url}/jobtypes.git").git("ls-files")


def test_where_reading_needs_a_token_nothing_is_read_without_one(empty, serve, clone):
    secret = secret_of(create(empty, "alice", "--role", "read"))
    server = serve(empty, "--workers", "1", "--read-needs-token")
    paths = ("/jobtypes/", "/jobtypes/schema", "/software/", "/changes/")
    git_path = "/jobtypes.git/info/refs?service=git-upload-pack"

    for path in (*(PREFIX + path for path in paths), git_path):
        assert b"reading needs a token" in server.get(path).body
        assert challenges(server, "GET", path) == CHALLENGES
        assert server.request("GET", path, headers=bearer(secret)).status == 200

    clone(server.url.replace("//", f"//x:{secret}@") + "/jobtypes.git")


def test_a_push_without_a_token_is_asked_for_one(studio, clone, monkeypatch):
    monkeypatch.setenv("GIT_TERMINAL_PROMPT", "0")
    worktree = clone(f"{studio.server.url}/jobtypes.git")
    worktree.write("jobtypes/First/notes.txt", "x\n")

    assert "could not read Username" in worktree.push().stderr


def test_a_push_is_taken_with_a_bearer_header_too(studio, clone):
    worktree = clone(f"{studio.server.url}/jobtypes.git")
    header = f"Authorization: Bearer {studio.secrets['write']}"
    worktree.git("config", "http.extraHeader", header)
    worktree.write("jobtypes/First/bearer.txt", "x\n")

    result = worktree.push()

    assert result.returncode == 0, result.stderr


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
