"""The contract of bodies: what a jobtype that is sent must be, and which error comes first."""

from __future__ import annotations

import pytest

from tests.support.contract import UNKNOWN, assert_empty, tip, written
from tests.support.rest import CODE, body, error, item

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
