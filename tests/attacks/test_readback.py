"""What is acknowledged is what the next read shows: a file that is full swallows nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.store import Store
from gitstore.format.layout import YAML_LIMIT_BYTES
from tests.support.branches import Branch, jobtype
from tests.support.git import git
from tests.support.rest import body

VERSIONS = "/api/v1/jobtypes/Maya/versions/"
OTHER = f"{'x' * 64}: [1]\n"
"""As long as the line of another jobtype of the longest name."""


def listed(room: int) -> str:
    """A withdrawn.yaml of Maya's versions 1 and 100000, with *room* bytes to its limit."""
    maya = "Maya: [1, 100000]\n"
    others = [f"{number:x>64}: [1]\n" for number in range(YAML_LIMIT_BYTES // len(OTHER))]
    left = YAML_LIMIT_BYTES - room - len(maya)
    count = left // len(OTHER) - 1
    last = "y" * (left - count * len(OTHER) - len(": [1]\n"))
    return maya + "".join(others[:count]) + f"{last}: [1]\n"


@pytest.fixture
def maya(branch) -> Branch:
    """A branch with three versions of Maya."""
    for n in range(3):
        branch.commit(jobtype("Maya", f"n = {n}\n"))
    made: Branch = branch
    return made


def client(branch: Branch):
    return create_app(Config(branch.path)).test_client()


def state(path: Path) -> str:
    return git(path, "rev-parse", "main")


@pytest.mark.parametrize("fitting", [0, 1])
def test_a_withdrawal_that_a_full_list_can_not_hold_is_413_and_nothing_is_written(maya, fitting):
    maya.commit({"withdrawn.yaml": listed(len(", 2") * fitting)})
    farm = client(maya)
    assert farm.get(VERSIONS).json == [2, 3]
    for number in range(2, 2 + fitting):
        assert farm.delete(f"{VERSIONS}{number}").status_code == 204
    before, left = state(maya.path), [2, 3][fitting:]

    answers = [farm.delete(f"{VERSIONS}{number}").status_code for number in left]

    assert answers == [413] * len(left)
    assert farm.get(VERSIONS).json == left
    assert state(maya.path) == before
    assert Store(maya.path).served.rebuild_index().history.is_withdrawn("Maya", 1)


def test_a_list_that_is_too_long_already_swallows_nothing_either(maya):
    text = listed(0)
    maya.commit({"withdrawn.yaml": text})
    maya.commit({"withdrawn.yaml": text.replace("100000]", "100000, 7654321, 7654322, 7654323]")})
    farm, before = client(maya), state(maya.path)

    answer = farm.delete(f"{VERSIONS}2")

    assert answer.status_code == 413
    assert "withdrawn.yaml" in answer.json["error"]
    assert farm.get(f"{VERSIONS}2").status_code == 200
    assert state(maya.path) == before


def test_a_rename_whose_list_does_not_fit_is_413_and_nothing_is_written(maya):
    maya.commit({"withdrawn.yaml": listed(0)})
    farm, before = client(maya), state(maya.path)

    answer = farm.put("/api/v1/jobtypes/Maya", json=body("M" * 64))

    assert answer.status_code == 413
    assert state(maya.path) == before
    assert farm.get("/api/v1/jobtypes/Maya").status_code == 200


def test_a_deleted_jobtype_makes_room_in_a_full_list(maya):
    maya.commit({"withdrawn.yaml": listed(0)})
    farm = client(maya)

    assert farm.delete("/api/v1/jobtypes/Maya").status_code == 204
    assert farm.get("/api/v1/jobtypes/Maya").status_code == 404
    assert "Maya" not in Store(maya.path).catalogue().history.withdrawn


def test_a_software_file_that_is_full_takes_no_more_versions(maya):
    code = "# " + "x" * (YAML_LIMIT_BYTES // 4)
    farm = client(maya)
    path = "/api/v1/software/"
    assert farm.post(path, json={"software": "maya", "versions": []}).status_code == 201

    answers = []
    for n in range(5):
        version = {"version": str(n), "rank": n, "discovery_code": code}
        answers.append(farm.post(f"{path}maya/versions/", json=version).status_code)

    known = len(farm.get(f"{path}maya").json["versions"])
    assert answers == [201] * known + [answers[-1]] * (5 - known)
    assert 400 <= answers[-1] < 500
    assert Store(maya.path).served.rebuild_index().history.software["maya"].id == 1
