"""What a web page can have a browser send: no write of its making is taken."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
from collections.abc import Mapping

import pytest
from flask import Flask
from flask.testing import FlaskClient

from api.app import create_app
from api.config import Config
from api.web.auth import SAFE
from api.web.browsers import LOCAL_HOSTS
from gitstore.branch.access import Role
from gitstore.branch.tokens import Tokens
from tests.support.branches import Branch, jobtype
from tests.support.git import Worktree, git
from tests.support.rest import body
from tests.support.server import Server

KEY = "a secret, shared with the forge"
PUT = ("PUT", "/api/v1/jobtypes/New")
MERGE = ("POST", "/api/v1/changes/topic/merge")
OWN = {"Host": "127.0.0.1:8080", "Origin": "http://127.0.0.1:8080", "Sec-Fetch-Site": "same-origin"}
EVIL = {"Host": "evil.example:8080", "Origin": "http://evil.example:8080"}
"""What a browser says of a page at a name that its owner points at this machine."""


@pytest.fixture
def farm(branch) -> Branch:
    """A repository with a jobtype and a change of it."""
    branch.commit(jobtype("Blender"))
    commit = branch.side(jobtype("Blender", "    two = 2\n"))
    git(branch.path, "update-ref", "refs/heads/topic", commit)
    return branch


def client_of(farm: Branch, **settings: object) -> FlaskClient:
    return create_app(Config(farm.path, **settings)).test_client()  # type: ignore[arg-type]


def refs(farm: Branch) -> str:
    return git(farm.path, "for-each-ref", "refs/heads")


def put(client: FlaskClient, headers: Mapping[str, str]) -> int:
    answer = client.put(PUT[1], json=body("New"), headers=dict(headers))
    assert answer.status_code in (201, 403), answer.data
    if answer.status_code == 403:
        assert answer.json["error"]
    return answer.status_code


FOREIGN = {
    "another site": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://localhost:8081"},
    "a name that begins alike": {"Origin": "http://localhost.evil.example"},
    "a name that ends alike": {"Origin": "http://evil-localhost"},
    "a user that is called so": {"Origin": "http://localhost@evil.example"},
    "nobody": {"Origin": "null"},
    "nothing": {"Origin": ""},
    "two": {"Origin": "http://localhost, http://evil.example"},
    "a path": {"Origin": "http://localhost/"},
    "an extension": {"Origin": "chrome-extension://localhost"},
    "a fetch from elsewhere": {"Sec-Fetch-Site": "cross-site"},
    "a fetch from a neighbour": {"Sec-Fetch-Site": "same-site"},
    "a fetch from elsewhere that names us": {
        "Origin": "http://localhost",
        "Sec-Fetch-Site": "cross-site",
    },
    "a fetch of a kind to come": {"Sec-Fetch-Site": "other"},
}


@pytest.mark.parametrize("takes_all", [False, True])
def test_a_page_of_another_site_writes_nothing_and_reads_all(farm, takes_all):
    client = client_of(farm, insecure_writes=takes_all)
    before = refs(farm)

    for what, headers in FOREIGN.items():
        assert put(client, headers) == 403, what
        assert client.get("/api/v1/jobtypes/Blender", headers=headers).status_code == 200, what
    assert refs(farm) == before


def unsafe(app: Flask) -> list[tuple[str, str]]:
    """A path of every route with each method that may change something."""
    values = {"number": "1", "old": "1", "new": "2", "name": "git-receive-pack"}
    found = []
    for rule in app.url_map.iter_rules():
        built = rule.build({a: values.get(a, "x") for a in rule.arguments}, append_unknown=False)
        assert built is not None, rule
        if not rule.endpoint.startswith("git."):
            found += [(m, built[1]) for m in sorted(rule.methods or ()) if m not in SAFE]
    return found


def test_no_route_has_another_gate(farm):
    app = create_app(Config(farm.path, webhook_secret=KEY))
    paths = [*unsafe(app), ("POST", "/nothing"), ("PUT", "/"), ("PATCH", "/health/live")]
    paths += [("POST", "/preview/topic/api/v1/jobtypes/"), ("TRACE", "/"), ("BREW", PUT[1])]
    paths += [("POST", f"/jobtypes.git/{name}") for name in ("git-receive-pack", "other")]
    paths += [("GET", "/jobtypes.git/info/refs?service=git-receive-pack")]
    assert len(paths) > 40

    for method, path in paths:
        for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            sent = app.test_client().open(path, method=method, headers=headers)
            assert sent.status_code == 403, (method, path)


def test_no_header_or_field_makes_a_write_of_a_read(farm):
    client = client_of(farm)
    before = refs(farm)
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        client.get("/api/v1/jobtypes/Blender", headers={name: "DELETE"})
        client.post("/api/v1/jobtypes/Blender?_method=DELETE", headers={name: "DELETE"})
    client.get("/api/v1/jobtypes/Blender?_method=DELETE")
    for path in ("/api/v1/changes/topic/merge", "/changes/topic/merge", "/changes/topic"):
        assert client.get(path).status_code in (200, 404, 405)
        assert client.head(path).status_code in (200, 404, 405)

    assert refs(farm) == before


def test_no_other_site_is_given_leave(farm):
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    client = client_of(farm)

    for method in ("OPTIONS", "GET", "PUT"):
        answer = client.open(PUT[1], method=method, headers=asked)
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


def test_a_script_and_a_page_of_ours_write(farm):
    client = client_of(farm)

    for headers in ({}, OWN, {**OWN, "Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}):
        assert put(client, headers) == 201, headers


def test_behind_tls_the_page_is_ours_by_its_host(farm):
    headers = {"Host": "localhost", "Origin": "https://localhost"}

    assert put(client_of(farm), headers) == 201


def test_with_a_public_url_its_pages_alone_are_ours(farm):
    client = client_of(farm, public_url="https://jobs.studio.example/farm", insecure_writes=True)
    ours = "https://jobs.studio.example"

    assert put(client, {"Host": "127.0.0.1:8080", "Origin": ours}) == 201
    for origin in ("http://jobs.studio.example", f"{ours}:8443", "http://127.0.0.1:8080"):
        assert put(client, {"Host": "127.0.0.1:8080", "Origin": origin}) == 403, origin


# To which name, without tokens

OTHERS = ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example"]
OTHERS += ["127.0.0.2", "[::2]:8080", "localhost.", "127.1", "", "localhost@evil.example"]
OTHERS += ["studio.example:80:80", "[::1]evil.example", "0.0.0.0"]


def test_without_tokens_nothing_is_written_under_another_name(farm):
    client = client_of(farm)
    before = refs(farm)

    for host in OTHERS:
        headers = {"Host": host, "Sec-Fetch-Site": "same-origin"}
        answer = client.put(PUT[1], json=body("New"), headers=headers)
        assert answer.status_code in (400, 403), host
    assert refs(farm) == before


def test_without_tokens_all_is_read_under_another_name(farm):
    client = client_of(farm)
    headers = {"Host": "evil.example", "Sec-Fetch-Site": "same-origin"}

    assert client.delete("/api/v1/jobtypes/Blender", headers=headers).status_code == 403
    assert client.post(MERGE[1], json={}, headers=headers).status_code == 403
    for path in (
        "/api/v1/jobtypes/Blender",
        "/",
        "/health/ready",
        "/preview/topic/api/v1/jobtypes",
    ):
        assert client.get(path, headers=headers).status_code == 200
    clone = "/jobtypes.git/info/refs?service=git-{}-pack"
    assert client.get(clone.format("upload"), headers=headers).status_code == 200
    refusal = client.get(clone.format("receive"), headers=headers)
    assert (refusal.status_code, refusal.mimetype) == (403, "text/plain")


def test_the_names_of_this_machine_are_written_at_whatever_the_port(farm):
    client = client_of(farm)

    for host in (*LOCAL_HOSTS, "LocalHost"):
        for port in ("", ":80", ":65535"):
            assert put(client, {"Host": host + port}) == 201, host + port


@pytest.mark.parametrize(
    ("settings", "host", "status"),
    [
        ({"public_url": "https://jobs.studio.example"}, "jobs.studio.example", 201),
        ({"public_url": "https://jobs.studio.example"}, "Jobs.studio.example:8080", 201),
        ({"public_url": "https://jobs.studio.example"}, "studio.example", 403),
        ({"host": "127.0.0.2"}, "127.0.0.2:8080", 201),
        ({"host": "::1"}, "[::1]:8080", 201),
        ({"host": "0.0.0.0"}, "0.0.0.0:8080", 403),
        ({"host": "jobs.studio.example"}, "jobs.studio.example", 403),
        ({"insecure_writes": True}, "anything.example", 201),
    ],
    ids=str,
)
def test_the_settings_say_which_other_names_are_written_at(farm, settings, host, status):
    assert put(client_of(farm, **settings), {"Host": host}) == status


# Through a proxy, without tokens

PROXIED = {
    "Forwarded": "for=192.0.2.7",
    "X-Forwarded-For": "127.0.0.1",
    "X-Forwarded-Host": "127.0.0.1",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Server": "proxy",
    "X-Real-IP": "192.0.2.7",
    "Via": "1.1 proxy",
}


OF_URLS = ("X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Server")


@pytest.mark.parametrize("public_url", [None, "http://127.0.0.1:8080"])
def test_without_tokens_a_proxy_on_this_machine_only_reads(farm, public_url):
    client = client_of(farm, public_url=public_url)

    for header, value in PROXIED.items():
        if public_url and header in OF_URLS:
            continue
        headers = {"Host": "127.0.0.1:8080", header: value}
        assert put(client, headers) == 403, header
        assert client.get("/api/v1/jobtypes/Blender", headers=headers).status_code == 200, header


def test_with_a_public_url_what_is_said_of_the_url_tells_of_no_other_machine(farm):
    client = client_of(farm, public_url="https://jobs.studio.example")

    assert put(client, {header: PROXIED[header] for header in OF_URLS}) == 201


def test_with_insecure_writes_a_proxy_writes_as_everybody_does(farm):
    assert put(client_of(farm, insecure_writes=True), PROXIED) == 201


def test_with_tokens_the_token_decides_and_not_the_name_or_the_proxy(farm):
    secret = Tokens(farm.path).create("bob", Role.WRITE, "bob@studio.example", ())
    headers = {**PROXIED, "Host": "jobs.studio.example", "Authorization": f"Bearer {secret}"}
    client = client_of(farm)

    assert put(client, headers) == 201
    assert client.put(PUT[1], json=body("New"), headers=PROXIED).status_code == 401
    # It comes before the token: no page has a browser ask its user for a password.
    for sent in ({**headers, "Origin": "https://evil.example"}, {"Origin": "null"}):
        assert put(client, sent) == 403
    unknown = {"Origin": "null", "Authorization": "Bearer jtr_unknown"}
    assert put(client, unknown) == 403


def test_a_forge_delivers_to_any_name_through_any_proxy_and_a_page_delivers_nothing(farm):
    settings = {"upstream": str(farm.path), "webhook_secret": KEY}
    client = client_of(farm, **settings)
    data = b'{"ref": "refs/heads/main"}'
    signature = hmac.new(KEY.encode(), data, hashlib.sha256).hexdigest()
    headers = {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={signature}"}

    delivered = {**headers, **PROXIED, "Host": "jobs.studio.example"}
    assert client.post("/webhooks/github", data=data, headers=delivered).status_code == 202
    paged = {**headers, "Origin": "https://evil.example"}
    assert client.post("/webhooks/github", data=data, headers=paged).status_code == 403


# A merge, which has no need of a body

FORMS = ["", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
FORMS += ["text/plain; application/json", "text/plain;charset=application/json"]


@pytest.mark.parametrize("data", [b"", b"{}"], ids=["no body", "a body"])
def test_what_a_form_can_send_merges_nothing(farm, data):
    client = client_of(farm)
    before = refs(farm)

    for kind in FORMS:
        headers = {"Content-Type": kind} if kind else {}
        answer = client.post(MERGE[1], data=data, headers=headers)
        assert answer.status_code == 415, kind
        assert "application/json" in answer.json["error"]
    assert refs(farm) == before


@pytest.mark.parametrize("data", [b"", b"{}"], ids=["no body", "a body"])
def test_a_script_merges_with_the_type_of_json(farm, data):
    answer = client_of(farm).post(MERGE[1], data=data, headers={"Content-Type": "application/json"})

    assert answer.status_code == 200


# The real server


@pytest.fixture
def rebound(farm, serve) -> Server:
    """A service without tokens."""
    started: Server = serve(farm.path)
    return started


def test_a_name_that_was_pointed_here_reads_and_writes_nothing(rebound):
    headers = {**EVIL, "Sec-Fetch-Site": "same-origin", "Referer": "http://evil.example:8080/"}

    assert rebound.request(*PUT, body("New"), headers).status == 403
    read = rebound.get("/api/v1/jobtypes/Blender", **headers)
    assert read.status == 200
    assert not [name for name in read.headers if name.startswith("access-control")]


def test_real_git_pushes_to_this_machine_and_clones_under_any_name(rebound, clone):
    worktree: Worktree = clone(f"{rebound.url}/jobtypes.git")
    worktree.write("jobtypes/Blender/README.md", "mine\n")
    assert worktree.push().returncode == 0

    named = ("-c", "http.extraHeader=Host: evil.example")
    clone(f"{rebound.url}/jobtypes.git", *named)
    worktree.write("jobtypes/Blender/README.md", "theirs\n")
    worktree.commit()
    worktree.git("config", "http.extraHeader", "Host: evil.example")
    pushed = worktree.push_head()
    assert pushed.returncode
    assert "remote: without tokens, writes are taken at 127.0.0.1, " in pushed.stderr


def test_the_password_that_a_browser_keeps_merges_nothing_for_another_site(farm, serve):
    secret = Tokens(farm.path).create("bob", Role.WRITE, "bob@studio.example", ())
    server = serve(farm.path)
    kept = "Basic " + base64.b64encode(f"bob:{secret}".encode()).decode()
    headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    headers |= {"Authorization": kept, "Content-Type": "application/json"}
    before = refs(farm)

    assert server.request(*MERGE, headers={**headers, "Content-Type": "text/plain"}).status == 403
    assert server.request(*MERGE, {}, headers).status == 403
    assert refs(farm) == before
    own = {"Authorization": kept, "Content-Type": "application/json"}
    assert server.request(*MERGE, {}, own).status == 200


def test_two_origins_are_foreign_though_one_is_ours(rebound):
    connection = http.client.HTTPConnection("127.0.0.1", rebound.port, timeout=120)
    for own_first in (True, False):
        connection.putrequest("DELETE", "/api/v1/jobtypes/Blender")
        origins = [rebound.url, "https://evil.example"]
        for origin in origins if own_first else reversed(origins):
            connection.putheader("Origin", origin)
        connection.endheaders()
        response = connection.getresponse()
        response.read()
        assert response.status == 403
    connection.close()
