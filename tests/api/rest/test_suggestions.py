"""What a 404 suggests for a name that does not exist."""

from __future__ import annotations

import pytest

from gitstore.format.spelling import nearest
from tests.support.rest import Direct, body, error


@pytest.fixture
def direct(client) -> Direct:
    """An application with a jobtype Maya, and a software that it requires."""
    made = Direct(client)
    sent = {"software": "Maya USD", "versions": [{"version": "2024.1"}, {"version": "2025.0"}]}
    assert made("POST", "/software/", sent).status == 201
    needs = [{"software": "Maya USD"}]
    assert made("POST", "/jobtypes/", body("Maya", software_requirements=needs)).status == 201
    return made


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/jobtypes/maya", "Maya"),
        ("/jobtypes/MAYA/versions/1", "Maya"),
        ("/jobtypes/Mya/versions/1/code", "Maya"),
        ("/jobtypes/Mayaa/versions/", "Maya"),
        ("/jobtypes/maya/versions/1/files/", "Maya"),
        ("/software/maya usd", "Maya USD"),
        ("/software/MayaUSD/versions/2024.1", "Maya USD"),
        ("/software/Maya USD/versions/2024", "2024.1"),
        ("/jobtypes/Maya/software_requirements/maya usd", "Maya USD"),
    ],
)
def test_a_near_miss_and_another_case_are_suggested(direct, path, meant):
    said = error(direct.get(path), 404)["error"]

    assert said.endswith(f"; did you mean {meant}?")


@pytest.mark.parametrize("path", ["/jobtypes/Blender", "/jobtypes/99", "/software/houdini"])
def test_nothing_is_suggested_where_nothing_is_near(direct, path):
    assert "did you mean" not in error(direct.get(path), 404)["error"]


def test_another_case_goes_before_a_near_miss():
    assert nearest("maya", ["Mayb", "MAYA", "maya2"]) == "MAYA"


def test_names_that_are_too_long_are_not_compared():
    assert nearest("x" * 65, ["x" * 64]) is None


def test_routes_of_pyfarm_ignore_the_query(direct):
    assert direct.get("/jobtypes/Maya?x=1").status == 200
