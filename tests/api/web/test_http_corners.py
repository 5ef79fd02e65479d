"""Corners of HTTP that clients and proxies meet: figures, altered ETags, long numbers, wording."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.commands import jobtypes
from tests.support.rest import Rest, body, error, running


@pytest.fixture(scope="module")
def rest(tmp_path_factory) -> Iterator[Rest]:
    """A service with a jobtype Made that needs blender, and one with no version in service."""
    with running(tmp_path_factory.mktemp("corners")) as made:
        made.software("blender", "2.69")
        made.jobtype("Made", software_requirements=[{"software": "blender"}])
        made.jobtype("Gone", software_requirements=[{"software": "blender"}])
        made("DELETE", "/jobtypes/Gone/versions/1")
        yield made


def test_head_of_metrics_is_a_get_without_a_body(rest):
    got = rest.server.get("/metrics")
    headed = rest.server.request("HEAD", "/metrics")

    assert (headed.status, headed.body) == (200, b"")
    assert headed.headers["content-type"] == got.headers["content-type"]
    assert int(headed.headers["content-length"]) > 1000


def test_other_methods_of_metrics_are_405_and_options_lists_those_it_takes(rest):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        refused = rest.server.request(method, "/metrics", {})
        error(refused, 405)
        assert "HEAD" in refused.headers["allow"]
    asked = rest.server.request("OPTIONS", "/metrics")

    assert asked.status == 200
    assert asked.headers["allow"].split(", ") == ["GET", "HEAD", "OPTIONS"]


# ETags that a proxy altered


@pytest.mark.parametrize("form", ["W/{}", '"x", W/{}', "{}-gzip", "{};br", "W/{},{}-gzip"])
def test_an_etag_that_a_proxy_altered_is_412_and_names_the_one_to_send(rest, form):
    tag = rest.get("/jobtypes/Made").headers["etag"]
    altered = form.format(tag, tag)
    if not altered.endswith('"'):
        head, _, ending = altered.rpartition('"')
        altered = f'{head}{ending}"'

    answer = rest("PUT", "/jobtypes/Made", body("Made"), {"If-Match": altered})

    said = error(answer, 412)["error"]
    assert "proxy" in said
    assert f"If-Match: {tag}" in said
    assert "GET it again" not in said
    assert rest("PUT", "/jobtypes/Made", body("Made"), {"If-Match": tag}).status == 201


@pytest.mark.parametrize("given", ['W/"x"', '"x-gzip"', 'W/"*"'])
def test_an_etag_of_something_else_is_412_with_the_usual_advice(rest, given):
    answer = rest("PUT", "/jobtypes/Made", body("Made"), {"If-Match": given})

    assert "GET it again" in error(answer, 412)["error"]


# Requirements


@pytest.mark.parametrize("software", ["blender", "1", "nowhere"])
def test_a_requirement_can_not_be_deleted_where_no_version_is_in_service(rest, software):
    answer = rest("DELETE", f"/jobtypes/Gone/software_requirements/{software}")

    assert "no version of Gone is in service" in error(answer, 404)["error"]


def test_a_requirement_that_is_not_there_is_still_204(rest):
    assert rest("DELETE", "/jobtypes/Made/software_requirements/nowhere").status == 204


def test_a_requirement_with_null_bounds_is_taken(rest):
    rest.jobtype("Nulls")
    sent = {"software": "blender", "min_version": None, "max_version": None}

    assert rest("POST", "/jobtypes/Nulls/software_requirements/", sent).status == 201


# Numbers and words


LONG = "9" * 20


@pytest.mark.parametrize(
    "path",
    [
        f"/jobtypes/Made/versions/{LONG}",
        f"/jobtypes/Made/versions/{LONG}/code",
        f"/jobtypes/Made/versions/{LONG}/software_requirements",
        f"/jobtypes/{LONG}",
        f"/software/{LONG}",
    ],
)
def test_a_number_of_many_digits_is_404_and_is_said_as_it_was_asked(rest, path):
    assert LONG in error(rest.get(path), 404)["error"]


def test_one_of_very_many_is_said_in_part(rest):
    said = error(rest.get(f"/jobtypes/Made/versions/{'8' * 5000}"), 404)["error"]

    assert f"{'8' * 97}..." in said
    assert "8" * 98 not in said


def test_a_difference_and_the_command_line_say_it_too(rest):
    assert LONG in error(rest.server.get(f"/diff/Made/1..{LONG}"), 404)["error"]
    for command in (["show", f"Made@{LONG}"], ["diff", "Made", "1", LONG]):
        assert f"no version {LONG}" in jobtypes(*command, "--repo", rest.server.repo).stderr


@pytest.mark.parametrize(
    ("versions", "says"),
    [
        ([("1", 100), ("2", 100)], "versions lists the rank 100 twice; keep one"),
        ([("1", 100), ("1", 200)], "versions lists the version 1 twice; keep one"),
    ],
)
def test_what_stands_twice_in_a_list_is_said_in_a_sentence(rest, versions, says):
    rows = [{"version": version, "rank": rank} for version, rank in versions]

    answer = rest("POST", "/software/", {"software": "twice", "versions": rows})

    assert error(answer, 400)["error"] == says


def test_the_name_of_a_discovery_function_may_be_as_long_as_its_column(rest):
    path = "/software/blender/versions/"
    name = "f" * 255
    sent = {"discovery_code": f"def {name}():\n    pass\n", "discovery_function_name": name}

    taken = rest("POST", path, {"version": "long", **sent})
    refused = rest("POST", path, {"version": "longer", "discovery_function_name": name + "f"})

    assert taken.status == 201
    assert rest.json(f"{path}long")["discovery_function_name"] == name
    error(refused, 400)
