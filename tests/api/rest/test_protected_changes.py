"""Changes with --protect: who may merge, push and delete what."""

from __future__ import annotations

import re
from collections.abc import Iterator
from subprocess import CompletedProcess

import pytest

from gitstore.branch.access import Role
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.tokens import Tokens
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git, tip
from tests.support.rest import body, code
from tests.support.server import Answer, Server
from tests.support.tokens import Members

BRANCH_ADVICE = ("git switch -c my-change", "git push -u origin my-change")


class Studio(Members):
    """A protected service with tokens, and who has which."""

    def merge(self, who: str | None, branch: str) -> Answer:
        """What merging said to one who has just looked at the branch."""
        seen = tip(self.server.repo, branch)
        return self.call(who, "POST", f"/changes/{branch}/merge", {"commit": seen})

    def clone(self, who: str) -> Worktree:
        """That person's clone, at what is served now."""
        made = self.fetched(who)
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
