"""The contract of software: every row of docs/api.md about it, over HTTP, path by path."""

from __future__ import annotations

import pytest

from tests.support.contract import assert_empty, get, get_json, tip, written
from tests.support.rest import error, item

# /software/


def test_the_software_is_listed_by_id(rest):
    made = [rest.software(name, "1") for name in ("zlist", "alist")]

    rows = get_json(rest, "/software/")

    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    assert [row for row in rows if row["software"].endswith("list")] == made


def test_the_schema_of_software_is_pyfarms(rest):
    assert get_json(rest, "/software/schema") == {"id": "INTEGER", "software": "VARCHAR(64)"}


@pytest.mark.parametrize(
    "name", ["posted", "Posted Maya 2.0", "/usr/bin/posted", "ポスト", "a%2Fb", "?#&"]
)
def test_posted_software_is_201_with_the_whole_object(rest, name):
    before = {row["id"] for row in rest.json("/software/")}

    made = written(rest("POST", "/software/", {"software": name}))

    assert made == {"id": made["id"], "software": name, "versions": []}
    assert made["id"] > max(before)
    assert get_json(rest, item("software", name)) == made
    assert get_json(rest, f"/software/{made['id']}") == made


RANKS = {
    "none given": ([None, None, None], [100, 200, 300]),
    "all given": ([3, 1, 2], [3, 1, 2]),
    "the second": ([None, 150, None], [100, 150, 300]),
    "a low one": ([None, 5, None], [100, 5, 300]),
    "a high one first": ([1000, None, None], [1000, 1100, 1200]),
    "negative": ([-5, None], [-5, 200]),
    "zero first": ([0, None], [0, 200]),
}


@pytest.mark.parametrize(("given", "got"), RANKS.values(), ids=RANKS)
def test_ranks_that_are_left_out_are_given(rest, request, given, got):
    name = f"ranks {request.node.callspec.id}"
    sent = [{"version": f"v{n}", "rank": rank} for n, rank in enumerate(given)]
    sent = [{k: v for k, v in row.items() if v is not None} for row in sent]

    made = written(rest("POST", "/software", {"software": name, "versions": sent}))

    assert all(list(row) == ["id", "version", "rank"] for row in made["versions"])
    ranks = {row["version"]: row["rank"] for row in made["versions"]}
    assert [ranks[f"v{n}"] for n in range(len(got))] == got
    assert [row["rank"] for row in made["versions"]] == sorted(got)


WRONG_SOFTWARE = {
    "nothing": {},
    "a number": {"software": 1},
    "null": {"software": None},
    "an empty name": {"software": ""},
    "digits": {"software": "123"},
    "a route": {"software": "schema"},
    "a name that ends in a slash": {"software": "a/"},
    "a name with a route in it": {"software": "a/versions/b"},
    "a version that ends in a route": {"software": "wrong", "versions": [{"version": "1/code"}]},
    "a control character": {"software": "a\tb"},
    "a long name": {"software": "x" * 65},
    "an unknown key": {"software": "wrong", "name": "x"},
    "versions that are an object": {"software": "wrong", "versions": {}},
    "versions that are null": {"software": "wrong", "versions": None},
    "a version that is a string": {"software": "wrong", "versions": ["1"]},
    "a version that is a number": {"software": "wrong", "versions": [{"version": 1}]},
    "a version that is empty": {"software": "wrong", "versions": [{"version": ""}]},
    "a version without its string": {"software": "wrong", "versions": [{"rank": 1}]},
    "a rank that is a string": {
        "software": "wrong",
        "versions": [{"version": "1", "rank": "1"}],
    },
    "a rank that is null": {"software": "wrong", "versions": [{"version": "1", "rank": None}]},
    "a rank over the range": {
        "software": "wrong",
        "versions": [{"version": "1", "rank": 2**40}],
    },
    "a rank twice": {
        "software": "wrong",
        "versions": [{"version": "1", "rank": 1}, {"version": "2", "rank": 1}],
    },
    "a rank that is given already": {
        "software": "wrong",
        "versions": [
            {"version": "1", "rank": 200},
            {"version": "2"},
            {"version": "3", "rank": 300},
        ],
    },
    "a version twice": {"software": "wrong", "versions": [{"version": "1"}, {"version": "1"}]},
    "an unknown key in a version": {
        "software": "wrong",
        "versions": [{"version": "1", "default": True}],
    },
}


