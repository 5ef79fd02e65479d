"""The pages for browsers."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.web.parts import parts_of
from gitstore.branch.upstream import Upstream
from tests.support.branches import Branch, jobtype
from tests.support.git import git

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def farm(branch: Branch) -> FlaskClient:
    """A client of a service with three versions of Maya, whose first was withdrawn."""
    branch.commit(jobtype("Maya", "# 1\n"), f"Maya: {SCRIPT}\n")
    branch.commit(jobtype("Maya", f"# {SCRIPT}\n"))
    branch.commit(jobtype("Maya", "# 3\n") | {"withdrawn.yaml": "Maya: [1]\n"}, "Maya: fix\n")
    side = branch.side(jobtype("Nuke"), "Nuke: begin\n")
    git(branch.path, "update-ref", "refs/heads/td/nuke", side)
    return create_app(Config(branch.path)).test_client()


def page(client: FlaskClient, path: str) -> str:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == 200, answer.data
    assert answer.content_type == "text/html; charset=utf-8"
    return answer.data.decode()


def text(html: str) -> str:
    """What a reader sees, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def test_the_first_page_tells_who_made_the_newest_version(farm):
    shown = text(page(farm, "/"))

    assert re.search(r"Maya 3 \S+ \S+ Test TD Maya: fix", shown)
    assert "1 change pushed for review" in shown


def test_a_jobtypes_page_tells_who_made_each_version_newest_first(farm):
    html = page(farm, "/jobtypes/Maya")

    assert re.search(r"3 in service .* 2 in service .* 1 withdrawn", text(html))
    assert 'href="/diff/Maya/2..3"' in html
    assert 'href="/diff/Maya/1..2"' in html


def test_every_link_of_every_page_leads_somewhere(farm):
    waiting, seen = ["/"], set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            answer = farm.get(path, headers=BROWSER)
            assert answer.status_code == 200, path
            waiting += re.findall(r'href="([^"]+)"', answer.data.decode())

    assert {"/style.css", "/changes/td/nuke", "/diff/Maya/2..3"} <= seen


def test_a_difference_is_a_page_for_browsers_alone(farm):
    html = page(farm, "/diff/Maya/2..3")
    for accept in ("*/*", "text/plain", "text/plain, text/html", ""):
        answer = farm.get("/diff/Maya/2..3", headers={"Accept": accept})
        assert answer.content_type == "text/plain; charset=utf-8", accept
        assert answer.headers["Vary"] == "Accept"

    assert "<ins>+# 3</ins>" in html
    assert "<del>-# &lt;script&gt;" in html


def test_a_change_tells_what_merging_it_makes(farm, branch):
    shown = text(page(farm, "/changes/td/nuke"))

    assert "Merging it makes: Nuke: new jobtype, version 1" in shown
    assert "Test TD td@studio.example Nuke: begin" in shown
    assert "td/nuke" in text(page(farm, "/changes/"))

    branch.commit(jobtype("Nuke", "# other\n"))
    assert "It does not merge. It conflicts in jobtypes/Nuke/" in text(
        page(farm, "/changes/td/nuke")
    )


def test_what_stands_in_the_repository_is_escaped_and_could_run_nothing(farm):
    for path in ("/", "/jobtypes/Maya", "/diff/Maya/1..2", "/changes/td/nuke"):
        answer = farm.get(path, headers=BROWSER)

        assert b"<script" not in answer.data, path
        policy = answer.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; style-src 'self';")
    assert "&lt;script&gt;" in page(farm, "/jobtypes/Maya")


def test_a_page_of_what_is_not_there_is_404(farm):
    for path in ("/jobtypes/Never", "/changes/never", "/diff/Maya/1..9"):
        assert farm.get(path, headers=BROWSER).status_code == 404, path


def test_a_deleted_jobtype_still_tells_who_changed_it(farm, branch):
    branch.commit({"jobtypes/Maya/code.py": None, "jobtypes/Maya/meta.yaml": None})

    assert re.search(r"3 deleted .* 1 deleted", text(page(farm, "/jobtypes/Maya")))


def test_a_refused_upstream_shows_on_every_page(farm, branch, tmp_path):
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--mirror", str(branch.path), str(origin))
    client = create_app(Config(branch.path, upstream=str(origin))).test_client()
    upstream: Upstream = parts_of(client.application).follower.upstream
    for path in ("/", "/changes/", "/jobtypes/Maya"):
        assert "loud" not in page(client, path)

    git(origin, "update-ref", "refs/heads/main", "main~1")
    assert upstream.fetch().name == "refused"

    for path in ("/", "/changes/"):
        shown = text(page(client, path))
        assert "Upstream is not followed: upstream's main was rewritten" in shown


def test_damaged_objects_are_told_on_every_page(farm, branch):
    blob = git(branch.path, "rev-parse", "main~1:jobtypes/Maya/code.py").strip()
    (branch.path / "objects" / blob[:2] / blob[2:]).unlink()
    assert farm.get("/api/v1/jobtypes/Maya/versions/2/code").status_code == 500

    for path in ("/", "/changes/"):
        assert f"Damaged objects: {blob}" in text(page(farm, path))
