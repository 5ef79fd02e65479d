"""How much a service takes: sizes of bodies and pushes, and how much runs at a time."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields

import pytest

from api.app import create_app
from api.config import PREVIEW_WAITERS, Config
from api.web.parts import parts_of
from api.worker import sockets
from api.worker.limits import Limits, Work
from gitstore.errors import Busy
from tests.support.branches import jobtype
from tests.support.cloning import UPLOAD
from tests.support.git import git
from tests.support.git_http import REFS
from tests.support.project import ROOT
from tests.support.rest import body, put_jobtype

READ = "/api/v1/jobtypes/Blender/versions/1"
JSON = "application/json"

# Sizes


def test_a_body_over_its_limit_is_413(tight):
    answer = put_jobtype(tight, "Large", description="x" * 8192)

    assert (answer.status, answer.json) == (413, {"error": "the body is over the size limit"})


def test_a_chunked_body_over_its_limit_is_413(tight, dial):
    raw = dial(tight.port)
    headers = {"Content-Type": "application/json", "Transfer-Encoding": "chunked"}
    raw.head("PUT /api/v1/jobtypes/Large", headers)
    # The ninth is too much; a client that sends on may find the connection closed.
    for _ in range(9):
        raw.send(b"400\r\n" + b" " * 1024 + b"\r\n")

    assert raw.status == 413


def test_a_body_of_just_its_limit_is_taken(tight, dial):
    data = json.dumps(body("Full")).encode().ljust(8192)
    framed = {
        "Content-Length: 8192": data,
        "Transfer-Encoding: chunked": b"2000\r\n" + data + b"\r\n0\r\n\r\n",
    }
    for framing, sent in framed.items():
        raw = dial(tight.port)
        raw.head("PUT /api/v1/jobtypes/Full", dict([framing.split(": "), ("Content-Type", JSON)]))
        raw.send(sent)

        assert raw.status in (200, 201), framing


def test_code_over_its_limit_is_413_and_says_how_large_it_is(tight):
    code = "class Job:\n    pass\n" + "#" * 2000

    answer = put_jobtype(tight, "Long", code=code)

    says = f"has {len(code)} bytes; 2000 is the limit"
    assert answer.status == 413
    assert answer.json["details"] == [{"path": "code", "message": says}]
    assert tight.get("/api/v1/jobtypes/Long").status == 404


def test_metadata_over_its_limit_are_413(tight):
    answer = put_jobtype(tight, "Wordy", description="many words " * 50)

    assert answer.status == 413
    assert "400 is the limit" in answer.json["error"]


def test_code_over_its_limit_is_refused_to_a_push(tight, clone):
    worktree = clone(f"{tight.url}/jobtypes.git", "--single-branch")
    worktree.write("jobtypes/Blender/code.py", "class Blender:\n    pass\n" + "#" * 2000)

    result = worktree.push()

    assert result.returncode
    assert "2000 is the limit" in result.stderr


def test_a_push_over_its_limit_is_refused_with_a_sentence(tight, clone):
    worktree = clone(f"{tight.url}/jobtypes.git", "--single-branch")
    worktree.write("noise", os.urandom(3_000_000))

    result = worktree.push()

    assert result.returncode
    assert "the push is over 1 MiB, the limit; nothing was taken" in result.stderr


def test_a_push_of_too_many_jobtypes_is_refused(tight, clone):
    worktree = clone(f"{tight.url}/jobtypes.git", "--single-branch")
    for name in ("One", "Two", "Three"):
        worktree.write(f"jobtypes/{name}/code.py", "class Job:\n    pass\n")
        worktree.write(f"jobtypes/{name}/meta.yaml", "classname: Job\n")

    result = worktree.push()

    assert result.returncode
    assert "the push changes 3 jobtypes; 2 is the limit" in result.stderr


def test_a_request_head_over_its_limit_is_refused(tight, dial):
    raw = dial(tight.port)
    raw.head("GET /api/v1/jobtypes/", {"X-Long": "x" * 200_000})

    assert raw.status == 431


# Slots


@pytest.mark.parametrize(
    ("work", "method", "path"),
    [
        (Work.WRITE, "PUT", "/api/v1/jobtypes/Fresh"),
        (Work.WRITE, "DELETE", "/api/v1/jobtypes/Blender"),
        (Work.REVIEW, "GET", "/api/v1/changes/"),
        (Work.REVIEW, "GET", "/diff/Blender/1..1"),
        (Work.GIT, "GET", REFS),
    ],
)
def test_work_beyond_its_slots_is_503_with_a_time_to_retry(sample, work, method, path):
    app = create_app(Config(sample, write_places=4))
    limits = parts_of(app).limits
    for _ in range(4):
        limits.acquire(work)

    answer = app.test_client().open(path, method=method, json=body("Fresh"))

    assert answer.status_code == 503
    assert f"too many {work} at once; try again in a few seconds" in answer.text
    assert answer.headers["Retry-After"] == "5"


def test_a_refusal_for_lack_of_slots_is_no_message_in_the_log(sample, caplog):
    app = create_app(Config(sample))
    _fill(parts_of(app).limits)

    assert app.test_client().put("/api/v1/jobtypes/Fresh", json=body("Fresh")).status_code == 503

    assert caplog.records == []


def test_reads_are_answered_when_all_slots_are_taken(sample):
    app = create_app(Config(sample))
    _fill(parts_of(app).limits)
    client = app.test_client()

    kinds = ("pages.", "forms.", "searching.", "blaming.", "reference.", "tokens.")
    rules = [rule for rule in app.url_map.iter_rules() if not rule.endpoint.startswith(kinds)]
    paths = [str(rule) for rule in rules if "<" not in str(rule)]
    reads = [p for p in paths if "/changes" not in p and not p.startswith("/jobtypes.git")]
    statuses = {path: client.get(path).status_code for path in [READ, f"{READ}/code", *reads]}

    assert statuses.pop("/style.css") == 302
    assert set(statuses.values()) == {200}, statuses
    assert "/health/ready" in statuses


def test_a_slot_is_freed_however_the_request_ends(sample):
    client = create_app(Config(sample, write_places=1, review_places=1)).test_client()

    for _ in range(3):
        assert client.put("/api/v1/jobtypes/Blender", data=b"no JSON").status_code == 415
        assert client.delete("/nowhere").status_code == 404
        assert client.get("/api/v1/changes/none").status_code == 404
        assert client.get(f"/preview/none{READ}").status_code == 404
        assert client.put("/api/v1/jobtypes/Fresh", json=body("Fresh")).status_code == 201


def test_a_preview_in_memory_needs_no_slot(sample):
    app = create_app(Config(sample))
    client = app.test_client()
    client.get(f"/preview/main{READ}")
    _fill(parts_of(app).limits)

    assert client.get(f"/preview/main{READ}").status_code == 200


def test_previews_wait_for_a_slot_and_are_made_once_for_all_requests(sample):
    app = create_app(Config(sample))
    limits = parts_of(app).limits
    _fill(limits)
    ask = lambda n: app.test_client().get(f"/preview/main{READ}")  # noqa: E731

    with ThreadPoolExecutor(PREVIEW_WAITERS) as pool:
        asked = [pool.submit(ask, n) for n in range(PREVIEW_WAITERS)]
        status = app.test_client().get(READ).status_code
        are_done = [answer.done() for answer in asked]
        limits.release(Work.WRITE)
        statuses = {answer.result().status_code for answer in asked}

    assert status == 200
    assert not any(are_done)
    assert statuses == {200}


@pytest.mark.parametrize(("path", "status"), [("/changes/", 200), ("/changes/none", 404)])
def test_a_request_that_waits_for_a_preview_holds_no_slot_that_the_preview_needs(
    sample, path, status
):
    client = create_app(Config(sample, review_places=1)).test_client()

    assert client.get(f"/preview/main/api/v1{path}").status_code == status


def test_previews_that_are_asked_for_at_once_are_all_answered(sample, serve):
    tip = git(sample, "rev-parse", "main").strip()
    for n in range(5):
        git(sample, "update-ref", f"refs/heads/topic{n}", tip)
    server = serve(sample, "--workers", "1", "--threads", "4", "--review-places", "1")

    with ThreadPoolExecutor(PREVIEW_WAITERS) as pool:
        numbers = range(PREVIEW_WAITERS)
        answers = list(pool.map(lambda n: server.get(f"/preview/topic{n % 5}{READ}"), numbers))

    assert {answer.status for answer in answers} == {200}


def test_more_requests_that_wait_for_previews_than_threads_are_refused(tmp_path):
    limits = Limits(Config(tmp_path))

    with ExitStack() as stack:
        for _ in range(PREVIEW_WAITERS):
            stack.enter_context(limits.waiting())
        with pytest.raises(Busy, match="too many wait for previews"):
            stack.enter_context(limits.waiting())

    with limits.waiting():
        pass


@pytest.mark.parametrize("threads", [4, 8, 24, 100])
def test_all_slots_together_leave_threads_to_reads(threads, tmp_path):
    config = Config(
        tmp_path, threads=threads, write_places=1000, git_places=1000, review_places=1000
    )

    taken = _fill(Limits(config))

    assert 1 <= taken < threads - config.waiting_places


def _fill(limits: Limits) -> int:
    """Take every slot; how many there were."""
    taken = 0
    for work in Work:
        try:
            while True:
                limits.acquire(work)
                taken += 1
        except Busy:
            continue
    return taken


def test_a_clone_that_fails_keeps_no_slot(sample, monkeypatch):
    def fail(peer: str, limit_s: float) -> None:
        raise OSError("no such option")

    monkeypatch.setattr(sockets, "be_patient", fail)
    client = create_app(Config(sample, git_places=1)).test_client()
    content = "application/x-git-upload-pack-request"

    said = [client.post(UPLOAD, data=b"0000", content_type=content) for _ in range(2)]

    assert [answer.status_code for answer in said] == [500, 500]


@pytest.mark.parametrize("kind", ["write", "merge"])
def test_a_ref_that_stays_locked_is_given_up(branch, kind):
    branch.commit(jobtype("Blender"))
    git(branch.path, "update-ref", "refs/heads/topic", branch.side(jobtype("Nuke")))
    app = create_app(Config(branch.path, write_limit_s=1))
    noted: list[str] = []
    parts_of(app).store.note = noted.append
    client = app.test_client()

    # Open, so that it is nobody's that died.
    with (branch.path / "refs/heads/main.lock").open("x"):
        if kind == "merge":
            answer = client.post("/api/v1/changes/topic/merge", json={})
        else:
            answer = client.put("/api/v1/jobtypes/Fresh", json=body("Fresh"))

    assert answer.status_code == 503
    assert "kept the branch busy" in answer.json["error"]
    assert answer.headers["Retry-After"] == "5"
    assert set(noted) == {"conflict"}
    # It slept in between.
    assert len(noted) < 250
    assert git(branch.path, "rev-parse", "main").strip() == branch.tip


def test_asking_for_the_head_of_an_advertisement_frees_its_slot(tight):
    statuses = [tight.request("HEAD", REFS).status for _ in range(3)]

    assert statuses == [200, 200, 200]


# Documentation


def test_every_setting_stands_in_the_documentation():
    text = (ROOT / "docs" / "settings.md").read_text()

    missing = [field.name for field in fields(Config) if f"| `{field.name}` |" not in text]

    assert missing == []
