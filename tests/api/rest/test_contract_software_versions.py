"""The contract of the versions of software: how they are listed, added and removed."""

from __future__ import annotations

import pytest

from tests.support.contract import assert_empty, get, get_json, tip, written
from tests.support.rest import error, item


def test_the_versions_of_software_are_listed_by_rank(rest):
    sent = [{"version": "b", "rank": 2}, {"version": "a", "rank": 1}]
    made = written(rest("POST", "/software", {"software": "by rank", "versions": sent}))

    rows = get_json(rest, "/software/by%20rank/versions/")

    assert rows == made["versions"]
    assert [row["version"] for row in rows] == ["a", "b"]


def test_a_posted_version_is_201_with_its_row(rest, slash):
    name = f"posts{len(slash)}"
    made = rest.software(name)
    path = f"/software/{name}/versions{slash}"

    row = written(rest("POST", path, {"version": "1"}))

    assert list(row) == ["id", "version", "rank"]
    assert (row["version"], row["rank"]) == ("1", 100)
    assert rest.json(path) == [row]
    assert rest.json(f"/software/{made['id']}")["versions"] == [row]


@pytest.mark.parametrize(
    ("highest", "next_rank"), [(150, 300), (100, 200), (199, 300), (1, 200), (-150, 0), (0, 100)]
)
def test_a_posted_version_ranks_above_the_highest_in_a_multiple_of_100(rest, highest, next_rank):
    name = f"above {highest}"
    rest.software(name)
    path = item("software", name, "versions")
    rest("POST", path, {"version": "low", "rank": highest - 1000})
    rest("POST", path, {"version": "high", "rank": highest})

    assert written(rest("POST", path, {"version": "new"}))["rank"] == next_rank


def test_a_version_that_no_rank_is_left_for_is_400(rest):
    highest = {"version": "1", "rank": 2**31 - 1}
    written(rest("POST", "/software/", {"software": "full", "versions": [highest]}))

    said = error(rest("POST", "/software/full/versions/", {"version": "2"}), 400)
    assert [detail["path"] for detail in said["details"]] == ["rank"]
    sent = {"software": "full", "versions": [highest, {"version": "2"}]}
    said = error(rest("PUT", "/software/full", sent), 400)
    assert [detail["path"] for detail in said["details"]] == ["versions"]
    assert "no rank" in said["error"]


def test_a_version_is_posted_by_the_id_of_its_software_with_all_fields(rest):
    made = rest.software("all fields")
    text = "def found():\n    return True\n"
    sent = {
        "version": "2/b",
        "rank": 7,
        "default": True,
        "discovery_code": text,
        "discovery_function_name": "found",
    }

    row = written(rest("POST", f"/software/{made['id']}/versions/", sent))

    assert row["rank"] == 7
    shown = {**row, "discovery_function_name": "found"}
    for version in ("2%2Fb", "2/b", row["id"]):
        base = f"/software/all%20fields/versions/{version}"
        assert get_json(rest, base) == shown
        for ending in ("discovery_code", "code"):
            answer = get(rest, f"{base}/{ending}")
            assert (answer.status, answer.body) == (200, text.encode())
            assert answer.headers["content-type"] == "text/x-python; charset=utf-8"


def test_an_empty_function_name_is_kept_as_it_was_sent(rest):
    rest.software("unnamed")
    sent = {"version": "1", "discovery_code": "", "discovery_function_name": ""}

    written(rest("POST", "/software/unnamed/versions/", sent))

    said = get_json(rest, "/software/unnamed/versions/1")
    assert said["discovery_function_name"] == ""
    assert get(rest, "/software/unnamed/versions/1/code").body == b""


WRONG_VERSIONS = {
    "nothing": {},
    "a number": {"version": 2.69},
    "an empty string": {"version": ""},
    "a long string": {"version": "1" * 65},
    "a control character": {"version": "1\n"},
    "a string that ends in a route": {"version": "1/code"},
    "a rank that is a string": {"version": "1", "rank": "1"},
    "a rank that is null": {"version": "1", "rank": None},
    "a rank that is taken": {"version": "1", "rank": 100},
    "a default that is a number": {"version": "1", "default": 1},
    "code that is a number": {"version": "1", "discovery_code": 1},
    "code that is no Python": {"version": "1", "discovery_code": "def x("},
    "a function that is a list": {"version": "1", "discovery_function_name": []},
    "an unknown key": {"version": "1", "id": 4},
}