@pytest.mark.parametrize("sent", WRONG_SOFTWARE.values(), ids=WRONG_SOFTWARE)
@pytest.mark.parametrize(("method", "path"), [("POST", "/software/"), ("PUT", "/software/wrong")])
def test_software_that_does_not_fit_is_400(rest, method, path, sent):
    error(rest(method, path, sent), 400)

    error(rest.get("/software/wrong"), 404)


def test_posted_software_that_exists_is_409(rest, slash):
    error(rest("POST", f"/software{slash}", {"software": "blender"}), 409)

    assert len(rest.json("/software/blender")["versions"]) == 3


# /software/<software>


@pytest.mark.parametrize("path", ["%2Fbin%2Ftouch", "/bin/touch", "{id}"])
def test_software_with_slashes_is_got_quoted_as_it_stands_and_by_id(rest, path):
    id = next(s["id"] for s in rest.json("/software/") if s["software"] == "/bin/touch")
    base = f"/software/{path.format(id=id)}"

    found = get_json(rest, base)

    assert (found["id"], found["software"]) == (id, "/bin/touch")
    assert get_json(rest, f"{base}/versions/") == found["versions"]
    assert get_json(rest, f"{base}/versions/8.21")["version"] == "8.21"


@pytest.mark.parametrize("key", ["nowhere", "987654", "0", "%FF", "%00", "//no/where", "bin/touch"])
def test_software_that_is_not_there_is_404(rest, key):
    error(get(rest, f"/software/{key}"), 404)
    error(get(rest, f"/software/{key}/versions"), 404)
    error(get(rest, f"/software/{key}/versions/8.21"), 404)
    error(get(rest, f"/software/{key}/versions/8.21/discovery_code"), 404)


def test_put_software_is_201_when_new_and_200_when_updated(rest, slash):
    name = f"put{len(slash)}"
    sent = {"software": name, "versions": [{"version": "1"}, {"version": "2"}]}

    made = written(rest("PUT", f"/software/{name}{slash}", sent))
    again = written(rest("PUT", f"/software/{name}{slash}", sent), 200)

    assert made == again == rest.json(f"/software/{name}")
    by_id = written(rest("PUT", f"/software/{made['id']}{slash}", sent), 200)
    assert by_id == made


def test_put_versions_replace_the_list_and_those_that_stay_keep_their_ids(rest):
    before = {v["version"]: v["id"] for v in rest.software("kept", "1", "2", "3")["versions"]}
    sent = [{"version": "3"}, {"version": "new"}, {"version": "1", "rank": 50}]

    after = written(rest("PUT", "/software/kept", {"software": "kept", "versions": sent}), 200)

    rows = [(v["version"], v["rank"]) for v in after["versions"]]
    assert rows == [("1", 50), ("3", 100), ("new", 200)]
    ids = {v["version"]: v["id"] for v in after["versions"]}
    assert (ids["1"], ids["3"]) == (before["1"], before["3"])
    assert ids["new"] > max(before.values())


def test_a_version_that_was_taken_away_comes_back_with_another_id(rest):
    first = rest.software("comes back", "1")["versions"][0]
    rest.software("comes back", "2")

    again = rest.software("comes back", "1")["versions"][0]

    assert again["id"] > first["id"] + 1


def test_put_software_without_versions_leaves_the_list(rest):
    before = rest.software("left", "1", "2")

    assert written(rest("PUT", "/software/left", {"software": "left"}), 200) == before
    assert rest.software("left")["versions"] == []


def test_a_put_by_name_must_bear_that_name(rest):
    rest.software("bears", "1")

    for path in ("/software/bears", "/software/fresh"):
        error(rest("PUT", path, {"software": "another"}), 400)

    error(rest.get("/software/another"), 404)


def test_a_put_by_an_unknown_software_id_is_404(rest):
    error(rest("PUT", "/software/987654", {"software": "by unknown id"}), 404)


