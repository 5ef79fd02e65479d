"""The contract of methods: which ones each of PyFarm's paths takes."""

from __future__ import annotations

import pytest

from tests.support.rest import error

METHODS = {
    "/jobtypes": "GET POST",
    "/jobtypes/schema": "GET",
    "/jobtypes/Methods": "GET PUT DELETE",
    "/jobtypes/Methods/versions": "GET",
    "/jobtypes/Methods/versions/1": "GET DELETE",
    "/jobtypes/Methods/versions/1/restore": "POST",
    "/jobtypes/Methods/rollback": "POST",
    "/jobtypes/Methods/versions/1/code": "GET",
    "/jobtypes/Methods/versions/1/software_requirements": "GET",
    "/jobtypes/Methods/versions/1/files": "GET",
    "/jobtypes/Methods/versions/1/files/code.py": "GET",
    "/jobtypes/Methods/versions/1/archive.tar.gz": "GET",
    "/jobtypes/Methods/versions/1/archive.zip": "GET",
    "/jobtypes/Methods/diff/1..1": "GET",
    "/jobtypes/Methods/history": "GET",
    "/jobtypes/Methods/versions/1/history": "GET",
    "/jobtypes/Methods/versions/1/blame": "GET",
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
