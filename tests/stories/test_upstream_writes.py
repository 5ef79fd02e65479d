"""Where writes to a service with an upstream go."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from api.config import Config, ConfigError, Writes
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.branch.writing import Writer
from gitstore.edits.jobtypes import delete_jobtype
from gitstore.errors import StorageFailed, StorageFull, UpstreamFailed
from tests.support.branches import jobtype
from tests.support.commands import jobtypes
from tests.support.following import SECRET, TWO, following, health, put
from tests.support.git import git, tip
from tests.support.plain_browser import PlainBrowser
from tests.support.rest import error
from tests.support.server import Answer
from tests.support.waiting import wait_for


def test_a_write_is_on_upstream_when_it_is_acknowledged(pair):
    origin, server = pair.origin.path, pair.server

    answer = put(server, name="Put")

    assert answer.status == 201
    assert answer.json["version"] == 1
    assert tip(origin) == answer.headers["x-git-commit"] == tip(server.repo)
    assert server.request("DELETE", "/api/v1/jobtypes/Put/versions/1").status == 204
    assert git(origin, "show", "main:withdrawn.yaml") == "Put: [1]\n"
    again = server.request("POST", "/api/v1/jobtypes/Put/versions/1/restore", {})
    assert (again.status, again.json["version"]) == (200, 1)
    put(server, 2, "Put")
    back = server.request("POST", "/api/v1/jobtypes/Put/rollback", {"version": 1})
    assert (back.status, back.json["version"]) == (201, 3)
    assert tip(origin) == back.headers["x-git-commit"] == tip(server.repo)


def test_a_write_that_lost_a_race_is_made_again_on_top(pair):
    put(pair.server, 1, "Raced")
    theirs = pair.commit(jobtype("Raced", "    theirs = 2\n"))

    answer = put(pair.server, 3, "Raced")

    assert answer.json["version"] == 3
    assert tip(pair.origin.path, "main~1") == theirs
    assert pair.server.get("/api/v1/jobtypes/Raced/versions/2").status == 200


def test_writers_through_two_services_and_past_them_all_land(pair, follow, clone):
    origin = pair.origin.path
    servers = [pair.server, follow(origin)]
    worktree = clone(origin)
    before = len(git(origin, "rev-list", "main").split())

    def write(n: int) -> Answer:
        return put(servers[n % 2], n, f"J{n}")

    def push() -> None:
        worktree.write("notes.txt", "pushed\n")
        while worktree.push().returncode:
            worktree.git("pull", "--quiet", "--rebase", "origin", "main")

    with ThreadPoolExecutor(4) as pool:
        pushing = pool.submit(push)
        answers = list(pool.map(write, range(12)))
        pushing.result()

    assert [answer.body for answer in answers if answer.status != 201] == []
    assert len(git(origin, "rev-list", "main").split()) == before + 12 + 1
    names = git(origin, "ls-tree", "--name-only", "main:jobtypes").split()
    assert {f"J{n}" for n in range(12)} <= set(names)


def test_upstream_that_is_down_is_a_502_and_nothing_changes(patient):
    server, forge = patient.server, patient.forge
    put(server, name="Down")
    before = tip(server.repo)

    with forge.down():
        answer = put(server, name="Down")

        assert "upstream" in error(answer, 502)["error"]
        assert tip(server.repo) == before == tip(patient.origin.path)
        assert server.get("/api/v1/jobtypes/Down").json["version"] == 1

    assert put(server, name="Down").json["version"] == 2


def test_upstream_that_hangs_is_a_502_and_nothing_changes(forged):
    server = forged.server
    before = tip(server.repo)

    with forged.forge.hanging():
        error(put(server), 502)

    assert tip(server.repo) == before


def test_what_upstreams_own_rules_refuse_is_a_502_with_their_words(pair):
    server = pair.server
    hook = pair.origin.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected here' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = tip(pair.origin.path)

    said = error(put(server), 502)["error"]

    hook.unlink()
    assert "remote: main is protected here error: failed to push" in said
    assert tip(server.repo) == before == tip(pair.origin.path)


def test_a_write_whose_answer_was_lost_on_the_way_is_one_version(patient):
    server = patient.server
    put(server, name="Lost")

    with patient.forge.losing_answers():
        answer = put(server, name="Lost")

    assert answer.status == 201
    assert answer.json["version"] == 2
    assert tip(patient.origin.path) == tip(server.repo) == answer.headers["x-git-commit"]


def test_a_fetch_that_began_before_a_lost_write_landed_does_not_speak_of_it(patient):
    server, forge = patient.server, patient.forge
    forge.lands.clear()

    with ThreadPoolExecutor(1) as pool, forge.losing_answers():
        writing = pool.submit(put, server)
        wait_for(lambda: forge.landing > 0, "the push")
        assert server.get("/api/v1/jobtypes/Unknown").status == 404
        forge.lands.set()
        answer = writing.result()

    assert answer.status == 201
    assert tip(forge.path) == tip(server.repo) == answer.headers["x-git-commit"]


@pytest.mark.parametrize("taken_back_to", ["main~2", None], ids=["rewound", "deleted"])
def test_a_write_does_not_undo_what_somebody_did_to_upstreams_branch(origin, follow, taken_back_to):
    server = follow(origin.path)
    for mark in (1, 2):
        assert put(server, mark).status == 201
    served = tip(server.repo)
    if taken_back_to:
        git(origin.path, "update-ref", "refs/heads/main", tip(origin.path, taken_back_to))
    else:
        git(origin.path, "update-ref", "-d", "refs/heads/main")
    before = git(origin.path, "for-each-ref")

    for mark in (3, 4):
        says = error(put(server, mark), 502)["error"]
        assert ("was rewritten" if taken_back_to else "no branch main any more") in says

    assert git(origin.path, "for-each-ref") == before
    assert tip(server.repo) == served
    assert health(server)["state"] == "refused"


def test_for_review_a_write_becomes_a_branch_upstream(reviewed, clone):
    origin, server = reviewed.origin, reviewed.server
    before = tip(origin.path)

    answer = put(server)

    assert answer.status == 202
    said = answer.json
    assert re.fullmatch(rf"jobtypes/Blender/{said['commit'][:10]}", said["branch"])
    assert said["review"] is None
    assert tip(origin.path, said["branch"]) == said["commit"]
    assert tip(origin.path) == before == tip(server.repo)
    previewed = server.get(f"/preview/{said['branch']}/api/v1/jobtypes/Blender").json
    assert previewed["version"] > 999_999_999
    worktree = clone(origin.path)
    worktree.git("merge", "--quiet", "--no-ff", f"origin/{said['branch']}")
    worktree.push()
    # A preview's code ends with the name of its class.
    assert previewed["code"].startswith(server.get(TWO).json["code"])


def test_for_review_a_rollback_becomes_a_branch_upstream(reviewed):
    reviewed.commit(jobtype("Back"))
    reviewed.commit(jobtype("Back", "    two = 2\n"))
    origin, server = reviewed.origin.path, reviewed.server
    server.get("/api/v1/jobtypes/Unknown")  # The service asks upstream, and so fetches.

    answer = server.request("POST", "/api/v1/jobtypes/Back/rollback", {"version": 1})

    assert answer.status == 202, answer.body
    branch = answer.json["branch"]
    trees = git(origin, "rev-parse", f"{branch}:jobtypes/Back", "main~1:jobtypes/Back").split()
    assert trees[0] == trees[1]
    done = jobtypes("rollback", "Back", "1", "--reason", "It leaks", "--url", server.url)
    assert done.stdout.startswith("it waits for review, on the branch jobtypes/Back/")


def test_for_review_a_branch_is_named_for_the_software(reviewed):
    origin, server = reviewed.origin, reviewed.server
    names = {"/bin/touch": "%2Fbin%2Ftouch", "Autodesk Maya": "Autodesk_Maya"}

    for name, component in names.items():
        said = server.request("POST", "/api/v1/software/", {"software": name}).json

        assert said["branch"] == f"jobtypes/{component}/{said['commit'][:10]}"
        assert tip(origin.path, said["branch"]) == said["commit"]


def test_for_review_what_changes_nothing_makes_no_branch(reviewed):
    origin, server = reviewed.origin, reviewed.server
    before = git(origin.path, "for-each-ref")

    assert server.request("DELETE", "/api/v1/jobtypes/Unknown").status == 204
    assert error(server.request("PUT", "/api/v1/jobtypes/X", {"name": "X"}), 400)
    assert git(origin.path, "for-each-ref") == before


def test_for_review_a_form_becomes_a_branch_upstream_and_no_comment_is_taken(reviewed):
    origin, server = reviewed.origin, reviewed.server
    browser = PlainBrowser(server.port)

    for number in (1, 2):
        browser.open("/jobtypes/Blender/edit").send("save", description=f"No. {number}")
        assert browser.status == 200, browser.text
        branch = f"web/anybody/Blender-{number}"
        assert branch in browser.text
        assert f"No. {number}" in git(origin.path, "show", f"{branch}:jobtypes/Blender/meta.yaml")
    git(server.repo, "update-ref", "refs/heads/here", tip(server.repo))
    assert browser.open("/changes/here").status == 200
    assert "Approve" not in browser.text
    for path in ("comments", "approvals"):
        error(server.get(f"/api/v1/changes/here/{path}"), 403)
    git(server.repo, "update-ref", "-d", "refs/heads/here")


def test_for_review_upstream_that_is_down_is_a_502(reviewed):
    path = reviewed.origin.path
    away = path.rename(path.with_name("away.git"))

    error(put(reviewed.server), 502)
    away.rename(path)


def test_writes_that_are_off_name_the_upstream(pairs):
    shared = pairs("--writes", "off")
    origin, server = shared.origin, shared.server

    assert str(origin.path) in error(put(server), 403)["error"]
    assert tip(origin.path) == tip(server.repo) == origin.tip


@pytest.mark.parametrize(
    ("options", "status"),
    [((), 200), (("--writes", "review", "--protect"), 403), (("--writes", "off"), 403)],
    ids=["push", "review", "off"],
)
def test_a_change_of_this_service_is_merged_where_writes_go(pairs, options, status):
    shared = pairs(*options)
    origin, server = shared.origin, shared.server
    server.get("/api/v1/jobtypes/Unknown")  # The service asks upstream, and so fetches.
    before = tip(origin.path)
    commit = origin.side(jobtype("Merged"), onto=before)
    git(server.repo, "fetch", "--quiet", str(origin.path), commit)
    git(server.repo, "update-ref", "refs/heads/topic", commit)

    answer = server.request("POST", "/api/v1/changes/topic/merge", {})

    assert answer.status == status
    if status == 200:
        assert tip(origin.path) == answer.json["commit"] == tip(server.repo)
    else:
        assert str(origin.path) in error(answer, 403)["error"]
        assert tip(origin.path) == before == tip(server.repo)


def test_the_command_line_merges_nothing_into_a_copy_that_follows(origin, follow, serve):
    server = follow(origin.path)
    git(server.repo, "fetch", "--quiet", str(origin.path), origin.side(jobtype("Nuke")))
    git(server.repo, "update-ref", "refs/heads/topic", "FETCH_HEAD")
    server.stop()

    done = jobtypes("changes", "merge", "topic", "--repo", server.repo)

    assert done.returncode == 1
    assert "follows an upstream; write there" in done.stderr
    assert tip(server.repo) == origin.tip
    serve(server.repo)
    alone = jobtypes("changes", "merge", "topic", "--repo", server.repo)
    assert alone.returncode == 0, alone.stderr


def test_beyond_loopback_a_replica_whose_writes_are_off_needs_no_tokens(tmp_path):
    open_to_all = Config(tmp_path, host="0.0.0.0", upstream="https://git.studio.example/x.git")

    replace(open_to_all, writes=Writes.OFF).refuse_open_writes(has_tokens=False)
    with pytest.raises(ConfigError):
        open_to_all.refuse_open_writes(has_tokens=False)


def test_a_read_only_replica_names_its_upstream(forge, follow, clone):
    server = follow(forge.url_for(f"bot:{SECRET}@"), "--read-only")
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("x", "y")

    pushed = worktree.push()

    for says in (pushed.stderr, error(put(server), 403)["error"]):
        assert f"read-only; push to its upstream, http://***@127.0.0.1:{forge.port}/" in says
        assert SECRET not in says


def test_a_git_push_reads_where_to_push(pair, clone):
    worktree = clone(f"{pair.server.url}/jobtypes.git")
    worktree.write("x", "y")

    for refs in ("HEAD:main", "HEAD:topic"):
        pushed = worktree.push("origin", refs)

        assert pushed.returncode
        assert f"this service follows {pair.origin.path}; push there" in pushed.stderr


def test_a_push_that_fails_and_did_not_land_says_so(origin, tmp_path):
    upstream = following(tmp_path, origin)
    made = upstream.store.repository
    commit = made.commit(origin.tip)
    origin.path.rename(tmp_path / "moved.git")

    with pytest.raises(UpstreamFailed):
        upstream.publish(origin.tip, commit.id)


@pytest.fixture
def locked(origin, tmp_path) -> tuple[Store, Path]:
    """A store that writes to upstream, whose branch somebody locks then; and the lock."""
    upstream = following(tmp_path, origin)
    lock = upstream.store.repository.git_dir / "refs/heads/main.lock"

    def publish(old: str | None, new: str) -> None:
        upstream.publish(old, new)
        lock.touch()

    upstream.store.writing.outlet = publish
    return upstream.store, lock


def test_a_branch_that_is_locked_for_a_moment_makes_no_second_commit_upstream(
    origin, locked, monkeypatch
):
    store, lock = locked
    monkeypatch.setattr(store.locks, "remove", lambda ref: lock.unlink())

    store.write([delete_jobtype("Blender")], Writer(message="once"))

    assert git(origin.path, "log", "--format=%s", f"{origin.tip}..main") == "once\n"
    assert store.repository.tip("refs/heads/main") == tip(origin.path)


@pytest.mark.parametrize("is_full", [False, True])
def test_a_branch_that_does_not_follow_its_write_says_that_upstream_has_it(
    origin, locked, monkeypatch, is_full
):
    store, lock = locked
    store.writing.limit_s = 0

    def fail(*args: object) -> None:
        raise StorageFull("no room")

    move = store.repository.move
    monkeypatch.setattr(store.repository, "move", fail if is_full else move)
    with pytest.raises(StorageFailed) as raised:
        store.write([delete_jobtype("Blender")], Writer(message="once"))

    monkeypatch.setattr(store.repository, "move", move)
    lock.unlink()
    landed = tip(origin.path)
    assert f"Upstream has the commit {landed}, and the next fetch brings it" in str(raised.value)
    assert isinstance(raised.value, StorageFull) == is_full
    assert git(origin.path, "log", "--format=%s", f"{origin.tip}..main") == "once\n"
    assert Upstream(store, str(origin.path)).fetch().error == ""
    assert store.catalogue().history.tip == landed
