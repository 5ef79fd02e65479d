"""Code that is hard on Python's parser: on a branch, in a push, over REST, on the command line."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from gitstore.format.schema import parse_meta
from gitstore.format.yaml_reader import parse_yaml
from tests.support.branches import Branch, jobtype
from tests.support.git import git
from tests.support.rest import body, error
from tests.support.waiting import wait_for

pytestmark = pytest.mark.farm

BOMB = "a;" * 500_000
"""A file within the limits of size that takes seconds, and the better part of a gigabyte."""


def propose(branch: Branch, name: str, jobtypes: int) -> None:
    """A branch *name* whose new *jobtypes* share the bomb."""
    changes = {}
    for number in range(jobtypes):
        changes |= jobtype(f"J{number}", BOMB)
    git(branch.path, "update-ref", f"refs/heads/{name}", branch.side(changes))


@pytest.fixture
def bombed(branch) -> Branch:
    """A served branch with a jobtype, and a branch of bombs."""
    branch.commit(jobtype("A"))
    propose(branch, "many", 60)
    return branch


def test_a_branch_of_bombs_is_looked_at_while_agents_read(bombed, serve):
    server = serve(bombed.path)
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(server.get, "/api/v1/changes/many") for _ in range(3)]
        reads = 0
        while wait(asked, timeout=0.02).not_done:
            assert server.get("/api/v1/jobtypes/A").status == 200
            reads += 1
    answers = [answer.result() for answer in asked]

    assert reads > 3
    assert {answer.status for answer in answers} == {200}
    problems = [p for p in answers[0].json["problems"] if p["severity"] == "error"]
    assert len(problems) == 60
    assert all("to be parsed" in problem["message"] for problem in problems)


def test_a_push_of_a_bomb_is_refused_with_what_to_do(bombed, serve, clone):
    worktree = clone(f"{serve(bombed.path).url}/jobtypes.git")
    worktree.write("jobtypes/A/code.py", BOMB)

    pushed = worktree.push()

    assert pushed.returncode
    said = " ".join(pushed.stderr.replace("remote:", "").split())
    assert "jobtypes/A/code.py: takes more than 5 s" in said
    assert "into a file of its own" in said


def test_a_put_of_a_bomb_is_refused_and_the_next_write_is_taken(server):
    refused = server.request("PUT", "/api/v1/jobtypes/B", body("B", code=BOMB))
    taken = server.request("PUT", "/api/v1/jobtypes/B", body("B"))

    assert "takes more than" in error(refused, 413)["error"]
    assert taken.status == 201


def test_a_change_of_too_many_jobtypes_is_not_checked_and_not_merged(bombed, serve):
    server = serve(bombed.path, "--workers", "1", "--push-jobtypes-limit", "59")

    said = server.get("/api/v1/changes/many").json
    page = server.get("/changes/many").body.decode()
    merge = server.request("POST", "/api/v1/changes/many/merge", {})

    assert [p["message"] for p in said["problems"]] == [
        "the change changes 60 jobtypes; 59 is the limit. Bring it in parts."
    ]
    assert "59 is the limit" in page
    assert "59 is the limit" in error(merge, 413)["error"]


def test_hostile_metadata_does_not_take_what_is_there(branch, serve):
    """Thousands of jobtypes that each require thousands of things, of which none is there."""
    branch.commit(jobtype("A"))
    names = "".join(f"  - {{software: s{number}}}\n" for number in range(3000))
    changes = {}
    for number in range(1000):
        changes |= jobtype(f"J{number}", meta=f"requirements:\n{names}")
    git(branch.path, "update-ref", "refs/heads/many", branch.side(changes))
    server = serve(branch.path)
    ended = threading.Event()

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.get, "/api/v1/changes/many")
        asked.add_done_callback(lambda _: ended.set())
        reads = 0
        while not ended.wait(0.02):
            assert server.get("/api/v1/jobtypes/A").status == 200
            reads += 1

    assert reads > 3
    said = asked.result().json
    assert len(said["problems"]) < 10_010
    assert any("smaller parts" in problem["message"] for problem in said["problems"])
    wait_for(lambda: server.get("/api/v1/jobtypes/A").status == 200, "reads to go on")


def test_a_file_of_faults_tells_a_hundred_and_how_many_more():
    data = "".join(f"k{number}: 1\n" for number in range(2000)).encode()

    faults = parse_meta(data).faults

    assert len(faults) == 101
    assert faults[-1].message.startswith("1900 more")


def test_a_document_that_takes_much_memory_is_not_kept():
    large = f"a: [{'1,' * 10_000}]".encode()

    assert parse_yaml(large, 1 << 20) is not parse_yaml(large, 1 << 20)
    assert parse_yaml(b"a: 1", 1 << 20) is parse_yaml(b"a: 1", 1 << 20)
