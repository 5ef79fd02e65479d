"""Following an upstream: what is served whatever upstream does, and where writes go."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest

from api.config import Config, ConfigError, Writes
from api.worker.follower import poll_pause_s
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream, open_follower
from gitstore.branch.upstream_state import UpstreamState
from gitstore.errors import UpstreamFailed
from gitstore.git.remote_url import parse_remote_url
from hooks.forges import review_link
from tests.support.branches import Branch, Content, jobtype
from tests.support.commands import jobtypes
from tests.support.forge import Forge
from tests.support.git import git
from tests.support.rest import body, code, error
from tests.support.server import Answer, Server, free_port
from tests.support.waiting import wait_for

ONE = "/api/v1/jobtypes/Blender/versions/1"
TWO = "/api/v1/jobtypes/Blender/versions/2"
OPTIONS = ("--workers", "1", "--poll-s", "3600", "--fetch-pause-s", "0")
SECRET = "s3cr3t-of-the-bot"


@pytest.fixture
def origin(tmp_path) -> Branch:
    """A bare repository, which is the upstream, with one version of one jobtype."""
    made = Branch(tmp_path / "origin.git")
    made.commit(jobtype("Blender"))
    return made


@pytest.fixture
def forge(origin) -> Iterator[Forge]:
    """A forge that serves the upstream over HTTP."""
    with Forge(origin.path) as made:
        yield made


@dataclass
class Pair:
    """An upstream and a service that follows it, for tests that leave them in order."""

    origin: Branch
    server: Server

    def commit(self, changes: dict[str, Content]) -> str:
        """A new commit upstream, where the service may have written, too."""
        self.origin.tip = tip(self.origin.path)
        return self.origin.commit(changes)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Iterator[Pair]:
    """An upstream and its follower."""
    folder = tmp_path_factory.mktemp("pair")
    origin = Branch(folder / "origin.git")
    origin.commit(jobtype("Blender"))
    server = Server(folder / "copy.git", *OPTIONS, "--upstream", str(origin.path))
    yield Pair(origin, server)
    server.stop()


Follow = Callable[..., Server]


@pytest.fixture
def follow(tmp_path, serve) -> Follow:
    """Starts services that follow: ``follow(url, "--writes", "off")``; they don't poll."""
    count = iter(range(100))

    def start(url: object, *options: str) -> Server:
        repo = tmp_path / f"copy{next(count)}.git"
        started: Server = serve(repo, *OPTIONS, "--upstream", str(url), *options)
        return started

    return start


def second(origin: Branch) -> str:
    """Make version 2 upstream."""
    return origin.commit(jobtype("Blender", "    two = 2\n"))


def health(server: Server) -> dict[str, object]:
    said = server.get("/health/upstream").json
    assert isinstance(said, dict)
    return said


def put(server: Server, mark: object = "put", name: str = "Blender") -> Answer:
    return server.request("PUT", f"/api/v1/jobtypes/{name}", body(name, code=code(mark)))


def tip(path: Path, ref: str = "main") -> str:
    return git(path, "rev-parse", ref).strip()


