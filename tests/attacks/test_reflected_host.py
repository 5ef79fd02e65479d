"""The Host of a request, and what becomes of it in answers, in caches and behind a proxy."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from tests.support.commands import jobtypes
from tests.support.git import Worktree, git
from tests.support.nginx import Proxy, needs_nginx, shipped_proxy
from tests.support.server import Server
from tests.support.waiting import wait_for

EVIL = "evil.example"
PAGES = ("/", "/changes/", "/jobtypes/Blender", "/jobtypes/Blender/compare", "/api/v1/openapi.json")
PUBLIC = "https://jobs.studio.example:8443/farm"

PREFIXED = """
events {{}}
http {{
    access_log off;
    server {{
        listen 80;
        merge_slashes off;
        client_max_body_size 64m;
        location /farm/ {{
            proxy_pass http://127.0.0.1:{port}/;
            proxy_http_version {version};
            proxy_buffering {buffering};
            proxy_request_buffering {buffering};
        }}
    }}
}}
"""
"""A service below a prefix, which nginx takes off."""


def clone_urls(page: bytes) -> list[str]:
    return re.findall(r"git clone (\S+?)</code>", page.decode())


@pytest.fixture
def plain(sample) -> FlaskClient:
    return create_app(Config(sample)).test_client()


@pytest.fixture
def public(sample) -> FlaskClient:
    return create_app(Config(sample, public_url=PUBLIC)).test_client()


def test_without_a_public_url_an_answer_that_names_the_host_varies_by_it(plain):
    answer = plain.get("/", headers={"Host": EVIL})

    assert clone_urls(answer.data) == [f"http://{EVIL}/jobtypes.git"]
    assert "Host" in answer.headers["Vary"]
    known = plain.get("/", headers={"Host": EVIL, "If-None-Match": answer.headers["ETag"]})
    assert known.status_code == 304
    assert "Host" in known.headers["Vary"]
    other = plain.get("/", headers={"Host": "x.example", "If-None-Match": answer.headers["ETag"]})
    assert other.status_code == 200


def test_what_does_not_vary_by_the_host_does_not_name_it(plain):
    for path in (*PAGES, "/nothing", "/health/ready", "/api/v1/jobtypes/Blender", "/style.css"):
        answer = plain.get(path, headers={"Host": EVIL, "Accept": "text/html"})
        named = EVIL in f"{answer.headers}{answer.text}"
        assert named == ("Host" in answer.headers.get("Vary", "")), path
        assert answer.headers.get("Location", "/static/").startswith("/static/")


def test_nothing_of_what_proxies_add_is_believed(plain):
    names = ("Host", "Server", "Proto", "Prefix", "For", "Port")
    forwarded = {f"X-Forwarded-{name}": EVIL for name in names}
    forwarded |= {"Forwarded": f"host={EVIL};proto=https", "X-Original-Host": EVIL}
    forwarded |= {"X-Script-Name": f"/{EVIL}", "X-Host": EVIL, "X-Original-URL": f"/{EVIL}"}

    for path in PAGES:
        answer = plain.get(path, headers=forwarded)
        assert EVIL not in f"{answer.headers}{answer.text}", path


def test_with_a_public_url_no_answer_names_the_host(public):
    for path in PAGES:
        answer = public.get(path, headers={"Host": EVIL, "Accept": "text/html"})
        assert answer.status_code == 200, path
        assert EVIL not in f"{answer.headers}{answer.text}", path
        assert "Host" not in answer.headers.get("Vary", "")


def test_with_a_public_url_all_addresses_are_below_it(public):
    assert clone_urls(public.get("/").data) == [f"{PUBLIC}/jobtypes.git"]
    for path in PAGES[:-1]:
        answer = public.get(path, headers={"Accept": "text/html"})
        links = re.findall(r'(?:href|src|action)="([^"]+)"', answer.text)
        assert any(link.startswith("/farm/static/") for link in links)
        assert all(link.startswith(("/farm/", "#")) for link in links), path
    described = public.get("/api/v1/openapi.json").json
    assert described["servers"] == [{"url": f"{PUBLIC}/api/v1"}]
    beside = [item["servers"] for item in described["paths"].values() if "servers" in item]
    assert beside
    assert all(servers == [{"url": PUBLIC}] for servers in beside)


def push_two(worktree: Worktree) -> str:
    """What a push of another version of a jobtype prints."""
    path = worktree.path / "jobtypes" / "Command" / "code.py"
    worktree.write("jobtypes/Command/code.py", path.read_text() + "\nMARK = 2\n")
    pushed = worktree.push()
    assert pushed.returncode == 0, pushed.stderr
    return pushed.stderr


def test_a_push_reads_links_below_the_public_url(sample, serve, clone):
    server = serve(sample, "--workers", "1", "--public-url", PUBLIC)

    said = push_two(clone(f"{server.url}/jobtypes.git"))

    assert f"{PUBLIC}/diff/Command/1..2" in said
    started = server.log.read_text()
    assert f"git clone {PUBLIC}/jobtypes.git" in started
    assert f"curl {PUBLIC}/api/v1/jobtypes/" in started


def answered(proxy: Server, host: str) -> tuple[list[str], str | None]:
    """The addresses that the overview names at *host*, and what the cache had to do with it."""
    answer = proxy.get("/", Host=host)
    assert answer.status == 200
    return clone_urls(answer.body), answer.headers.get("x-cache-status")


@needs_nginx
def test_what_nginx_keeps_for_one_host_it_gives_to_no_other(sample, serve, tmp_path):
    server = serve(sample)
    proxy = shipped_proxy(tmp_path, server.port, server.port, server.port)
    studio = "git.studio.example"
    wanted = [f"http://{studio}/jobtypes.git"]
    try:
        for _ in range(2):
            assert answered(proxy, EVIL)[0] == [f"http://{EVIL}/jobtypes.git"]
            assert answered(proxy, studio)[0] == wanted
        wait_for(lambda: answered(proxy, studio)[1] == "REVALIDATED", "a question by ETag")
        assert answered(proxy, studio)[0] == wanted
        answered(proxy, EVIL)
        server.stop()
        wait_for(lambda: answered(proxy, studio)[1] == "STALE", "an answer of before")
        assert answered(proxy, studio)[0] == wanted
    finally:
        proxy.stop()


@needs_nginx
@pytest.mark.parametrize(("version", "buffering"), [("1.1", "on"), ("1.0", "off")])
def test_below_a_prefix_of_nginx_all_links_lead_somewhere(
    sample, serve, clone, tmp_path, version, buffering
):
    git(sample, "branch", "jobtypes/x", "main")
    folder = tmp_path / "nginx"
    folder.mkdir()
    server = serve(sample, "--workers", "1", "--public-url", "http://localhost/farm")
    text = PREFIXED.format(port=server.port, version=version, buffering=buffering)
    proxy = Proxy(folder, text)
    try:
        said = push_two(clone(f"{proxy.url}/farm/jobtypes.git"))
        followed = follow(proxy, "/farm/")
        link = re.search(r"http://localhost(/farm/diff/\S+)", said)
        assert link
        compared = proxy.get(link[1], Accept="text/html").headers["location"]
        assert {compared, "/farm/changes/jobtypes/x"} <= followed
        assert any(path.startswith("/farm/static/") for path in followed)
        slashed = proxy.get("/farm/api/v1/software/%2Fbin%2Ftouch")
        assert slashed.json == {"error": "there is no software of the name /bin/touch"}
    finally:
        proxy.stop()


def follow(proxy: Server, start: str) -> set[str]:
    """The paths of all pages that links lead to from *start* on; all must be there."""
    seen, waiting = {start}, [start]
    while waiting:
        path = waiting.pop()
        answer = proxy.get(path, Accept="text/html")
        assert answer.status == 200, path
        # What is no page has no links: code, an archive.
        page = answer.body.decode() if "html" in answer.headers["content-type"] else ""
        links = set(re.findall(r'href="([^"#]+)', unescape(page))) - seen
        seen |= links
        waiting += links
    return seen


# The setting


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://jobs.studio.example", "https://jobs.studio.example"),
        ("https://jobs.studio.example/", "https://jobs.studio.example"),
        ("HTTPS://Jobs.Studio.example:443/Farm/", "https://jobs.studio.example/Farm"),
        ("http://jobs:80/a/b-c", "http://jobs/a/b-c"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://10.0.0.7:8080", "http://10.0.0.7:8080"),
    ],
)
def test_a_public_url_is_a_scheme_a_host_a_port_and_a_prefix(given, meant):
    assert str(Config(Path("."), public_url=given).public) == meant


WRONG = ["", "jobs.studio.example", "//jobs.studio.example", "ftp://jobs", "https://", "https:///x"]
WRONG += ["https://u:p@jobs", "https://jobs?x=1", "https://jobs/#x", "https://jobs/a//b"]
WRONG += ["https://jobs/../a", "https://jobs:0", "https://jobs:65536", "https://jobs:x"]
WRONG += ["https://jobs\n", "https://jobs/a b", 'https://jobs/"><script>', "https://caf\xe9"]
WRONG += ["https://jobs, https://other", "javascript:alert(1)", "https://jobs\\@evil"]


def test_what_is_no_public_url_is_refused_at_the_start_with_what_to_write(sample):
    for given in WRONG:
        done = jobtypes("serve", "--repo", sample, "--public-url", given)
        assert done.returncode == 1, given
        assert done.stderr.startswith("jobtypes: public_url is "), given
        meant = "https://jobtypes.studio.example:8443/farm" if given else "leave it out"
        assert meant in done.stderr
