"""GET /events: a client that follows it ends with the catalogue."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import EVENT_WAITERS, Config
from api.rest import events as module
from api.web.parts import parts_of
from gitstore.branch.events import BEGINNING
from tests.support.branches import TD, Branch, jobtype
from tests.support.rest import Direct, Json, Rest, code, running
from tests.support.waiting import wait_for

ZEROS = "0" * 40


@pytest.fixture(scope="module")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service of two workers."""
    with running(tmp_path_factory.mktemp("events"), "--workers", "2") as service:
        yield service


def apply(known: dict[str, set[int]], events: list[Json]) -> None:
    """Apply *events* to the numbers in service that are *known*, by jobtype."""
    for event in events:
        kind, name, number = event["event"], event["jobtype"], event["number"]
        if kind == "version":
            known.setdefault(name, set())
        if (kind == "version" and event["state"] == "in service") or kind == "restored":
            known[name].add(number)
        elif kind == "withdrawn":
            known[name].discard(number)
        elif kind == "deleted":
            del known[name]
        elif kind == "renamed" and name:
            known[event["renamed_to"]] = known.pop(name)


def served(rest: Rest) -> dict[str, set[int]]:
    rows = rest.json("/jobtypes/")
    return {row["name"]: set(rest.json(f"/jobtypes/{row['id']}/versions/")) for row in rows}


def test_who_follows_the_events_ends_with_the_catalogue(rest):
    known: dict[str, set[int]] = {}
    cursor = ZEROS
    stop = threading.Event()
    faults: list[Exception] = []

    def follow() -> None:
        nonlocal cursor
        try:
            while True:
                is_last = stop.is_set()
                said = rest.json(f"/events?since={cursor}&limit=2&wait=1")
                apply(known, said["events"])
                if is_last and said["next"] == cursor:
                    return
                cursor = said["next"]
        except Exception as error:
            faults.append(error)

    follower = threading.Thread(target=follow)
    follower.start()
    for number in range(12):
        rest.jobtype(f"Job {number % 4}", code=code(number))
        if number % 5 == 4:
            assert rest("DELETE", f"/jobtypes/Job%20{number % 4}/versions/1").status == 204
    rest.jobtype("Job 1", code=code("x"))
    rest("PUT", "/jobtypes/Job%201", {"name": "Named", "classname": "Job", "code": code("y")})
    assert rest("DELETE", "/jobtypes/Job%202").status == 204
    stop.set()
    follower.join(120)

    assert not follower.is_alive()
    assert faults == []
    assert known == served(rest)


def test_who_waits_gets_what_comes(rest):
    tip = rest.json("/events")["next"]
    said: list[Json] = []
    waiter = threading.Thread(target=lambda: said.append(rest.json(f"/events?since={tip}&wait=25")))
    waiter.start()

    rest.jobtype("Waited", code=code("w"))

    waiter.join(120)
    assert [event["jobtype"] for event in said[0]["events"]] == ["Waited"]


def hot_hits(rest: Rest) -> float:
    """How many requests were answered from memory so far."""
    lines = rest.server.get("/metrics").body.decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("jobtypes_hot_hits"))


def test_a_poll_without_news_is_a_304(rest):
    rest.jobtype("Polled", code=code(1))
    path = f"/events?since={rest.json('/events')['next']}"
    first, before = rest.get(path), hot_hits(rest)

    assert first.json == {"events": [], "next": path.partition("=")[2]}
    for _ in range(5):
        assert rest.get(path, {"If-None-Match": first.headers["etag"]}).status == 304
    rest.jobtype("Polled", code=code(2))
    answer = rest.get(path, {"If-None-Match": first.headers["etag"]})
    assert [event["number"] for event in answer.json["events"]] == [2]
    # Each of the two workers counts its requests in its own time.
    wait_for(lambda: hot_hits(rest) > before, "a poll that was answered from memory")


def test_an_unknown_cursor_is_a_410_with_the_newest(rest):
    answer = rest.get(f"/events?since={'1' * 40}")

    assert answer.status == 410
    assert answer.json["next"] == rest.json("/events")["next"]
    assert answer.json["next"] in answer.json["error"]


@pytest.mark.parametrize(
    "query", [f"since={'g' * 40}", "since=", "limit=0", "limit=501", "wait=26", "wait=x", "sinse=1"]
)
def test_what_events_does_not_take_is_refused(rest, query):
    assert rest.get(f"/events?{query}").status == 400


def test_pages_of_events_link_to_the_next_and_steps_are_whole(client, branch):
    branch.commit({**jobtype("A"), **jobtype("B")})
    branch.commit({"jobtypes/A/code.py": "class Job: x = 1\n"})
    direct = Direct(create_app(Config(branch.path)).test_client())
    first = direct.get(f"/events?since={BEGINNING}&limit=1")
    link = first.headers["link"]
    second = direct.get(link.partition("/api/v1")[2].partition(">")[0])

    assert [event["jobtype"] for event in first.json["events"]] == ["A", "B"]
    assert [event["jobtype"] for event in second.json["events"]] == ["A"]
    assert "link" not in second.headers
    assert Direct(client).get("/events").json == {"events": [], "next": BEGINNING}


def test_a_preview_has_no_events(branch):
    branch.commit(jobtype("A"))
    side = branch.side({"jobtypes/A/code.py": "class Job: x = 1\n"})
    branch.repository.move("refs/heads/side", None, side, TD, "push")
    client: FlaskClient = create_app(Config(branch.path)).test_client()

    assert client.get("/preview/side/api/v1/events").status_code == 404


def test_past_the_limit_of_waiters_nobody_waits(branch: Branch, monkeypatch):
    tip = branch.commit(jobtype("A"))
    app = create_app(Config(branch.path))
    waits: list[float] = []

    class Ending:
        def wait(self, limit_s: float) -> bool:
            waits.append(limit_s)
            return True

    monkeypatch.setattr(module, "ENDING", Ending())
    client, path = app.test_client(), f"/api/v1/events?since={tip}&wait=25"
    assert client.get(path).json == {"events": [], "next": tip}
    assert len(waits) == 1

    with ExitStack() as stack:
        for _ in range(EVENT_WAITERS):
            assert stack.enter_context(parts_of(app).limits.listening())
        answer = client.get(path)

    assert (answer.status_code, answer.json) == (200, {"events": [], "next": tip})
    assert len(waits) == 1
