"""The contract of versions: how they are listed, got and withdrawn."""

from __future__ import annotations

import pytest

from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.edits.edit import Edited
from tests.support.contract import assert_empty, get, get_json, tip, written
from tests.support.rest import CODE, Rest, body, code, error, item


def test_the_versions_in_service_are_listed_in_order(rest):
    made = rest.jobtype("Three")
    rest.jobtype("Three")
    rest.jobtype("Three")

    assert get_json(rest, "/jobtypes/Three/versions/") == [1, 2, 3]
    assert get_json(rest, f"/jobtypes/{made['id']}/versions/") == [1, 2, 3]


def test_the_versions_of_an_unknown_jobtype_are_404(rest):
    error(get(rest, "/jobtypes/Nowhere/versions/"), 404)


def test_each_version_shows_its_own_fields_and_the_commit_that_made_it(rest):
    made = [rest.jobtype("Each", description=f"d{n}", code=code(n), max_batch=n) for n in (1, 2)]

    answers = [get(rest, f"/jobtypes/Each/versions/{n}") for n in (1, 2)]

    assert [answer.json for answer in answers] == made
    assert answers[0].headers["x-git-commit"] != answers[1].headers["x-git-commit"]
    assert rest.get("/jobtypes/Each").headers["x-git-commit"] == answers[1].headers["x-git-commit"]
    assert get(rest, f"/jobtypes/{made[0]['id']}/versions/1").json == made[0]


@pytest.mark.parametrize("number", ["0", "2", "9" * 17, "9" * 40, "-1", "01", "x", "1.0", "%31%30"])
def test_a_version_that_is_not_there_is_404(rest, number):
    if rest.get("/jobtypes/Single").status == 404:
        rest.jobtype("Single")

    for below in ("", "/code", "/software_requirements"):
        error(get(rest, f"/jobtypes/Single/versions/{number}{below}"), 404)


def test_a_withdrawn_version_is_404_and_the_one_before_is_the_newest(rest, slash):
    name = f"Withdraw{len(slash)}"
    first = rest.jobtype(name, code=code(1))
    rest.jobtype(name, code=code(2))

    assert_empty(rest("DELETE", f"/jobtypes/{name}/versions/2{slash}"))

    assert get_json(rest, f"/jobtypes/{name}/versions") == [1]
    for below in ("", "/code", "/software_requirements"):
        error(get(rest, f"/jobtypes/{name}/versions/2{below}"), 404)
    assert get_json(rest, f"/jobtypes/{name}") == first


def test_an_older_version_is_withdrawn_without_touching_the_newest(rest):
    made = rest.jobtype("Older")
    newest = rest.jobtype("Older", code=code("x"))

    assert_empty(rest("DELETE", f"/jobtypes/{made['id']}/versions/1"))

    assert rest.json("/jobtypes/Older/versions") == [2]
    assert rest.json("/jobtypes/Older") == newest


def test_a_withdrawn_number_never_comes_back(rest):
    rest.jobtype("Never")
    rest.jobtype("Never")
    rest("DELETE", "/jobtypes/Never/versions/2")

    assert rest.jobtype("Never")["version"] == 3
    assert rest.json("/jobtypes/Never/versions") == [1, 3]


def list_withdrawn(rest: Rest, text: str) -> None:
    """Land *text* in withdrawn.yaml, as a push with a warning does."""
    edit = Edited({"withdrawn.yaml": text.encode()}, "withdrawn")
    Store(rest.server.repo).write([lambda catalogue: edit], Writer())


def test_a_write_passes_over_the_numbers_that_are_listed_before_they_are_used(rest):
    rest.jobtype("Ahead")
    list_withdrawn(rest, "Ahead: [2, 3, 5]\nUnborn: [1]\n")

    assert rest.jobtype("Ahead", code=code(2))["version"] == 4
    required = rest("POST", "/jobtypes/Ahead/software_requirements", {"software": "blender"})
    assert written(required)["jobtype_version"]["version"] == 6
    assert written(rest("POST", "/jobtypes/", body("Unborn")))["version"] == 2
    assert get_json(rest, "/jobtypes/Ahead/versions/") == [1, 4, 6]


def test_a_write_above_all_that_a_trailer_can_jump_to_is_a_version_of_its_own(rest):
    rest.jobtype("High")
    edit = Edited({}, "jump", ("Jobtype-Version: 99999999 High",))
    Store(rest.server.repo).write([lambda catalogue: edit], Writer())

    numbers = [rest.jobtype("High")["version"] for _ in range(2)]

    assert numbers == [100_000_000, 100_000_001]


def test_a_rename_of_software_passes_over_numbers_that_are_listed_too(rest):
    software = rest.software("listed")
    rest.jobtype("Listed", software_requirements=[{"software": "listed"}])
    list_withdrawn(rest, "Listed: [2]\n")

    assert rest("PUT", item("software", software["id"]), {"software": "l2"}).status == 200

    newest = get_json(rest, "/jobtypes/Listed")
    assert newest["version"] == 3
    assert newest["software_requirements"][0]["software"] == "l2"


def test_with_all_versions_withdrawn_the_jobtype_remains_without_versions(rest):
    made = rest.jobtype("Gone")

    rest("DELETE", "/jobtypes/Gone/versions/1")

    assert get_json(rest, "/jobtypes/Gone/versions/") == []
    error(get(rest, "/jobtypes/Gone"), 404)
    error(get(rest, "/jobtypes/Gone/software_requirements/"), 404)
    assert {"id": made["id"], "name": "Gone"} in rest.json("/jobtypes/")
    again = rest.jobtype("Gone")
    assert (again["id"], again["version"]) == (made["id"], 2)


@pytest.mark.parametrize(
    "path",
    ["Stays/versions/2", "Stays/versions/0", f"Stays/versions/{'9' * 23}", "Nowhere/versions/1"],
)
def test_the_withdrawal_of_a_version_that_is_not_there_is_204_and_no_commit(rest, path):
    if rest.get("/jobtypes/Stays").status == 404:
        rest.jobtype("Stays")
    before = tip(rest)

    assert_empty(rest("DELETE", f"/jobtypes/{path}"))

    assert tip(rest) == before
    assert rest.json("/jobtypes/Stays/versions") == [1]


def test_the_second_withdrawal_is_204_and_no_commit(rest):
    rest.jobtype("Again")
    rest("DELETE", "/jobtypes/Again/versions/1")
    before = tip(rest)

    assert_empty(rest("DELETE", "/jobtypes/Again/versions/1"))

    assert tip(rest) == before


def test_the_code_of_a_version_is_its_bytes(rest):
    text = f"{CODE}# Caméra 日本 \t\x0c no line end"
    rest.jobtype("Bytes", code=text)
    rest.jobtype("Bytes", code=CODE)

    answer = get(rest, "/jobtypes/Bytes/versions/1/code")

    assert (answer.status, answer.body) == (200, text.encode())
    assert answer.headers["content-type"] == "text/x-python; charset=utf-8"
    version = rest.get("/jobtypes/Bytes/versions/1")
    assert answer.headers["x-git-commit"] == version.headers["x-git-commit"]
    assert version.json["code"] == text