def test_a_put_by_id_renames_and_the_requirements_of_newest_versions_follow(rest):
    made = rest.software("renames", "1", "2")
    entry = {"software": "renames", "min_version": "1"}
    for name in ("Follows A", "Follows B"):
        first = rest.jobtype(name, software_requirements=[{"software": "blender"}, entry])
    before = tip(rest)

    after = written(rest("PUT", f"/software/{made['id']}", {"software": "renamed"}), 200)

    assert after == {**made, "software": "renamed"}
    error(rest.get("/software/renames"), 404)
    commits = {
        rest.get(item("jobtypes", n)).headers["x-git-commit"] for n in ("Follows A", "Follows B")
    }
    assert commits == {tip(rest)}
    assert tip(rest) != before
    newest = rest.json(item("jobtypes", "Follows B"))
    rows = newest["software_requirements"]
    assert rows[1] == {**first["software_requirements"][1], "software": "renamed"}
    assert newest == {**first, "version": 2, "software_requirements": rows}
    assert rest.json(item("jobtypes", "Follows B", "versions", 1)) == first


def test_a_rename_and_other_versions_at_once(rest):
    made = rest.software("renames too", "1")

    sent = {"software": "renamed too", "versions": [{"version": "1"}, {"version": "2"}]}
    after = written(rest("PUT", f"/software/{made['id']}", sent), 200)

    assert after["id"] == made["id"]
    assert after["versions"][0] == made["versions"][0]


def test_versions_that_a_newest_version_requires_can_not_be_taken_away(rest):
    rest.software("needed", "1", "2", "3")
    low_high = {"software": "needed", "min_version": "1", "max_version": "3"}
    rest.jobtype("Needs A", software_requirements=[low_high])
    rest.jobtype("Needs B", software_requirements=[low_high])
    sent = {"software": "needed", "versions": [{"version": "2"}, {"version": "3"}]}

    said = error(rest("PUT", "/software/needed", sent), 409)["error"]

    assert "Needs A" in said
    assert "Needs B" in said
    assert len(rest.json("/software/needed")["versions"]) == 3
    assert len(rest.software("needed", "1", "3")["versions"]) == 2


def test_ranks_that_turn_a_requirement_of_a_newest_version_are_refused(rest):
    rest.software("ranked", "1", "2")
    rest.jobtype(
        "Ranks", software_requirements=[
            {"software": "ranked", "min_version": "1", "max_version": "2"}
        ]
    )  # fmt: skip
    sent = {"software": "ranked", "versions": [{"version": "2"}, {"version": "1"}]}

    said = error(rest("PUT", "/software/ranked", sent), 409)["error"]

    assert "the order of ranked 1 and 2 is required by Ranks" in said
    assert [v["version"] for v in rest.json("/software/ranked")["versions"]] == ["1", "2"]


def test_what_only_an_older_version_requires_can_be_taken_away(rest):
    made = rest.software("outlived", "1")
    first = rest.jobtype(
        "Outlives", software_requirements=[{"software": "outlived", "min_version": "1"}]
    )
    rest.jobtype("Outlives", software_requirements=[])

    assert_empty(rest("DELETE", "/software/outlived"))

    assert first["software_requirements"][0]["software_id"] == made["id"]
    assert rest.json("/jobtypes/Outlives/versions/1") == first


@pytest.mark.parametrize("by", ["name", "id"])
def test_deleted_software_is_404_by_name_and_by_id(rest, slash, by):
    name = f"deleted {by} {len(slash)}"
    made = rest.software(name, "1")

    path = item("software", {"name": name, "id": made["id"]}[by])
    assert_empty(rest("DELETE", path + slash))

    for key in (name, made["id"]):
        for below in ("", "versions", "versions/1"):
            error(get(rest, item("software", key, *([below] if below else []))), 404)
    assert rest.software(name, "1")["id"] > made["id"]


@pytest.mark.parametrize("key", ["nowhere", "987654", "//no/where"])
def test_the_delete_of_software_that_is_not_there_is_204_and_no_commit(rest, key):
    before = tip(rest)

    assert_empty(rest("DELETE", f"/software/{key}"))

    assert tip(rest) == before


def test_software_that_a_newest_version_requires_is_409_to_delete(rest):
    rest.software("wanted", "1")
    rest.jobtype("Wants", software_requirements=[{"software": "wanted"}])

    assert "Wants" in error(rest("DELETE", "/software/wanted"), 409)["error"]

    rest("DELETE", "/jobtypes/Wants")
    assert_empty(rest("DELETE", "/software/wanted"))
