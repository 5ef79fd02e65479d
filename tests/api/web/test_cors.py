"""Which pages of other sites may read the API in a browser."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from api.config import Config, ConfigError
from tests.support.branches import Branch, jobtype
from tests.support.rest import PREFIX
from tests.support.server import Server

OURS = "https://dashboard.studio.example"
OTHER = "https://evil.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    """A service that pages of one site may read."""
    branch = Branch(tmp_path_factory.mktemp("cors") / "served.git")
    branch.commit(jobtype("Job"))
    options = ("--cors-origins", "http://localhost:3000", "--cors-origins", OURS)
    started = Server(branch.path, "--workers", "1", *options)
    yield started
    started.stop()


PATHS = [
    f"{PREFIX}/jobtypes/Job",
    f"{PREFIX}/newest",
    f"{PREFIX}/jobtypes/Job/versions/1/files/code.py",
    f"/preview/main{PREFIX}/jobtypes/Job",
    f"{PREFIX}/jobtypes/Nobody",
]


@pytest.mark.parametrize("path", PATHS)
def test_a_page_of_a_named_site_may_read(server, path):
    for _ in range(2):  # The second one is answered from memory.
        answer = server.get(path, Origin=OURS)

        assert answer.headers["access-control-allow-origin"] == OURS
        assert "ETag" in answer.headers["access-control-expose-headers"]
        assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("origin", [OTHER, "null", f"{OURS}.evil.example", "", f"{OURS}:8443"])
def test_a_page_of_another_site_may_not(server, origin):
    answer = server.get(PATHS[0], Origin=origin)

    assert answer.status == 200
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize("path", ["/health/ready", "/", "/metrics"])
def test_nothing_but_the_api_may_be_read(server, path):
    assert "access-control-allow-origin" not in server.get(path, Origin=OURS).headers


def ask_first(server: Server, method: str, origin: str = OURS):
    """The answer to a browser's question whether a page may send *method*."""
    headers = {"Origin": origin, "Access-Control-Request-Method": method}
    return server.request("OPTIONS", PATHS[0], headers=headers)


def test_a_page_may_send_a_token_with_a_read(server):
    answer = ask_first(server, "GET")

    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == OURS
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"


def test_no_page_may_write(server):
    for origin in (OURS, OTHER):
        assert "access-control-allow-origin" not in ask_first(server, "PUT", origin).headers
    assert "access-control-allow-origin" not in ask_first(server, "GET", OTHER).headers
    answer = server.request("DELETE", PATHS[0], headers={"Origin": OURS})
    assert answer.status == 403
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("origin", ["*", "dashboard.example", "https://a.example/x", "null", ""])
def test_what_is_no_origin_is_refused_at_the_start(tmp_path, origin):
    with pytest.raises(ConfigError, match="write an origin as browsers do"):
        Config(tmp_path, cors_origins=(origin,))
