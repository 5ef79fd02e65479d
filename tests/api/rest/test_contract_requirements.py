"""The contract of requirements: how they are got, added and removed."""

from __future__ import annotations

import pytest

from tests.support.contract import FULL, UNKNOWN, assert_empty, get, get_json, written
from tests.support.rest import Json, Rest, error


def requirement(rest: Rest, jobtype: str, version: int, low: str, high: str | None) -> Json:
    """The requirement object for blender."""
    blender = rest.json("/software/blender")
    ids = {v["version"]: v["id"] for v in blender["versions"]}
    bounds = [None if v is None else {"version": v, "id": ids[v]} for v in (low, high)]
    return {
        "software": {"software": "blender", "id": blender["id"]},
        "min_version": bounds[0],
        "max_version": bounds[1],
        "jobtype_version": {"version": version, "jobtype": jobtype},
    }


def test_the_requirements_of_the_newest_and_of_each_version(rest):
    required = [{"software": "blender", "min_version": "2.69", "max_version": "2.70"}]
    made = rest.jobtype("Reqs", software_requirements=required)
    rest.jobtype("Reqs", software_requirements=[{"software": "blender", "min_version": "2.70"}])

    newest = get(rest, "/jobtypes/Reqs/software_requirements/")
    first = get(rest, "/jobtypes/Reqs/versions/1/software_requirements/")

    assert newest.json == [requirement(rest, "Reqs", 2, "2.70", None)]
    assert first.json == [requirement(rest, "Reqs", 1, "2.69", "2.70")]
    assert newest.headers["x-git-commit"] != first.headers["x-git-commit"]
    assert get_json(rest, f"/jobtypes/{made['id']}/software_requirements/") == newest.json


def test_the_requirements_of_an_unknown_jobtype_are_404(rest):
    error(get(rest, "/jobtypes/Nowhere/software_requirements/"), 404)
    error(get(rest, "/jobtypes/Nowhere/versions/1/software_requirements/"), 404)
    error(get(rest, "/jobtypes/Nowhere/software_requirements/blender"), 404)


def test_a_posted_requirement_makes_a_new_version(rest, slash):
    name = f"Adds{len(slash)}"
    before = rest.jobtype(name, **FULL)
    sent = {"software": "blender", "min_version": "2.69", "max_version": "2.69"}

    answer = rest("POST", f"/jobtypes/{name}/software_requirements{slash}", sent)

    assert written(answer) == requirement(rest, name, 2, "2.69", "2.69")
    newest = rest.get(f"/jobtypes/{name}")
    assert newest.headers["x-git-commit"] == answer.headers["x-git-commit"]
    required = newest.json["software_requirements"]
    assert newest.json == {**before, "version": 2, "software_requirements": required}
    assert rest.json(f"/jobtypes/{name}/versions/1") == before


def test_a_posted_requirement_that_is_there_already_is_409(rest):
    rest.jobtype("Already", software_requirements=[{"software": "blender"}])
    sent = {"software": "blender", "min_version": "2.70"}

    error(rest("POST", "/jobtypes/Already/software_requirements", sent), 409)

    assert rest.json("/jobtypes/Already/versions") == [1]


WRONG_ENTRIES = {
    "nothing": {},
    "no software": {"min_version": "2.69"},
    "a number for software": {"software": 1},
    "null for software": {"software": None},
    "a number for a version": {"software": "blender", "min_version": 2.69},
    "a list for a version": {"software": "blender", "max_version": ["2.69"]},
    "an unknown key": {"software": "blender", "min": "2.69"},
    "min above max": {"software": "blender", "min_version": "2.71", "max_version": "2.70"},
}


@pytest.mark.parametrize("sent", WRONG_ENTRIES.values(), ids=WRONG_ENTRIES)
def test_a_posted_requirement_that_does_not_fit_is_400(rest, sent):
    if rest.get("/jobtypes/Entries").status == 404:
        rest.jobtype("Entries")

    assert error(rest("POST", "/jobtypes/Entries/software_requirements/", sent), 400)["details"]

    assert rest.json("/jobtypes/Entries/versions") == [1]


