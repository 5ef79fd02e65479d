"""Every row of docs/api.md's two tables of PyFarm's routes, over HTTP, path by path.

The tests share a service and keep apart by the names they use.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gitstore.branch.store import Store
from gitstore.branch.writing import Writer
from gitstore.edits.edit import Edited
from tests.support.rest import CODE, Json, Rest, body, code, error, item, running
from tests.support.server import Answer

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
DEFAULTS = {
    "classname": None,
    "description": None,
    "max_batch": 1,
    "batch_contiguous": True,
    "no_automatic_start_time": False,
    "supports_tiling": False,
    "success_subject": None,
    "success_body": None,
    "fail_subject": None,
    "fail_body": None,
    "software_requirements": [],
}
FULL = {
    "classname": "Job",
    "description": "Rénders “frames”\nin two lines: # no comment",
    "max_batch": 12,
    "batch_contiguous": False,
    "no_automatic_start_time": True,
    "supports_tiling": True,
    "success_subject": "done: {title}",
    "success_body": "all frames\n\nof it\n",
    "fail_subject": "yes",
    "fail_body": "1.0",
}


@pytest.fixture(scope="module")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service in whose catalogue are blender 2.69, 2.70 and 2.71, and /bin/touch 8.21."""
    with running(tmp_path_factory.mktemp("contract")) as made:
        made.software("blender", "2.69", "2.70", "2.71")
        made.software("/bin/touch", "8.21")
        yield made


@pytest.fixture(params=["", "/"], ids=["bare", "slash"])
def slash(request) -> str:
    """How a path ends."""
    return str(request.param)


def get(rest: Rest, path: str) -> Answer:
    """The answer to a GET of *path*, which must be the same with a slash at the end."""
    bare, slashed = (rest.get(path.rstrip("/") + end) for end in ("", "/"))
    per_request = {"date": "", "x-request-id": ""}
    assert (slashed.status, slashed.body) == (bare.status, bare.body)
    assert {**slashed.headers, **per_request} == {**bare.headers, **per_request}
    if bare.status == 200:
        assert bare.headers["etag"].startswith('"')
        assert bare.headers["cache-control"] == "no-cache"
    return bare


def get_json(rest: Rest, path: str) -> Json:
    """What a GET says, which must be 200 and exactly application/json."""
    answer = get(rest, path)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return answer.json


def assert_empty(answer: Answer) -> None:
    assert (answer.status, answer.body) == (204, b"")
    assert "content-type" not in answer.headers


