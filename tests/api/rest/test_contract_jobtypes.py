"""The contract of jobtypes: every row of docs/api.md about them, over HTTP, path by path."""

from __future__ import annotations

import pytest

from tests.support.contract import DEFAULTS, FULL, assert_empty, get, get_json, tip, written
from tests.support.rest import CODE, body, code, error, item

JOBTYPE_SCHEMA = {
    "id": "INTEGER",
    "jobtype_id": "INTEGER",
    "version": "INTEGER",
    "name": "VARCHAR(64)",
    "classname": "VARCHAR(64)",
    "code": "TEXT",
    "description": "TEXT",
    "max_batch": "INTEGER",
    "batch_contiguous": "BOOLEAN",
    "no_automatic_start_time": "BOOLEAN",
    "supports_tiling": "BOOLEAN",
    "success_subject": "TEXT",
    "success_body": "TEXT",
    "fail_subject": "TEXT",
    "fail_body": "TEXT",
}


# /jobtypes/


def test_the_jobtypes_are_listed_by_name_with_their_ids(rest):
    ids = {name: rest.jobtype(name)["id"] for name in ("ListB", "ListA", "Lista b")}

    rows = get_json(rest, "/jobtypes/")

    names = [row["name"] for row in rows]
    assert names == sorted(names)
    assert all(list(row) == ["id", "name"] for row in rows)
    assert {row["name"]: row["id"] for row in rows if row["name"] in ids} == ids


def test_a_posted_jobtype_is_201_with_the_whole_object(rest, slash):
    name = f"Posted{len(slash)}"
    rows = rest.json("/jobtypes/")

    answer = rest("POST", f"/jobtypes{slash}", {"name": name, "code": CODE})

    made = written(answer)
    assert made == {"id": made["id"], "name": name, "version": 1, "code": CODE, **DEFAULTS}
    assert list(made)[:6] == ["id", "name", "version", "classname", "description", "code"]
    assert made["id"] > max([row["id"] for row in rows], default=0)
    assert rest.json(item("jobtypes", name)) == made


def test_every_field_comes_back_as_it_was_posted(rest):
    made = written(rest("POST", "/jobtypes/", body("Full", **FULL)))

    assert {key: made[key] for key in FULL} == FULL
    assert get_json(rest, "/jobtypes/Full") == made


def test_null_is_no_limit_for_max_batch_and_the_default_for_the_switches(rest):
    switches = ("batch_contiguous", "no_automatic_start_time", "supports_tiling")
    made = rest.jobtype("Nulls", max_batch=None, **dict.fromkeys(switches))

    assert made["max_batch"] is None
    assert [made[key] for key in switches] == [True, False, False]


def test_a_post_of_a_jobtype_that_exists_is_409(rest, slash):
    rest.jobtype("Twice")

    error(rest("POST", f"/jobtypes{slash}", body("Twice")), 409)

    assert rest.json("/jobtypes/Twice/versions/")[-1] == rest.json("/jobtypes/Twice")["version"]


def test_a_name_used_before_goes_on_with_the_next_number_and_a_new_id(rest):
    first = rest.jobtype("Phoenix")
    rest.jobtype("Phoenix")
    rest("DELETE", "/jobtypes/Phoenix")

    again = written(rest("POST", "/jobtypes/", body("Phoenix")))

    assert again["version"] == 3
    assert again["id"] > first["id"]
    assert get_json(rest, "/jobtypes/Phoenix/versions/") == [3]
    error(get(rest, "/jobtypes/Phoenix/versions/1"), 404)
    error(get(rest, f"/jobtypes/{first['id']}"), 404)


def test_the_requirements_of_a_post_come_back_with_ids(rest):
    blender = rest.json("/software/blender")
    low, _, high = (version["id"] for version in blender["versions"])
    sent = [
        {"software": "blender", "min_version": "2.69", "max_version": "2.71"},
        {"software": "/bin/touch"},
    ]

    made = rest.jobtype("Requires", software_requirements=sent)

    assert made["software_requirements"] == [
        {
            "software": "blender",
            "software_id": blender["id"],
            "min_version": "2.69",
            "min_version_id": low,
            "max_version": "2.71",
            "max_version_id": high,
        },
        {
            "software": "/bin/touch",
            "software_id": rest.json("/software/%2Fbin%2Ftouch")["id"],
            "min_version": None,
            "min_version_id": None,
            "max_version": None,
            "max_version_id": None,
        },
    ]