def many(count: int, ask: Callable[[int], Answer]) -> list[Answer]:
    """What *ask* gave, called with each number below *count*, all at once."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


# When it fetches


def test_it_fetches_at_start_and_serves_what_upstream_has(origin, follow):
    server = follow(origin.path)
    first = server.get(ONE).status, server.get("/api/v1/jobtypes/Blender").json["version"]
    server.stop()
    second(origin)

    server.start()

    assert first == (200, 1)
    assert server.get("/api/v1/jobtypes/Blender").json["version"] == 2


@pytest.mark.parametrize("option", ["--poll-s", "--poll"])
def test_it_polls(origin, follow, option):
    server = follow(origin.path, option, "1")
    second(origin)

    wait_for(
        lambda: server.get("/api/v1/jobtypes/Blender").json["version"] == 2, "version 2 by polling"
    )


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_version_that_is_not_known_is_asked_of_upstream_before_the_404(pair, method):
    pair.commit(jobtype(method))
    pair.server.get(f"/api/v1/jobtypes/{method}")
    pair.commit(jobtype(method, "    two = 2\n"))

    assert pair.server.request(method, f"/api/v1/jobtypes/{method}/versions/2").status == 200
    assert pair.server.request(method, f"/api/v1/jobtypes/{method}/versions/3").status == 404


def test_whatever_is_not_known_is_asked_of_upstream(pair):
    pair.commit(jobtype("Nuke"))
    assert pair.server.get("/api/v1/jobtypes/Nuke/versions/1/code").status == 200
    pair.commit({"software/maya.yaml": 'versions: [{version: "2026", rank: 100}]\n'})

    assert pair.server.get("/api/v1/software/maya/versions/2026").status == 200


def test_all_who_miss_a_version_share_a_fetch_and_get_it(origin, forge, follow):
    server = follow(forge.url, "--workers", "2", "--threads", "8")
    second(origin)
    before = forge.fetches
    forge.open.clear()

    with ThreadPoolExecutor(150) as pool:
        asked = [pool.submit(server.get, TWO) for _ in range(150)]
        wait_for(lambda: forge.waiting > 0, "a fetch to hang")
        assert not any(answer.done() for answer in asked)
        forge.open.set()
        answers = [answer.result() for answer in asked]

    assert {answer.status for answer in answers} == {200}
    # One that was under way when the last of them came, and one for each worker at most.
    assert forge.fetches - before <= 4


def test_misses_are_asked_of_upstream_once_in_a_few_seconds(origin, forge, follow):
    server = follow(forge.url, "--fetch-pause-s", "2")
    before = forge.fetches

    answers = many(50, lambda n: server.get(f"/api/v1/jobtypes/Unknown{n}"))

    assert {answer.status for answer in answers} == {404}
    assert forge.fetches - before == 1


# What upstream may do


def test_reads_are_answered_while_a_fetch_hangs(origin, forge, follow):
    server = follow(forge.url, "--poll-s", "1", "--threads", "8")
    forge.open.clear()
    wait_for(lambda: forge.waiting > 0, "a fetch to hang")

    with ThreadPoolExecutor(20) as pool:
        missing = [pool.submit(server.get, f"{ONE[:-1]}{n}") for n in range(2, 22)]
        answers = many(200, lambda n: server.get(ONE))
        # The fetch ends only when it may: so nobody waited for it who has an answer by now.
        hung = forge.waiting > 0 and not any(answer.done() for answer in missing)
        forge.open.set()
        missed = {answer.result().status for answer in missing}

    assert hung
    assert {answer.status for answer in answers} == {200}
    assert missed == {404}


def test_an_upstream_that_is_slower_than_the_limit_is_followed_when_it_is_not(
    origin, forge, follow
):
    server = follow(forge.url, "--poll-s", "1", "--fetch-limit-s", "1")
    second(origin)
    forge.open.clear()
    newest = "/api/v1/jobtypes/Blender"
    said = []

    def is_given_up() -> bool:
        said.append(server.get(newest))
        return "did not answer" in str(health(server)["error"])

    wait_for(is_given_up, "the fetch to be given up")
    assert {(answer.status, answer.json["version"]) for answer in said} == {(200, 1)}
    forge.open.set()

    wait_for(lambda: server.get(newest).json["version"] == 2, "version 2")


@pytest.mark.parametrize(
    ("failures", "least_s", "most_s"), [(0, 48, 72), (1, 96, 144), (4, 400, 600), (10, 400, 600)]
)
def test_the_pause_between_fetches_grows_with_failures_and_differs(failures, least_s, most_s):
    pauses = [poll_pause_s(60, failures) for _ in range(200)]

    assert least_s <= min(pauses) < max(pauses) <= most_s
    assert max(pauses) - min(pauses) > (most_s - least_s) / 2


def test_an_upstream_that_refuses_is_asked_less_and_less_often(forge, follow):
    server = follow(forge.url_for(f"bot:{SECRET}@"), "--poll-s", "1")
    forge.password = "another"
    path = server.repo / "jobtypes" / "upstream.json"
    begun: list[float] = []

    def is_seen() -> bool:
        at = json.loads(path.read_text())["begun"]
        if at not in begun:
            begun.append(at)
        return len(begun) == 4

    wait_for(is_seen, "three fetches that fail")
    gaps = [after - before for before, after in pairwise(begun)]
    assert gaps[1] >= 1.6
    assert gaps[2] >= 3.2


def test_a_fetch_that_hangs_is_killed_and_misses_are_then_404_at_once(origin, forge, follow):
    server = follow(forge.url, "--fetch-limit-s", "1")
    forge.open.clear()

    assert server.get(TWO).status == 404
    asked = forge.fetches
    many(20, lambda n: server.get(TWO))

    assert forge.fetches == asked
    said = health(server)
    assert said["state"] == "unreachable"
    assert "did not answer within 1 s" in str(said["error"])
    forge.open.set()


def test_a_slow_upstream_is_waited_for(origin, forge, follow):
    server = follow(forge.url)
    second(origin)
    forge.open.clear()

    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(server.get, TWO)
        wait_for(lambda: forge.waiting > 0, "the fetch")
        assert server.get(ONE).status == 200
        forge.open.set()

        assert answer.result().status == 200


def test_while_upstream_is_down_the_last_good_tip_is_served_also_after_a_restart(forge, follow):
    server = follow(forge.url)
    forge.go_down()
    missed = server.get(TWO).status
    while_down = server.get(ONE)
    server.stop()

    server.start()

    assert missed == 404
    assert while_down.status == 200
    assert server.get(ONE).body == while_down.body
    assert server.get("/health/ready").status == 200
    assert health(server)["state"] == "unreachable"
    assert "serving what was fetched before" in server.log.read_text()
    forge.come_back()


def test_when_upstream_is_back_it_is_followed_again(origin, forge, follow):
    server = follow(forge.url, "--poll-s", "1")
    forge.go_down()
    wait_for(lambda: health(server)["state"] == "unreachable", "a fetch that fails")
    second(origin)

    forge.come_back()

    wait_for(lambda: server.get(TWO).status == 200, "version 2")
    wait_for(lambda: health(server)["state"] == "following", "a good fetch in the health")


def test_a_first_start_without_upstream_says_so(tmp_path):
    url = f"http://bot:{SECRET}@127.0.0.1:{free_port()}/x.git"

    done = jobtypes("serve", "--repo", tmp_path / "copy.git", "--upstream", url)

    assert done.returncode == 1
    assert "upstream" in done.stderr
    assert "127.0.0.1" in done.stderr
    assert SECRET not in done.stdout + done.stderr


@pytest.mark.parametrize("url", ["--upload-pack=touch x", "ext::sh -c true", "/nowhere/x.git"])
def test_what_is_no_repository_is_refused_at_start(tmp_path, url):
    done = jobtypes("serve", "--repo", tmp_path / "copy.git", f"--upstream={url}")

    assert done.returncode == 1
    assert done.stderr.startswith("jobtypes: ")


def test_no_credential_of_the_url_is_in_any_log_or_answer(origin, forge, follow, clone, tmp_path):
    forge.password = SECRET
    server = follow(forge.url_for(f"bot:{SECRET}@"))
    assert server.get(ONE).status == 200
    forge.password = "another"
    second(origin)

    answers = [
        server.get(TWO),
        put(server),
        server.get("/health/upstream"),
        server.get("/health/ready"),
        server.get("/metrics"),
        server.get("/api/v1/changes/"),
    ]
    worktree = clone(f"{server.url}/jobtypes.git")
    worktree.write("x", "y")
    pushed = worktree.push()
    server.stop()
    server.start()

    assert [answer.status for answer in answers[:2]] == [404, 502]
    assert "Authentication failed" in str(answers[2].json["error"])
    assert "follows" in pushed.stderr
    said = b"".join(answer.body for answer in answers)
    for text in (said.decode(), pushed.stderr, server.log.read_text()):
        assert SECRET not in text
    assert f"***@127.0.0.1:{forge.port}" in said.decode()
    for path in server.repo.rglob("*"):
        if path.is_file() and "objects" not in path.parts:
            assert SECRET.encode() not in path.read_bytes(), path


def test_a_token_alone_as_user_is_no_secret_to_tell_either(forge, follow):
    server = follow(forge.url_for(f"{SECRET}@"), "--writes", "off")

    said = server.get("/health/upstream").body + put(server).body

    assert b"127.0.0.1" in said
    assert SECRET.encode() not in said


@pytest.mark.parametrize(
    "url",
    [
        *(f"http://bot:abc{c}S3CRETx@h.example/x.git" for c in '/?#@" []'),
        *(f"http://bot:12{c}S3CRETx@h.example/x.git" for c in '?#@" []'),
        "https:/bot:S3CRETx@h.example/x.git",
        "bot:S3CRETx@h.example:x.git",
        "ssh://bot:a/S3CRETx@h.example:22/x.git",
    ],
)
def test_a_url_whose_password_can_not_be_told_is_refused_and_not_shown(tmp_path, url):
    done = jobtypes("serve", "--repo", tmp_path / "new.git", "--upstream", url)

    assert done.returncode == 1
    assert "percent-encode" in done.stderr
    assert "S3CRET" not in done.stdout + done.stderr
    assert "S3CRET" not in parse_remote_url(url).scrub(f"fatal: {url}: no")


@pytest.mark.parametrize(
    "url",
    [
        "https://bot:a%2FS3@h.example:8443/td@studio/x.git",
        "https://h.example/td@studio/x.git",
        "https://bot@[::1]:8080/x.git",
        "ssh://git@h.example:22/~td/x.git",
        "git@h.example:td/x.git",
        "h.example:td@studio/x.git",
        "/srv/td@studio/x.git",
        "file:///srv/x@y.git",
    ],
)
def test_a_url_that_is_clear_is_taken(empty, url):
    assert "S3" not in Upstream(Store(empty), url).shown_url


def test_a_password_of_digits_before_a_slash_is_not_shown():
    url = "http://bot:12/S3CRETx@h.example/x.git"

    assert "S3CRET" not in parse_remote_url(url).scrub(f"fatal: unable to access '{url}/': no")


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        (
            "https://u:pw@git.studio.example/x",
            "fatal: https://u:pw@git.studio.example/x",
            "***@git",
        ),
        (
            "https://tok@git.studio.example/x",
            "bad tok at https://tok@git.studio.example/",
            "bad ***",
        ),
        ("https://u:p%40w@h.example/x", "no access with p@w or p%40w", "no access with *** or ***"),
        ("git@git.studio.example:x.git", "git@git.studio.example: denied", "git@git"),
        ("/srv/x.git", "fatal: https://other:pw@h.example/", "https://***@h.example/"),
    ],
)
def test_scrubbing_takes_out_what_is_secret(url, text, shown):
    scrubbed = parse_remote_url(url).scrub(text)

    assert shown in scrubbed
    assert not re.search(r"pw|tok\b|p@w|p%40w", scrubbed)


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


def following(tmp_path: Path, origin: Branch, limit_s: float = 30) -> Upstream:
    """A store that follows *origin*, without a service."""
    url = str(origin.path)
    upstream = Upstream(Store(open_follower(tmp_path / "plain.git", url, None)), url, limit_s)
    assert upstream.fetch().error == ""
    return upstream


def test_the_tags_of_versions_are_not_fetched_from_another_service(origin, tmp_path, serve):
    upstream = serve(origin.path)
    tagged = ("for-each-ref", "refs/tags", "refs/upstream/tags")
    wait_for(lambda: bool(git(origin.path, *tagged)), "the version to be tagged")

    url = f"{upstream.url}/jobtypes.git"
    store = Store(open_follower(tmp_path / "plain.git", url, None))

    assert Upstream(store, url).fetch().error == ""
    assert store.catalogue().jobtypes()
    assert not git(tmp_path / "plain.git", *tagged)


def test_a_fetch_that_another_worker_began_since_is_not_done_again(origin, tmp_path):
    upstream = following(tmp_path, origin)
    other = Upstream(Store(upstream.store.repository.git_dir), str(origin.path))
    known = upstream.state()
    second(origin)

    assert other.fetch(known.begun) == known
    assert other.fetch(known.begun + 0.001).begun > known.begun
    assert upstream.store.catalogue().history.tip == origin.tip


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"begun": 1, "x": 2}'])
def test_a_damaged_note_of_the_last_fetch_is_read_past(origin, tmp_path, content):
    upstream = following(tmp_path, origin)
    (upstream.store.repository.git_dir / "jobtypes" / "upstream.json").write_bytes(content)

    assert upstream.state() == UpstreamState()
    assert upstream.fetch().name == "following"


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


# Writes


def test_a_write_is_on_upstream_when_it_is_acknowledged(pair):
    origin, server = pair.origin.path, pair.server

    answer = put(server, name="Put")

    assert answer.status == 201
    assert answer.json["version"] == 1
    assert tip(origin) == answer.headers["x-git-commit"] == tip(server.repo)
    assert server.request("DELETE", "/api/v1/jobtypes/Put/versions/1").status == 204
    assert git(origin, "show", "main:withdrawn.yaml") == "Put: [1]\n"


def test_a_write_that_lost_a_race_is_made_again_on_top(pair):
    put(pair.server, 1, "Raced")
    theirs = pair.commit(jobtype("Raced", "    theirs = 2\n"))

    answer = put(pair.server, 3, "Raced")

    assert answer.json["version"] == 3
    assert tip(pair.origin.path, "main~1") == theirs
    assert pair.server.get("/api/v1/jobtypes/Raced/versions/2").status == 200


def test_writers_through_two_services_and_past_them_all_land(origin, follow, clone):
    servers = [follow(origin.path), follow(origin.path)]
    worktree = clone(origin.path)

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
    assert len(git(origin.path, "rev-list", "main").split()) == 1 + 12 + 1
    names = [name for name in git(origin.path, "ls-tree", "--name-only", "main:jobtypes").split()]
    assert sorted(names) == sorted(["Blender", *(f"J{n}" for n in range(12))])


def test_upstream_that_is_down_is_a_502_and_nothing_changes(origin, forge, follow):
    server = follow(forge.url)
    before = tip(server.repo)
    forge.go_down()

    answer = put(server)

    assert "upstream" in error(answer, 502)["error"]
    assert tip(server.repo) == before == tip(origin.path)
    assert server.get("/api/v1/jobtypes/Blender").json["version"] == 1
    forge.come_back()
    assert put(server).json["version"] == 2


def test_upstream_that_hangs_is_a_502_and_nothing_changes(origin, forge, follow):
    server = follow(forge.url, "--fetch-limit-s", "1")
    before = tip(server.repo)
    forge.open.clear()

    error(put(server), 502)

    assert tip(server.repo) == before
    forge.open.set()


def test_what_upstreams_own_rules_refuse_is_a_502_with_their_words(pair):
    server = pair.server
    hook = pair.origin.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'main is protected here' >&2\nexit 1\n")
    hook.chmod(0o755)
    before = tip(server.repo)

    said = error(put(server), 502)["error"]

    hook.unlink()
    assert "remote: main is protected here error: failed to push" in said
    assert tip(server.repo) == before


def test_a_write_whose_answer_was_lost_on_the_way_is_one_version(origin, forge, follow):
    server = follow(forge.url)
    forge.loses_answers = True

    answer = put(server)

    assert answer.status == 201
    assert answer.json["version"] == 2
    assert tip(origin.path) == tip(server.repo) == answer.headers["x-git-commit"]


def test_a_fetch_that_began_before_a_lost_write_landed_does_not_speak_of_it(forge, follow):
    server = follow(forge.url)
    forge.loses_answers = True
    forge.lands.clear()

    with ThreadPoolExecutor(1) as pool:
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


def test_for_review_a_write_becomes_a_branch_upstream(origin, follow, clone):
    server = follow(origin.path, "--writes", "review", "--protect")
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


def test_for_review_a_branch_is_named_for_the_software(origin, follow):
    server = follow(origin.path, "--writes", "review")
    names = {"/bin/touch": "%2Fbin%2Ftouch", "Autodesk Maya": "Autodesk_Maya"}

    for name, component in names.items():
        said = server.request("POST", "/api/v1/software/", {"software": name}).json

        assert said["branch"] == f"jobtypes/{component}/{said['commit'][:10]}"
        assert tip(origin.path, said["branch"]) == said["commit"]


def test_for_review_what_changes_nothing_makes_no_branch(origin, follow):
    server = follow(origin.path, "--writes", "review")

    assert server.request("DELETE", "/api/v1/jobtypes/Unknown").status == 204
    assert error(server.request("PUT", "/api/v1/jobtypes/X", {"name": "X"}), 400)
    assert git(origin.path, "for-each-ref", "--format=%(refname)").split() == ["refs/heads/main"]


def test_for_review_upstream_that_is_down_is_a_502(forge, follow):
    server = follow(forge.url, "--writes", "review")
    forge.go_down()

    error(put(server), 502)
    forge.come_back()


def test_writes_that_are_off_name_the_upstream(origin, follow):
    server = follow(origin.path, "--writes", "off")

    assert str(origin.path) in error(put(server), 403)["error"]
    assert tip(origin.path) == tip(server.repo) == origin.tip


@pytest.mark.parametrize(("writes", "status"), [("push", 200), ("review", 403), ("off", 403)])
def test_a_change_of_this_service_is_merged_where_writes_go(origin, follow, writes, status):
    server = follow(origin.path, "--writes", writes)
    commit = origin.side(jobtype("Nuke"))
    git(server.repo, "fetch", "--quiet", str(origin.path), commit)
    git(server.repo, "update-ref", "refs/heads/topic", commit)

    answer = server.request("POST", "/api/v1/changes/topic/merge", {})

    assert answer.status == status
    if status == 200:
        assert tip(origin.path) == answer.json["commit"] == tip(server.repo)
    else:
        assert str(origin.path) in error(answer, 403)["error"]
        assert tip(origin.path) == origin.tip == tip(server.repo)


def test_the_command_line_merges_nothing_into_a_copy_that_follows(origin, follow, serve):
    server = follow(origin.path)
    git(server.repo, "fetch", "--quiet", str(origin.path), origin.side(jobtype("Nuke")))
    git(server.repo, "update-ref", "refs/heads/topic", "FETCH_HEAD")
    server.stop()

    done = jobtypes("changes", "merge", "topic", "--repo", server.repo)

    assert done.returncode == 1
    assert "follows an upstream; merge there" in done.stderr
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


@pytest.mark.parametrize(
    ("url", "link"),
    [
        (
            "https://github.com/td/farm.git",
            "https://github.com/td/farm/compare/main...jobtypes/A_B/1?expand=1",
        ),
        (
            "git@gitlab.studio.example:td/farm.git",
            "https://gitlab.studio.example/td/farm/-/merge_requests/new?merge_request"
            "%5Bsource_branch%5D=jobtypes/A_B/1&merge_request%5Btarget_branch%5D=main",
        ),
        (
            "ssh://git@gitea.studio.example:2222/td/farm",
            "https://gitea.studio.example/td/farm/compare/main...jobtypes/A_B/1",
        ),
        (
            "https://***@codeberg.org/td/farm/",
            "https://codeberg.org/td/farm/compare/main...jobtypes/A_B/1",
        ),
        (
            "git@bitbucket.org:td/farm.git",
            "https://bitbucket.org/td/farm/pull-requests/new?source=jobtypes/A_B/1&dest=main",
        ),
        ("https://git.studio.example/td/farm.git", None),
        ("/srv/github.git", None),
        ("file:///srv/github.git", None),
    ],
)
def test_the_link_to_open_a_pull_request(url, link):
    assert review_link(url, "main", "jobtypes/A_B/1") == link


def test_no_process_of_git_is_left_by_a_fetch_that_was_killed(origin, forge, tmp_path):
    upstream = following(tmp_path, origin)
    hanging = Upstream(upstream.store, forge.url, 0.5)
    forge.open.clear()

    state = hanging.fetch()

    assert "did not answer" in state.error
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            assert forge.url.encode() not in process.read_bytes()
    forge.open.set()
