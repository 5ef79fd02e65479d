"""Folders whose names no jobtype can have: an upstream may bring them, and all pages show."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.web.parts import parts_of
from tests.support.branches import Branch, Content, jobtype
from tests.support.git import git
from tests.support.pages import BROWSER, page, text

ODD = "caf\udce9"
FILES = jobtype("x", "    one = 1\n    two = 2\n    three = 3\n")


def moved(old: str, new: str) -> dict[str, Content]:
    """The changes that rename the folder *old* to *new*."""
    return {p.replace("/x/", f"/{old}/"): None for p in FILES} | {
        p.replace("/x/", f"/{new}/"): content for p, content in FILES.items()
    }


@pytest.fixture
def farm(branch: Branch) -> FlaskClient:
    """A client of a service with odd names, with one that was odd, and one that became so."""
    branch.commit(jobtype("Blender"))
    branch.commit(moved("x", "was\udce9"))
    branch.commit(moved("was\udce9", "Was"))
    branch.commit(moved("y", "Became"))
    branch.commit(moved("Became", "became\udce9"))
    branch.commit(moved("z", ODD) | moved("z", "colon:"))
    side = branch.side(
        {f"jobtypes/{name}/code.py": "class Job: x = 2\n" for name in (ODD, "colon:")}
        | jobtype("Blender", "#\n")
    )
    git(branch.path, "update-ref", "refs/heads/fix", side)
    return create_app(Config(branch.path)).test_client()


def test_a_name_that_is_no_text_is_shown_escaped_and_leads_nowhere(farm):
    first = page(farm, "/")
    assert "caf\\xe9 1" in text(first)
    assert "Became, now became\\xe9" in text(first)
    assert "/jobtypes/caf" not in first
    assert "/jobtypes/colon" not in first
    assert "as was\\xe9" in text(page(farm, "/jobtypes/Was"))
    change = page(farm, "/changes/fix")
    assert "caf\\xe9: version 2 (was 1)" in text(change)
    assert 'href="/jobtypes/Blender/compare?to=fix"' in change
    assert 'href="/jobtypes/Blender/edit?change=fix"' in change
    assert "/jobtypes/colon" not in change


@pytest.mark.parametrize("path", ["/jobtypes/caf", "/caf", "/jobtypes/caf%E9", "/jobtypes/colon:"])
def test_a_404_suggests_no_name_that_has_no_page(farm, path):
    answer = farm.get(path, headers=BROWSER)

    assert answer.status_code == 404
    assert "Did you mean" not in answer.text


def test_the_faults_of_an_upstream_are_shown_with_their_odd_names(farm, branch, tmp_path):
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--mirror", str(branch.path), str(origin))
    client = create_app(Config(branch.path, upstream=str(origin))).test_client()
    parts_of(client.application).follower.upstream.fetch()

    assert "jobtypes/caf\\xe9" in text(page(client, "/changes/"))
