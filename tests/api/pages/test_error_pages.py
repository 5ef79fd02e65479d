"""Errors as people with a browser see them; programs get JSON."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.telemetry.requests import Observed
from api.web.parts import parts_of
from api.worker.limits import Work
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.branches import Branch, jobtype
from tests.support.pages import BROWSER, text


@pytest.fixture
def farm(branch: Branch) -> FlaskClient:
    branch.commit(jobtype("Blender"))
    branch.commit({"software/blender.yaml": "versions: []\n"})
    return create_app(Config(branch.path)).test_client()


def test_a_page_of_what_is_not_there_is_404(farm):
    paths = ["/jobtypes/Never", "/changes/never", "/nothing", "/software/never"]
    paths += ["/jobtypes/Blender/9", "/jobtypes/Blender/compare?from=1&to=9", "/diff/Blender/1..9"]
    for path in paths:
        answer = farm.get(path, headers=BROWSER)
        assert answer.status_code == 404, path
        assert answer.content_type == "text/html; charset=utf-8"
        assert "There is nothing here" in answer.text
        assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("path", "link"),
    [
        ("/jobtypes/blendr", "/jobtypes/Blender"),
        ("/jobtypes/BLENDER", "/jobtypes/Blender"),
        ("/blender", "/jobtypes/Blender"),
        ("/software/Blendre", "/software/blender"),
    ],
)
def test_a_404_suggests_what_may_have_been_meant(farm, path, link):
    assert f'href="{link}"' in farm.get(path, headers=BROWSER).text


def test_programs_and_paths_of_programs_get_json(farm):
    for path in ("/jobtypes/Never", "/nothing"):
        assert farm.get(path, headers={"Accept": "*/*"}).is_json, path
        assert farm.get(path).is_json
    for path in ("/api/v1/jobtypes/Never", "/preview/x/api/v1/jobtypes/", "/webhooks/x"):
        assert farm.get(path, headers=BROWSER).is_json, path
    assert farm.get("/jobtypes.git/x", headers=BROWSER).mimetype == "text/plain"


def test_the_page_of_an_error_has_the_id_that_the_log_has(branch):
    app = create_app(Config(branch.path))
    observed = Observed(app.wsgi_app, parts_of(app).store, None)
    app.wsgi_app = observed  # type: ignore[method-assign]  # Flask's documented way

    answer = app.test_client().get("/nothing", headers={**BROWSER, "X-Request-Id": "seen-7"})

    assert "seen-7" in text(answer.text)


def test_a_reader_without_a_token_learns_that_one_is_needed(branch):
    Tokens(branch.path).create("bob", Role.READ, "bob@studio.example", ())
    client = create_app(Config(branch.path, read_needs_token=True)).test_client()

    answer = client.get("/", headers=BROWSER)

    assert answer.status_code == 401
    assert "A token is needed" in text(answer.text)
    assert "WWW-Authenticate" in answer.headers


def test_a_form_of_another_site_is_refused_on_a_page(farm):
    answer = farm.post("/login", headers={**BROWSER, "Origin": "https://evil.example"})

    assert answer.status_code == 403
    assert "only our own may write" in text(answer.text)
    assert "Content-Security-Policy" in answer.headers


def test_a_version_that_is_too_large_to_compare_is_413_on_a_page(farm, branch):
    deep = {f"jobtypes/Deep/{'d/' * 40}file": "x\n"}
    branch.commit(jobtype("Deep"))
    branch.commit(deep)

    answer = farm.get("/jobtypes/Deep/compare?from=1&to=2", headers=BROWSER)

    assert answer.status_code == 413
    assert "That is too large" in text(answer.text)
    assert farm.get("/jobtypes/Deep", headers=BROWSER).status_code == 200


def test_a_busy_service_says_so_on_a_page(farm):
    limits = parts_of(farm.application).limits
    for _ in range(4):
        limits.acquire(Work.REVIEW)

    answer = farm.get("/", headers=BROWSER)

    assert answer.status_code == 503
    assert "The service is busy" in text(answer.text)
    assert answer.headers["Retry-After"] == "5"


def test_a_damaged_repository_has_a_page_that_says_so(farm, branch):
    (branch.path / "refs" / "heads" / "main").unlink()

    answer = farm.get("/jobtypes/Blender", headers=BROWSER)

    assert answer.status_code == 500
    assert "refs/heads/main is gone" in text(answer.text)


def test_a_host_that_is_none_is_refused_on_a_page(farm):
    answer = farm.get("/", headers={**BROWSER, "Host": 'x"><script>'})

    assert answer.status_code == 400
    assert "<script>" not in answer.text