@pytest.mark.parametrize("sent", UNKNOWN.values(), ids=UNKNOWN)
def test_a_posted_requirement_of_what_is_not_in_the_catalogue_is_404(rest, sent):
    if rest.get("/jobtypes/Entries").status == 404:
        rest.jobtype("Entries")

    error(rest("POST", "/jobtypes/Entries/software_requirements/", sent), 404)

    assert rest.json("/jobtypes/Entries/versions") == [1]


def test_a_requirement_can_not_be_posted_where_no_version_is_in_service(rest):
    rest.jobtype("None left")
    rest("DELETE", "/jobtypes/None%20left/versions/1")

    for key in ("None%20left", "Nowhere", "987654"):
        error(rest("POST", f"/jobtypes/{key}/software_requirements", {"software": "blender"}), 404)


def test_a_requirement_can_not_be_posted_to_a_version(rest, slash):
    name = f"Old{len(slash)}"
    rest.jobtype(name)
    path = f"/jobtypes/{name}/versions/1/software_requirements{slash}"

    answer = rest("POST", path, {"software": "blender"})

    error(answer, 405)
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert rest.json(f"/jobtypes/{name}/versions") == [1]


def test_one_requirement_is_got_by_name_and_by_id(rest):
    rest.jobtype("One", software_requirements=[{"software": "blender", "min_version": "2.70"}])
    id = rest.json("/software/blender")["id"]

    by_name, by_id = (
        get(rest, f"/jobtypes/One/software_requirements/{k}") for k in ("blender", id)
    )

    assert by_name.json == by_id.json == requirement(rest, "One", 1, "2.70", None)
    assert by_name.headers["x-git-commit"] == rest.get("/jobtypes/One").headers["x-git-commit"]


@pytest.mark.parametrize("key", ["%2Fbin%2Ftouch", "/bin/touch"])
def test_one_requirement_with_slashes_in_its_name(rest, key):
    rest.jobtype("Slashes", software_requirements=[{"software": "/bin/touch"}])

    found = get_json(rest, f"/jobtypes/Slashes/software_requirements/{key}")

    assert found["software"]["software"] == "/bin/touch"


@pytest.mark.parametrize("key", ["%2Fbin%2Ftouch", "nowhere", "987654"])
def test_a_requirement_that_is_not_there_is_404(rest, key):
    rest.jobtype("Not there", software_requirements=[{"software": "blender"}])

    error(get(rest, f"/jobtypes/Not%20there/software_requirements/{key}"), 404)


@pytest.mark.parametrize("by", ["name", "id"])
def test_a_deleted_requirement_makes_a_new_version_without_it(rest, slash, by):
    name = f"Removes{len(slash)}{by}"
    required = [{"software": "blender", "min_version": "2.70"}, {"software": "/bin/touch"}]
    before = rest.jobtype(name, **FULL, software_requirements=required)
    key = {"name": "blender", "id": rest.json("/software/blender")["id"]}[by]

    assert_empty(rest("DELETE", f"/jobtypes/{name}/software_requirements/{key}{slash}"))

    after = rest.json(f"/jobtypes/{name}")
    left = before["software_requirements"][1:]
    assert after == {**before, "version": 2, "software_requirements": left}
    assert rest.json(f"/jobtypes/{name}/versions/1") == before


@pytest.mark.parametrize("key", ["%2Fbin%2Ftouch", "nowhere", "987654"])
def test_the_delete_of_what_is_not_required_is_204_and_no_new_version(rest, key):
    if rest.get("/jobtypes/Unrequired").status == 404:
        rest.jobtype("Unrequired", software_requirements=[{"software": "blender"}])

    assert_empty(rest("DELETE", f"/jobtypes/Unrequired/software_requirements/{key}"))

    assert rest.json("/jobtypes/Unrequired/versions") == [1]


def test_the_delete_of_a_requirement_of_an_unknown_jobtype_is_404(rest):
    error(rest("DELETE", "/jobtypes/Nowhere/software_requirements/blender"), 404)