@pytest.mark.parametrize("sent", WRONG_VERSIONS.values(), ids=WRONG_VERSIONS)
def test_a_posted_version_that_does_not_fit_is_400(rest, sent):
    if rest.get("/software/misfits").status == 404:
        rest.software("misfits", "there")

    assert error(rest("POST", "/software/misfits/versions/", sent), 400)["details"]

    assert len(rest.json("/software/misfits/versions")) == 1


def test_a_posted_version_that_exists_is_409(rest):
    rest.software("has one", "1")

    error(rest("POST", "/software/has%20one/versions/", {"version": "1"}), 409)
    error(rest("POST", "/software/has%20one/versions/", {"version": "1", "rank": 100}), 409)


def test_a_version_can_not_be_posted_to_unknown_software(rest):
    for key in ("nowhere", "987654"):
        error(rest("POST", f"/software/{key}/versions/", {"version": "1"}), 404)


def test_digits_are_a_version_string_first_and_else_an_id(rest):
    rows = rest.software("digits", "x", "y")["versions"]
    string = str(rows[0]["id"])
    added = written(rest("POST", "/software/digits/versions", {"version": string}))

    assert get_json(rest, f"/software/digits/versions/{string}")["id"] == added["id"]
    assert get_json(rest, f"/software/digits/versions/{rows[1]['id']}")["version"] == "y"


def test_the_id_of_another_softwares_version_is_404(rest):
    other = rest.software("other ids", "1")["versions"][0]["id"]
    rest.software("own ids", "x")

    error(get(rest, f"/software/own%20ids/versions/{other}"), 404)


@pytest.mark.parametrize("version", ["9.9", "987654", "%FF"])
def test_a_version_of_software_that_is_not_there_is_404(rest, version):
    for ending in ("", "/code", "/discovery_code"):
        error(get(rest, f"/software/blender/versions/{version}{ending}"), 404)


def test_a_version_without_discovery_code_has_no_function_and_404_for_the_code(rest):
    shown = get_json(rest, "/software/blender/versions/2.69")

    assert list(shown) == ["id", "version", "rank", "discovery_function_name"]
    assert shown["discovery_function_name"] is None
    error(get(rest, "/software/blender/versions/2.69/discovery_code"), 404)
    error(get(rest, "/software/blender/versions/2.69/code"), 404)


@pytest.mark.parametrize("by", ["string", "id"])
def test_a_deleted_version_of_software_is_gone(rest, slash, by):
    name = f"loses {by} {len(slash)}"
    rows = rest.software(name, "1", "x/y")["versions"]
    key = {"string": "x%2Fy", "id": rows[1]["id"]}[by]

    assert_empty(rest("DELETE", item("software", name, "versions", f"{key}{slash}")))

    assert rest.json(item("software", name, "versions")) == rows[:1]


def test_the_delete_of_a_version_of_software_that_is_not_there_is_204(rest):
    before = tip(rest)

    assert_empty(rest("DELETE", "/software/blender/versions/9.9"))
    assert_empty(rest("DELETE", "/software/blender/versions/987654"))

    assert tip(rest) == before


def test_the_delete_of_a_version_of_unknown_software_is_404(rest):
    error(rest("DELETE", "/software/nowhere/versions/1"), 404)


def test_a_version_that_a_newest_version_requires_is_409_to_delete(rest):
    rest.software("bound", "1", "2", "3")
    rest.jobtype("Bounds", software_requirements=[{"software": "bound", "max_version": "3"}])

    assert "Bounds" in error(rest("DELETE", "/software/bound/versions/3"), 409)["error"]

    assert_empty(rest("DELETE", "/software/bound/versions/2"))
    assert [row["version"] for row in rest.json("/software/bound/versions")] == ["1", "3"]