def test_the_schema_of_jobtypes_is_pyfarms(rest):
    assert get_json(rest, "/jobtypes/schema") == JOBTYPE_SCHEMA


# /jobtypes/<jobtype>


@pytest.mark.parametrize("name", ["Named", "With space", "Caméra-2.0+x", "_under", "日本"])
def test_a_jobtype_is_got_by_name_and_by_id(rest, name):
    made = rest.jobtype(name)

    by_name, by_id = get(rest, item("jobtypes", name)), get(rest, f"/jobtypes/{made['id']}")

    assert by_name.json == by_id.json == made
    assert by_name.headers["etag"] == by_id.headers["etag"]
    assert len(by_name.headers["x-git-commit"]) == 40


@pytest.mark.parametrize("key", ["Nowhere", "987654", "0", "00", "9" * 30, "a%2Fb", "%00", "%FF"])
def test_a_jobtype_that_is_not_there_is_404(rest, key):
    error(get(rest, f"/jobtypes/{key}"), 404)


def test_a_put_of_a_new_name_makes_a_jobtype(rest, slash):
    name = f"Put{len(slash)}"

    made = written(rest("PUT", f"/jobtypes/{name}{slash}", body(name, **FULL)))

    assert made["version"] == 1
    assert {key: made[key] for key in FULL} == FULL
    assert rest.json(f"/jobtypes/{name}") == made


def test_twice_the_same_put_makes_two_versions(rest):
    first, second = rest.jobtype("Same", **FULL), rest.jobtype("Same", **FULL)

    assert (first["version"], second["version"]) == (1, 2)
    assert {**first, "version": 2} == second
    assert get_json(rest, "/jobtypes/Same/versions/") == [1, 2]


def test_a_put_replaces_all_fields_but_requirements_that_it_leaves_out(rest):
    required = [{"software": "blender", "min_version": "2.70"}]
    before = rest.jobtype("Replace", **FULL, software_requirements=required)

    after = written(rest("PUT", "/jobtypes/Replace", {"name": "Replace", "code": code("b")}))

    kept = {"software_requirements": before["software_requirements"]}
    assert after == {**before, **DEFAULTS, **kept, "version": 2, "code": code("b")}
    assert get_json(rest, "/jobtypes/Replace/versions/1") == before


@pytest.mark.parametrize("empty", [[]])
def test_a_put_with_an_empty_list_takes_the_requirements_away(rest, empty):
    rest.jobtype("Emptied", software_requirements=[{"software": "blender"}])

    assert rest.jobtype("Emptied", software_requirements=empty)["software_requirements"] == []


def test_requirements_left_out_of_a_new_jobtype_are_none(rest):
    assert rest.jobtype("Without")["software_requirements"] == []


def test_what_a_get_gave_can_be_put_back(rest):
    required = [{"software": "blender", "min_version": "2.69", "max_version": None}]
    rest.jobtype("Back", **FULL, software_requirements=required)
    got = rest.json("/jobtypes/Back")

    again = written(rest("PUT", "/jobtypes/Back", got))

    assert again == {**got, "version": 2}


def test_the_version_and_ids_in_a_body_say_nothing(rest):
    required = {"software": "blender", "software_id": 77, "min_version_id": 5, "max_version_id": 0}

    made = rest.jobtype("Says nothing", version=40, software_requirements=[required])

    assert made["version"] == 1
    row = made["software_requirements"][0]
    assert row["software_id"] == rest.json("/software/blender")["id"]
    assert (row["min_version"], row["min_version_id"]) == (None, None)


def test_an_id_in_the_body_must_be_the_jobtypes(rest):
    made = rest.jobtype("Own id")

    error(rest("PUT", "/jobtypes/Own%20id", body("Own id", id=made["id"] + 1)), 400)
    error(rest("PUT", "/jobtypes/Fresh%20id", body("Fresh id", id=made["id"])), 400)
    error(rest("POST", "/jobtypes/", body("Fresh id", id=1)), 400)
    assert rest.jobtype("Own id", id=made["id"])["version"] == 2


