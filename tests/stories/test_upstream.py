"""Following an upstream: when it is fetched, and what is served while it is slow or down."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from api.config import Config
from api.worker.follower import Follower, poll_pause_s
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from gitstore.branch.upstream_state import UpstreamState
from tests.support.branches import jobtype
from tests.support.following import ONE, SECRET, TWO, following, health, many, second
from tests.support.processes import command, running
from tests.support.waiting import wait_for


def test_it_fetches_at_start_and_serves_what_upstream_has(pair):
    first = pair.server.get(ONE).status
    pair.server.stop()
    pair.commit(jobtype("Started"))

    pair.server.start()

    assert first == 200
    # A list is not asked of upstream.
    assert "Started" in [row["name"] for row in pair.server.get("/api/v1/jobtypes/").json]


def test_it_polls(origin, follow):
    server = follow(origin.path, "--poll", "1")
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


def test_the_pause_between_fetches_is_never_shorter_than_was_said():
    for failures in (0, 1, 10):
        assert 2880 <= poll_pause_s(3600, failures) <= 4320


@pytest.mark.farm
def test_an_upstream_that_refuses_is_asked_less_and_less_often(forge, follow):
    server = follow(forge.url_for(f"bot:{SECRET}@"), "--poll-s", "1")
    forge.password = "another"
    path = server.repo / "jobtypes" / "upstream.json"
    begun: list[float] = []

    def is_seen() -> bool:
        state = json.loads(path.read_text())
        # One that began before the password changed may still succeed.
        if state["error"] and state["begun"] not in begun:
            begun.append(state["begun"])
        return len(begun) == 3

    wait_for(is_seen, "three fetches that fail")
    gaps = [after - before for before, after in pairwise(begun)]
    assert gaps[0] >= 1.6
    assert gaps[1] >= 3.2


def test_a_fetch_that_hangs_is_killed_and_misses_are_then_404_at_once(forged):
    server, forge = forged.server, forged.forge
    with forge.hanging():
        assert server.get(TWO).status == 404
        asked = forge.fetches
        many(20, lambda n: server.get(TWO))

        assert forge.fetches == asked
        said = health(server)
        assert said["state"] == "unreachable"
        assert "did not answer within 1 s" in str(said["error"])


def test_a_slow_upstream_is_waited_for(patient):
    server, forge = patient.server, patient.forge
    patient.commit(jobtype("Slow"))

    with ThreadPoolExecutor(1) as pool, forge.hanging():
        answer = pool.submit(server.get, "/api/v1/jobtypes/Slow/versions/1")
        wait_for(lambda: forge.waiting > 0, "the fetch")
        assert server.get(ONE).status == 200
        forge.open.set()

        assert answer.result().status == 200


def test_while_upstream_is_down_the_last_good_tip_is_served_also_after_a_restart(patient):
    server, forge = patient.server, patient.forge
    with forge.down():
        missed = server.get("/api/v1/jobtypes/Blender/versions/99").status
        while_down = server.get(ONE)
        server.stop()

        server.start()

        assert missed == 404
        assert while_down.status == 200
        assert server.get(ONE).body == while_down.body
        assert server.get("/health/ready").status == 200
        assert health(server)["state"] == "unreachable"
        assert "serving what was fetched before" in server.log.read_text()


def test_when_upstream_is_back_it_is_followed_again(origin, forge, follow):
    server = follow(forge.url, "--poll-s", "1")
    forge.go_down()
    wait_for(lambda: health(server)["state"] == "unreachable", "a fetch that fails")
    second(origin)

    forge.come_back()

    wait_for(lambda: server.get(TWO).status == 200, "version 2")
    wait_for(lambda: health(server)["state"] == "following", "a good fetch in the health")


def test_a_fetch_that_another_worker_began_since_is_not_done_again(origin, tmp_path):
    upstream = following(tmp_path, origin)
    other = Upstream(Store(upstream.store.repository.git_dir), str(origin.path))
    known = upstream.state()
    second(origin)

    assert other.fetch(known.begun) == known
    assert other.fetch(known.begun + 0.001).begun > known.begun
    assert upstream.store.catalogue().history.tip == origin.tip


def test_who_misses_something_is_not_put_off_when_the_clock_is_set_back(
    origin, tmp_path, monkeypatch
):
    upstream = following(tmp_path, origin)
    follower = Follower(upstream, Config(tmp_path, upstream=str(origin.path), poll_s=1000))
    tomorrow = time.time() + 86400
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    upstream.fetch()
    monkeypatch.undo()
    follower.start()
    second(origin)

    follower.ask()

    assert upstream.store.catalogue().history.tip == origin.tip


def test_a_fetch_of_before_the_machine_started_again_tells_nothing(origin, tmp_path):
    upstream = following(tmp_path, origin)
    path = upstream.store.repository.git_dir / "jobtypes" / "upstream.json"
    known = json.loads(path.read_text())
    path.write_text(json.dumps(known | {"begun": time.monotonic() + 86400}))
    second(origin)

    assert upstream.state().begun == 0
    assert upstream.fetch(time.monotonic()).good > known["good"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"begun": 1, "x": 2}'])
def test_a_damaged_note_of_the_last_fetch_is_read_past(origin, tmp_path, content):
    upstream = following(tmp_path, origin)
    (upstream.store.repository.git_dir / "jobtypes" / "upstream.json").write_bytes(content)

    assert upstream.state() == UpstreamState()
    assert upstream.fetch().name == "following"


def test_no_process_of_git_is_left_by_a_fetch_that_was_killed(origin, forge, tmp_path):
    upstream = following(tmp_path, origin)
    hanging = Upstream(upstream.store, forge.url, 0.5)
    forge.open.clear()

    state = hanging.fetch()

    assert "did not answer" in state.error
    assert not any(forge.url.encode() in command(pid) for pid in running())
    forge.open.set()
