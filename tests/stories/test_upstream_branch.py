"""What becomes of upstream's branches, tags and pull requests in the copy."""

from __future__ import annotations

import os

from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream, open_follower
from tests.support.branches import Branch, jobtype
from tests.support.following import ONE, TWO, following, health, put, second
from tests.support.git import git, tip
from tests.support.waiting import wait_for


def test_a_rewritten_upstream_is_refused_loudly_and_the_last_good_tip_served(origin, follow):
    server = follow(origin.path)
    good = second(origin)
    assert server.get(TWO).status == 200
    bad = origin.side(jobtype("Other"), onto=tip(origin.path, "main~1"))
    git(origin.path, "update-ref", "refs/heads/main", bad)

    assert server.get("/health/upstream").status == 200
    assert server.get("/api/v1/jobtypes/Other").status == 404
    assert server.get("/health/upstream").status == 503
    assert server.get("/health/ready").status == 200
    said = health(server)
    assert said["state"] == "refused"
    assert good in str(said["refusal"])
    assert "git push --force-with-lease" in str(said["refusal"])
    assert "was rewritten" in server.log.read_text()
    assert server.get(TWO).status == 200
    assert put(server).status == 502
    assert tip(server.repo) == good
    server.stop()
    server.start()
    assert health(server)["state"] == "refused"

    fixed = origin.side(jobtype("Other"), onto=good)
    git(origin.path, "update-ref", "refs/heads/main", fixed)

    assert server.get("/api/v1/jobtypes/Other").status == 200
    assert health(server)["state"] == "following"
    assert server.get("/health/upstream").status == 200


def test_a_lost_branch_comes_back_from_upstream_and_only_as_it_was(origin, tmp_path):
    upstream = following(tmp_path, origin)
    second(origin)
    upstream.fetch()
    upstream.store.served.rebuild_index()
    copy = upstream.store.repository.git_dir
    good = tip(copy)
    git(copy, "update-ref", "-d", "refs/heads/main")
    git(origin.path, "update-ref", "refs/heads/main", tip(origin.path, "main~1"))

    assert upstream.fetch().name == "refused"
    assert upstream.store.repository.tip("refs/heads/main") is None

    git(origin.path, "update-ref", "refs/heads/main", good)
    assert upstream.fetch().name == "following"
    assert tip(copy) == good


def test_published_steps_pushed_off_the_first_parents_are_refused_too(origin, tmp_path):
    upstream = following(tmp_path, origin)
    mine = origin.side(jobtype("Mine"))
    published = second(origin)
    upstream.fetch()
    merge = origin.side(jobtype("Mine"), onto=mine, merged=(published,))
    git(origin.path, "update-ref", "refs/heads/main", merge)

    state = upstream.fetch()

    assert state.name == "refused"
    assert published in state.refusal
    assert tip(upstream.store.repository.git_dir) == published


def test_a_branch_that_is_gone_upstream_is_served_on_and_told(origin, follow):
    server = follow(origin.path)
    git(origin.path, "update-ref", "-d", "refs/heads/main")

    assert server.get(TWO).status == 404
    assert server.get(ONE).status == 200
    assert health(server)["state"] == "refused"
    assert "no branch main any more" in str(health(server)["refusal"])


def test_a_huge_upstream_is_followed(origin, follow):
    server = follow(origin.path)
    refs = "".join(f"create refs/pull/{n}/head {origin.tip}\n" for n in range(1, 3001))
    git(origin.path, "update-ref", "--stdin", input=refs)
    origin.commit({"assets/scene.blend": os.urandom(15_000_000).hex(), **jobtype("Nuke")})

    assert server.get("/api/v1/jobtypes/Nuke/versions/1").status == 200
    assert server.get(ONE).status == 200
    assert server.get("/preview/pull/3000/api/v1/jobtypes/Blender/versions/1").status == 200
    # A push or clone of ours does not carry them.
    assert "pull" not in git(server.repo, "ls-remote", f"{server.url}/jobtypes.git")


def test_an_upstream_without_a_commit_is_followed_to_its_first(tmp_path, follow):
    empty = Branch(tmp_path / "empty.git")
    server = follow(empty.path)
    assert server.get("/api/v1/jobtypes/").json == []

    empty.commit(jobtype("Blender"))

    assert server.get(ONE).status == 200


def test_the_served_branch_is_the_one_that_upstreams_head_names(origin, tmp_path):
    git(origin.path, "update-ref", "refs/heads/farm", origin.tip)
    git(origin.path, "symbolic-ref", "HEAD", "refs/heads/farm")

    assert following(tmp_path, origin).branch == "farm"


def test_an_upstream_may_be_a_path_from_where_one_is(origin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = Store(open_follower(tmp_path / "copy.git", "origin.git", None))

    state = Upstream(store, "origin.git").fetch()

    assert state.error == ""
    assert store.catalogue().history.tip == origin.tip


def test_the_tags_of_versions_are_not_fetched_from_another_service(origin, tmp_path, serve):
    upstream = serve(origin.path)
    tagged = ("for-each-ref", "refs/tags", "refs/upstream/tags")
    wait_for(lambda: bool(git(origin.path, *tagged)), "the version to be tagged")

    url = f"{upstream.url}/jobtypes.git"
    store = Store(open_follower(tmp_path / "plain.git", url, None))

    assert Upstream(store, url).fetch().error == ""
    assert store.catalogue().jobtypes()
    assert not git(tmp_path / "plain.git", *tagged)


def test_a_lock_on_another_branch_does_not_keep_the_served_one_back(origin, tmp_path):
    upstream = following(tmp_path, origin)
    copy = upstream.store.repository.git_dir
    commit = second(origin)
    for name in ("aa", "zz"):
        git(origin.path, "update-ref", f"refs/heads/{name}", commit)
        (copy / "refs/upstream/heads" / f"{name}.lock").touch()

    state = upstream.fetch()

    assert state.name == "unreachable"
    assert "lock" in state.error
    assert tip(copy) == commit


def test_tags_of_upstream_have_previews_and_are_not_handed_on(pair):
    commit = pair.origin.side(jobtype("Tagged"), onto=tip(pair.origin.path))
    git(pair.origin.path, "tag", "rc-1", commit)

    previewed = pair.server.get("/preview/rc-1/api/v1/jobtypes/Tagged")

    assert previewed.status == 200
    assert "rc-1" not in git(pair.server.repo, "ls-remote", f"{pair.server.url}/jobtypes.git")


def test_pull_requests_are_fetched_and_go_when_they_are_gone(origin, tmp_path):
    upstream = following(tmp_path, origin)
    names = ["pull/7/head", "merge-requests/8/head", "heads/topic"]
    for name in names:
        git(origin.path, "update-ref", f"refs/{name}", origin.tip)
    upstream.fetch()
    repository = upstream.store.repository
    there = [repository.tip(f"refs/upstream/{name}") for name in names]
    git(origin.path, "update-ref", "-d", "refs/pull/7/head")
    upstream.fetch()

    assert there == [origin.tip] * 3
    assert repository.tip("refs/upstream/pull/7/head") is None