def written(answer: Answer, status: int = 201) -> Json:
    """What a POST or PUT answered, which must be *status* and exactly application/json."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/json"
    return answer.json


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


def tip(rest: Rest) -> object:
    return rest.server.get("/health/ready").json["tip"]


# Bodies of jobtypes

WRONG_FIELDS = {
    "no name": ({"name": ...}, "name"),
    "no code": ({"code": ...}, "code"),
    "a number for a name": ({"name": 7}, "name"),
    "null for a name": ({"name": None}, "name"),
    "an empty name": ({"name": ""}, "name"),
    "a name with a slash": ({"name": "a/b"}, "name"),
    "a name of digits": ({"name": "123"}, "name"),
    "a name that ends in a dot": ({"name": "Dot."}, "name"),
    "a name that ends in a space": ({"name": "Space "}, "name"),
    "a name that begins with a dash": ({"name": "-x"}, "name"),
    "a device of Windows": ({"name": "con"}, "name"),
    "a name that is a route": ({"name": "schema"}, "name"),
    "a decomposed name": ({"name": "Came\u0301ra"}, "name"),
    "a long name": ({"name": "x" * 65}, "name"),
    "code that is a number": ({"code": 123}, "code"),
    "code that is null": ({"code": None}, "code"),
    "code that is a list": ({"code": ["class Job: pass"]}, "code"),
    "code that is no Python": ({"code": "class Job:\n    pass\nx =\n"}, "code"),
    "code without the class": ({"code": "class Other:\n    pass\n"}, "code"),
    "code with the class not at the top": ({"code": "def f():\n    class Job: pass\n"}, "code"),
    "a class that is a number": ({"classname": 1}, "classname"),
    "a long class": ({"classname": "J" * 65}, "classname"),
    "max_batch that is a string": ({"max_batch": "x"}, "max_batch"),
    "max_batch that is digits": ({"max_batch": "1"}, "max_batch"),
    "max_batch that is a fraction": ({"max_batch": 1.5}, "max_batch"),
    "max_batch that is true": ({"max_batch": True}, "max_batch"),
    "max_batch 0": ({"max_batch": 0}, "max_batch"),
    "max_batch -1": ({"max_batch": -1}, "max_batch"),
    "max_batch over the range": ({"max_batch": 2**31}, "max_batch"),
    "a switch that is 1": ({"batch_contiguous": 1}, "batch_contiguous"),
    "a switch that is a word": ({"no_automatic_start_time": "no"}, "no_automatic_start_time"),
    "a switch that is a list": ({"supports_tiling": []}, "supports_tiling"),
    "a description that is a number": ({"description": 1}, "description"),
    "a template that is an object": ({"fail_body": {}}, "fail_body"),
    "an unknown key": ({"colour": "red"}, "colour"),
    "an id that is a string": ({"id": "1"}, "id"),
    "a version that is a string": ({"version": "1"}, "version"),
    "requirements that are an object": ({"software_requirements": {}}, "software_requirements"),
    "requirements that are null": ({"software_requirements": None}, "software_requirements"),
}
REQUIREMENT = "software_requirements.0"
WRONG_REQUIREMENTS = {
    "an entry that is a string": (["blender"], REQUIREMENT),
    "an entry without software": ([{"min_version": "2.69"}], f"{REQUIREMENT}.software"),
    "an entry with a number": ([{"software": 1}], f"{REQUIREMENT}.software"),
    "an entry with null": ([{"software": None}], f"{REQUIREMENT}.software"),
    "an unknown key": ([{"software": "blender", "versions": "2"}], f"{REQUIREMENT}.versions"),
    "a version that is a number": (
        [{"software": "blender", "min_version": 2.7}],
        f"{REQUIREMENT}.min_version",
    ),
    "one software twice": ([{"software": "blender"}] * 2, "software_requirements"),
    "min above max": (
        [{"software": "blender", "min_version": "2.71", "max_version": "2.69"}],
        f"{REQUIREMENT}.min_version",
    ),
    "an id that is a string": (
        [{"software": "blender", "software_id": "1"}],
        f"{REQUIREMENT}.software_id",
    ),
}
WRONG = WRONG_FIELDS | {
    f"requirements: {what}": ({"software_requirements": value}, path)
    for what, (value, path) in WRONG_REQUIREMENTS.items()
}


@pytest.mark.parametrize(("fields", "path"), WRONG.values(), ids=WRONG)
def test_a_body_that_does_not_fit_is_400_and_says_where(rest, fields, path):
    sent = {k: v for k, v in body("Wrong", **fields).items() if v is not ...}
    before = tip(rest)

    said = error(rest("POST", "/jobtypes/", sent), 400)

    assert path in [detail["path"] for detail in said["details"]], said
    assert said["details"][0]["message"] in said["error"]
    assert tip(rest) == before


@pytest.mark.parametrize(("fields", "path"), WRONG.values(), ids=WRONG)
def test_a_put_refuses_what_a_post_refuses(rest, fields, path):
    if rest.get("/jobtypes/Wrong%20put").status == 404:
        rest.jobtype("Wrong put")
    sent = {k: v for k, v in body("Wrong put", **fields).items() if v is not ...}

    said = error(rest("PUT", "/jobtypes/Wrong%20put", sent), 400)

    assert path in [detail["path"] for detail in said["details"]], said
    assert rest.json("/jobtypes/Wrong%20put/versions") == [1]


def test_metadata_over_the_limit_of_the_format_are_413(rest):
    said = error(rest("POST", "/jobtypes/", body("Wordy", description="word " * 60_000)), 413)

    assert "262144 is the limit" in said["error"]


def test_all_that_is_wrong_with_a_body_is_said_at_once(rest):
    said = error(rest("POST", "/jobtypes/", {"max_batch": 0, "x": 1}), 400)

    assert {d["path"] for d in said["details"]} == {"name", "code", "max_batch", "x"}


def test_code_that_is_no_python_is_400_with_its_line(rest):
    sent = body("Line", code="class Job:\n    pass\n\nx = = 1\n")

    assert ":4: " in error(rest("POST", "/jobtypes/", sent), 400)["error"]


@pytest.mark.parametrize(
    "text",
    [
        "class Job(object):\n    pass\n",
        "from studio import Job\n",
        "from studio import Base as Job\n",
        "import Job\n",
        "from studio import *\n",
        "Job = type('Job', (), {})\n",
        "Job: type = object\n",
        "try:\n    from a import Job\nexcept ImportError:\n    Job = None\n",
        "if True:\n    class Job:\n        pass\n",
    ],
)
def test_the_class_may_be_defined_imported_or_assigned(rest, text):
    assert rest.jobtype("Ways", code=text)["code"] == text


def test_control_characters_that_python_takes_can_be_put_back(rest):
    text = f"{CODE}    signs = '\x1b\x7f\x0b\x85'\n"
    made = rest.jobtype("Signs", code=text)

    again = written(rest("PUT", "/jobtypes/Signs", rest.json("/jobtypes/Signs")))

    assert (made["code"], again["code"]) == (text, text)


def test_a_missing_class_is_no_error_where_classname_is_null(rest):
    made = rest.jobtype("No class", classname=None, code="x = 1\n")

    assert (made["classname"], made["code"]) == (None, "x = 1\n")


UNKNOWN = {
    "software": {"software": "blendr"},
    "min_version": {"software": "blender", "min_version": "9"},
    "max_version": {"software": "blender", "max_version": "8.21"},
}


@pytest.mark.parametrize(("key", "entry"), UNKNOWN.items(), ids=UNKNOWN)
def test_what_is_not_in_the_catalogue_is_404(rest, key, entry):
    sent = body("Unknown", software_requirements=[{"software": "/bin/touch"}, entry])

    said = error(rest("POST", "/jobtypes/", sent), 404)

    assert [d["path"] for d in said["details"]] == [f"software_requirements.1.{key}"]
    error(rest.get("/jobtypes/Unknown"), 404)


def test_400_comes_before_404(rest):
    sent = body("Both", code="x =", software_requirements=[{"software": "blendr"}])
    error(rest("POST", "/jobtypes/", sent), 400)
    error(rest("PUT", "/jobtypes/987654", {"name": "Both"}), 400)
    error(rest("POST", "/jobtypes/Nowhere/software_requirements/", {}), 400)
    error(rest("POST", "/software/nowhere/versions/", {}), 400)


BROKEN = "class Job(\n"
FIRST = {
    "no Python at an unknown id": ("PUT", "/jobtypes/987654", body("Order", code=BROKEN), "code"),
    "no class at an unknown id": ("PUT", "/jobtypes/987654", body("Order", code="x = 1\n"), "code"),
    "a wrong name at an unknown id": ("PUT", "/jobtypes/987654", body("-x"), "name"),
    "no Python for what exists": ("POST", "/jobtypes/", body("Order", code=BROKEN), "code"),
    "no Python for a name in use": ("PUT", "/jobtypes/Order", body("Order2", code=BROKEN), "code"),
    "a wrong name of an unknown software": (
        "PUT", "/software/987654", {"software": "a/"}, "software"),
    "no Python for an unknown software": (
        "POST", "/software/nowhere/versions/", {"version": "1", "discovery_code": BROKEN},
        "discovery_code"),
    "no Python for a version that exists": (
        "POST", "/software/blender/versions/", {"version": "2.69", "discovery_code": BROKEN},
        "discovery_code"),
    "a wrong version of an unknown software": (
        "POST", "/software/nowhere/versions/", {"version": "1/code"}, "version"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "sent", "place"), FIRST.values(), ids=FIRST)
def test_what_is_wrong_with_the_body_alone_comes_before_404_and_409(
    rest, method, path, sent, place
):
    for name in ("Order", "Order2"):
        if rest.get(f"/jobtypes/{name}").status == 404:
            rest.jobtype(name)

    said = error(rest(method, path, sent), 400)

    assert [detail["path"] for detail in said["details"]] == [place]


def test_a_near_miss_is_suggested(rest):
    sent = body("Near", software_requirements=[{"software": "Blender"}])

    assert 'did you mean "blender"?' in error(rest("POST", "/jobtypes/", sent), 404)["error"]


def test_line_ends_are_kept_as_lf(rest):
    made = rest.jobtype("Ends", code="class Job:\r\n    pass\r\n")

    assert made["code"] == CODE


@pytest.fixture
def dangling(rest) -> str:
    """The name of a jobtype whose newest version requires a software that is gone."""
    name = f"Dangling {len(rest.json('/jobtypes/'))}"
    rest.software("brief", "1")
    rest.jobtype(name, software_requirements=[{"software": "brief", "min_version": "1"}])
    rest.jobtype(name, software_requirements=[])
    assert_empty(rest("DELETE", "/software/brief"))
    assert_empty(rest("DELETE", item("jobtypes", name, "versions", 2)))
    return name


def test_what_is_gone_can_not_be_required_again_even_where_nothing_differs(rest, dangling):
    path = item("jobtypes", dangling)
    newest = rest.json(path)

    for sent in (
        newest,
        body(dangling),
        body(dangling, software_requirements=[{"software": "brief"}]),
    ):
        error(rest("PUT", path, sent), 404)

    assert rest.json(path) == newest
    assert rest.jobtype(dangling, software_requirements=[])["version"] == 3


def test_a_rename_may_fix_the_requirements_at_once(rest, dangling):
    sent = body(f"{dangling} fixed", software_requirements=[])

    assert written(rest("PUT", item("jobtypes", dangling), sent))["version"] == 3


# /jobtypes/<jobtype>/versions/


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


# /jobtypes/<jobtype>/software_requirements/


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

    assert made == {"id": max(before) + 1, "software": name, "versions": []}
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


# /software/<software>/versions/


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


# Methods

METHODS = {
    "/jobtypes": "GET POST",
    "/jobtypes/schema": "GET",
    "/jobtypes/Methods": "GET PUT DELETE",
    "/jobtypes/Methods/versions": "GET",
    "/jobtypes/Methods/versions/1": "GET DELETE",
    "/jobtypes/Methods/versions/1/code": "GET",
    "/jobtypes/Methods/versions/1/software_requirements": "GET",
    "/jobtypes/Methods/versions/1/files": "GET",
    "/jobtypes/Methods/versions/1/files/code.py": "GET",
    "/jobtypes/Methods/versions/1/archive.tar.gz": "GET",
    "/jobtypes/Methods/versions/1/archive.zip": "GET",
    "/jobtypes/Methods/diff/1..1": "GET",
    "/jobtypes/Methods/software_requirements": "GET POST",
    "/jobtypes/Methods/software_requirements/blender": "GET DELETE",
    "/software": "GET POST",
    "/software/schema": "GET",
    "/software/blender": "GET PUT DELETE",
    "/software/blender/versions": "GET POST",
    "/software/blender/required_by": "GET",
    "/software/blender/versions/2.69": "GET DELETE",
    "/software/blender/versions/2.69/code": "GET",
    "/software/blender/versions/2.69/discovery_code": "GET",
}


@pytest.mark.parametrize(("path", "methods"), METHODS.items())
def test_another_method_is_405_and_says_which_there_are(rest, slash, path, methods):
    there = set(methods.split())
    for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - there:
        answer = rest(method, path + slash, {})

        error(answer, 405)
        assert set(answer.headers["allow"].split(", ")) == there | {"HEAD", "OPTIONS"}


@pytest.mark.parametrize(("path", "methods"), METHODS.items())
def test_options_lists_the_methods(rest, slash, path, methods):
    answer = rest("OPTIONS", path + slash)

    assert (answer.status, answer.body) == (200, b"")
    assert "content-type" not in answer.headers
    assert set(answer.headers["allow"].split(", ")) == set(methods.split()) | {"HEAD", "OPTIONS"}


def test_every_route_of_the_api_stands_in_the_table_of_methods(rest):
    from api.app import create_app
    from api.config import Config

    rules = create_app(Config(rest.server.repo)).url_map.iter_rules()
    paths = {str(rule).removeprefix("/api/v1") for rule in rules}
    routes = {p for p in paths if p.startswith(("/jobtypes", "/software")) and p.endswith("/")}

    assert len({r for r in routes if not r.startswith("/jobtypes.git")}) == len(METHODS)
