"""A service with a mirror: the master's tables follow each push and write, and people see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.git import Worktree
from tests.support.master import Master, sqlite_url
from tests.support.mirrors import in_service
from tests.support.rest import Rest
from tests.support.waiting import wait_for


def write(worktree: Worktree, code: str) -> None:
    """Commit *code* as the jobtype Blender's."""
    worktree.write("jobtypes/Blender/code.py", code)
    worktree.write("jobtypes/Blender/meta.yaml", "classname: Blender\n")
    worktree.commit()


@pytest.fixture
def master(tmp_path) -> Master:
    return Master(sqlite_url(tmp_path / "m.db"))


@pytest.fixture
def mirroring(empty, serve, master):
    return serve(empty, "--workers", "2", "--mirror", master.url, "--mirror-wait-s", "20")


def test_push_says_when_the_farm_has_it(mirroring, clone, master):
    worktree = clone(mirroring.url + "/jobtypes.git")
    worktree.git("checkout", "--quiet", "-B", "main")
    for number, text, was in ((1, "pass", ""), (2, "x = 1", " (was 1)")):
        write(worktree, f"class Blender:\n    {text}\n")
        said = worktree.push("origin", "main").stderr

        assert f"remote: Blender: version {number}{was}, in the master's tables" in said
        assert ("Blender", number) in in_service(master)


def test_writes_say_so_in_a_header_and_health_agrees(mirroring, master):
    rest = Rest(mirroring)
    body = {"name": "Nuke", "classname": "Job", "code": "class Job:\n    pass\n"}

    answer = rest("POST", "/jobtypes/", body)

    assert answer.headers["x-mirror"] == "in-step"
    assert in_service(master) == [("Nuke", 1)]
    health = mirroring.get("/health/mirror")
    assert health.status == 200
    said = health.json
    assert (said["state"], said["lag_steps"], said["conflicts"]) == ("in-step", 0, {})
    assert "x-mirror" not in rest.get("/jobtypes/Nuke").headers
    assert rest("DELETE", "/jobtypes/Nuke/versions/1").headers["x-mirror"] == "in-step"
    assert in_service(master) == []


def test_database_that_is_away_keeps_nobody_waiting_and_comes_back(empty, serve, tmp_path, clone):
    path = tmp_path / "later.db"
    server = serve(empty, "--workers", "1", "--mirror", sqlite_url(path), "--mirror-wait-s", "20")
    rest = Rest(server)

    answer = rest("POST", "/jobtypes/", {"name": "A", "classname": "Job", "code": "class Job: 1\n"})

    assert (answer.status, answer.headers["x-mirror"]) == (201, "away")
    assert server.get("/health/mirror").status == 503
    assert "later.db can't be opened" in server.get("/health/mirror").json["error"]
    assert "The farm goes on" in server.get("/").body.decode()
    assert "jobtypes_mirror_away 1.0" in server.get("/metrics").body.decode()
    worktree = clone(server.url + "/jobtypes.git")
    write(worktree, "class Blender:\n    pass\n")
    said = worktree.push("origin", "HEAD").stderr
    assert "the master's database is away" in " ".join(said.split())
    master = Master(sqlite_url(path))
    wait_for(lambda: in_service(master) == [("A", 1), ("Blender", 1)], "the mirror")
    wait_for(lambda: server.get("/health/mirror").status == 200, "health")


def test_other_code_in_the_tables_is_told_to_who_pushes(mirroring, clone, master):
    rest = Rest(mirroring)
    rest.jobtype("Blender")
    master.version(1, 2, "made on the master\n")

    rest.jobtype("Blender", code="class Job:\n    x = 2\n")

    answer = mirroring.get("/health/mirror")
    assert answer.status == 503
    assert "have another version 2; withdraw it here" in answer.json["conflicts"]["Blender"]
    assert "have another version 2" in mirroring.get("/").body.decode()


def test_failure_that_nobody_foresaw_is_told_and_tried_again_later(mirroring, master):
    rest = Rest(mirroring)
    rest.jobtype("Blender")
    master.change("jobtype_versions", 1, version="no number")

    rest.jobtype("Other")

    answer = mirroring.get("/health/mirror")
    assert answer.status == 503
    assert answer.json["error"] == "the mirror failed (ValueError); the log says more"
    master.change("jobtype_versions", 1, version=1)
    wait_for(lambda: ("Other", 1) in in_service(master), "the mirror")
    assert mirroring.log.read_text().count("Traceback") == 1


def test_change_by_hand_is_found_by_the_next_look(mirroring, master):
    rest = Rest(mirroring)
    rest.jobtype("Blender")
    assert rest.json("/jobtypes/Blender")["version"] == 1
    master.change("jobtype_versions", 1, max_batch=7)

    rest.jobtype("Other")

    assert master.rows("jobtype_versions")[0]["max_batch"] == 1


def test_no_password_stands_in_the_log_or_in_an_answer(empty, serve):
    url = "postgresql://td:s3cret@127.0.0.1:1/pyfarm"
    server = serve(empty, "--workers", "1", "--mirror", url)
    Rest(server).jobtype("Blender")

    wait_for(lambda: server.get("/health/mirror").json["error"] is not None, "an error")

    assert "s3cret" not in server.get("/health/mirror").body.decode()
    assert "s3cret" not in server.get("/").body.decode()
    assert "s3cret" not in Path(server.log).read_text()
    assert server.get("/health/mirror").json["database"] == "postgresql://td:***@127.0.0.1:1/pyfarm"


def test_service_without_a_mirror_says_so(server):
    assert server.get("/health/mirror").json["state"] == "none"
    answer = Rest(server)("GET", "/jobtypes/")
    assert "x-mirror" not in answer.headers