def test_a_put_by_name_of_a_new_jobtype_must_bear_that_name(rest):
    error(rest("PUT", "/jobtypes/Path", body("Other path")), 400)

    error(rest.get("/jobtypes/Path"), 404)
    error(rest.get("/jobtypes/Other%20path"), 404)


def test_a_put_by_id_makes_a_version(rest, slash):
    made = rest.jobtype("By id")

    again = written(rest("PUT", f"/jobtypes/{made['id']}{slash}", body("By id")))

    assert again == {**made, "version": made["version"] + 1}


def test_a_put_by_an_unknown_id_is_404(rest):
    error(rest("PUT", "/jobtypes/987654", body("By unknown id")), 404)
    error(rest.get("/jobtypes/By%20unknown%20id"), 404)


@pytest.mark.parametrize("by", ["name", "id"])
def test_another_name_renames_and_the_rest_becomes_the_next_version(rest, by):
    old, new = f"Old {by}", f"New {by}"
    first = rest.jobtype(old)
    key = {"name": old, "id": first["id"]}[by]

    renamed = written(rest("PUT", item("jobtypes", key), body(new, code=code("n"))))

    assert renamed == {**first, "name": new, "version": 2, "code": code("n")}
    assert get_json(rest, item("jobtypes", new, "versions")) == [1, 2]
    assert get_json(rest, item("jobtypes", new, "versions", 1)) == {**first, "name": new}
    assert get_json(rest, f"/jobtypes/{first['id']}")["name"] == new
    error(rest.get(item("jobtypes", old)), 404)


def test_a_rename_keeps_withdrawn_versions_withdrawn(rest):
    rest.jobtype("Withdrawn old")
    rest.jobtype("Withdrawn old")
    rest("DELETE", "/jobtypes/Withdrawn%20old/versions/1")

    rest("PUT", "/jobtypes/Withdrawn%20old", body("Withdrawn new"))

    assert rest.json("/jobtypes/Withdrawn%20new/versions/") == [2, 3]


@pytest.mark.parametrize("state", ["in use", "deleted", "renamed"])
def test_a_rename_to_a_name_that_is_or_was_in_use_is_409(rest, state):
    taken, other = f"Taken {state}", f"Other {state}"
    rest.jobtype(taken)
    rest.jobtype(other)
    if state == "deleted":
        rest("DELETE", item("jobtypes", taken))
    if state == "renamed":
        rest("PUT", item("jobtypes", taken), body(f"Elsewhere {state}"))

    error(rest("PUT", item("jobtypes", other), body(taken)), 409)

    assert rest.json(item("jobtypes", other, "versions")) == [1]


def test_a_name_that_differs_only_in_case_is_409(rest):
    rest.jobtype("Case")

    error(rest("POST", "/jobtypes/", body("CASE")), 409)
    error(rest("PUT", "/jobtypes/case", body("case")), 409)


def test_a_deleted_jobtype_is_404_by_name_by_id_and_all_its_versions(rest, slash):
    name = f"Deleted{len(slash)}"
    made = rest.jobtype(name, software_requirements=[{"software": "blender"}])

    assert_empty(rest("DELETE", f"/jobtypes/{name}{slash}"))

    for key in (name, made["id"]):
        path = f"/jobtypes/{key}"
        for below in ("", "/versions", "/versions/1", "/versions/1/code"):
            error(get(rest, path + below), 404)
        for below in ("", "/versions/1"):
            error(get(rest, f"{path}{below}/software_requirements"), 404)
        error(get(rest, f"{path}/software_requirements/blender"), 404)
    assert name not in [row["name"] for row in rest.json("/jobtypes/")]


def test_a_jobtype_is_deleted_by_id(rest):
    made = rest.jobtype("Deleted by id")

    assert_empty(rest("DELETE", f"/jobtypes/{made['id']}"))

    error(rest.get("/jobtypes/Deleted%20by%20id"), 404)


@pytest.mark.parametrize("key", ["Never%20there", "987654", "sch%C3%A9ma", "%FF"])
def test_the_delete_of_a_jobtype_that_is_not_there_is_204_and_no_commit(rest, key):
    before = rest.get("/jobtypes/").headers["etag"], tip(rest)

    assert_empty(rest("DELETE", f"/jobtypes/{key}"))

    assert (rest.get("/jobtypes/").headers["etag"], tip(rest)) == before
