"""Each forge's way to sign, name its events and keep pull requests, as it documents them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import time
from urllib.parse import urlencode

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.app import create_app
from api.config import Config
from gitstore.branch.setup import create_repository
from gitstore.branch.store import Store
from gitstore.branch.upstream import Upstream
from tests.support.branches import Branch, jobtype
from tests.support.git import git

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
SECRET = "a secret, shared with the forge"
RAW = bytes(range(32))
TOKEN = "whsec_" + base64.b64encode(RAW).decode()
PUSH = json.dumps({"ref": "refs/heads/main", "pusher": {"name": "Zoë & Co+"}}, indent=1).encode()


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    path = tmp_path_factory.mktemp("hooks") / "copy.git"
    create_repository(path, "main", None)
    return path


def client_of(repo, secret: str) -> FlaskClient:
    config = Config(repo, upstream="/nowhere.git", webhook_secret=secret)
    return create_app(config).test_client()


@pytest.fixture(scope="module")
def client(repo) -> FlaskClient:
    return client_of(repo, SECRET)


@pytest.fixture(scope="module")
def stranger(repo) -> FlaskClient:
    """A service with another secret."""
    return client_of(repo, "another")


@pytest.fixture(scope="module")
def signing(repo) -> FlaskClient:
    """A service with GitLab's signing token."""
    return client_of(repo, TOKEN)


def hexed(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def standard(body: bytes, when: float, id: str = "msg_2b", key: bytes = RAW) -> dict[str, str]:
    signed = f"{id}.{int(when)}.".encode() + body
    digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(when)),
        "webhook-signature": f"v1,{digest}",
    }


def basic(password: str) -> dict[str, str]:
    both = base64.b64encode(f"azure:{password}".encode()).decode()
    return {"Authorization": f"Basic {both}"}


def send(
    client: FlaskClient, forge: str, headers: dict[str, str], body: bytes = PUSH, kind: str = JSON
) -> TestResponse:
    return client.post(f"/webhooks/{forge}", data=body, headers=headers | {"Content-Type": kind})


def about(*named: tuple[str, str]) -> bytes:
    return json.dumps(dict(named)).encode()


def form(body: bytes) -> bytes:
    return urlencode({"payload": body}).encode()


GENUINE = {
    "Gitea": ("gitea", {"X-Gitea-Event": "push", "X-Gitea-Signature": hexed(PUSH)}, PUSH, JSON),
    "Gitea's form": (
        *("gitea", {"X-Gitea-Event": "push", "X-Gitea-Signature": hexed(PUSH)}),
        *(form(PUSH), f"{FORM}; charset=utf-8"),
    ),
    "Forgejo alone": (
        *("gitea", {"X-Forgejo-Event": "push", "X-Forgejo-Signature": hexed(PUSH)}),
        *(form(PUSH), FORM),
    ),
    "Gogs": ("gitea", {"X-Gogs-Event": "push", "X-Gogs-Signature": hexed(PUSH)}, PUSH, JSON),
    "GitHub's form": (
        "github",
        {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={hexed(form(PUSH))}"},
        *(form(PUSH), FORM),
    ),
    "Bitbucket Cloud": (
        "bitbucket",
        {"X-Event-Key": "repo:push", "X-Hub-Signature": f"sha256={hexed(PUSH)}"},
        *(PUSH, JSON),
    ),
    "Bitbucket Server": (
        "bitbucket",
        {"X-Event-Key": "repo:refs_changed", "X-Hub-Signature": f"sha256={hexed(PUSH)}"},
        *(PUSH, f"{JSON}; charset=utf-8"),
    ),
    "Azure": ("azure", basic(SECRET), about(("eventType", "git.push")), JSON),
}


@pytest.mark.parametrize("name", GENUINE)
def test_a_push_signed_as_the_forge_documents_begins_a_fetch(client, name):
    forge, headers, body, kind = GENUINE[name]

    answer = send(client, forge, headers, body, kind)

    assert answer.status_code == 202, answer.json
    assert answer.json == {"event": "push", "fetches": True}


@pytest.mark.parametrize("name", GENUINE)
def test_the_same_with_another_secret_is_401(stranger, name):
    forge, headers, body, kind = GENUINE[name]

    answer = send(stranger, forge, headers, body, kind)

    assert answer.status_code == 401


# What the refusal says: the scheme that was tried, and the forge's name for the field


@pytest.mark.parametrize(
    ("forge", "headers", "says"),
    [
        ("github", {"X-Hub-Signature-256": "sha256=0"}, ["X-Hub-Signature-256", "HMAC", "Secret"]),
        ("gitea", {"X-Forgejo-Signature": "0"}, ["X-Forgejo-Signature", "the JSON", "Secret"]),
        ("gitlab", {"X-Gitlab-Token": "0"}, ["X-Gitlab-Token (the secret itself)", "Secret token"]),
        ("gitlab", {"webhook-signature": "v1,0"}, ["webhook-signature", "whsec_", "Signing token"]),
        ("bitbucket", {"X-Hub-Signature": "sha256=0"}, ["X-Hub-Signature", "HMAC", "Secret"]),
        ("azure", basic("0"), ["Basic", "another password", "Basic authentication password"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_wrong_signature_is_answered_with_what_was_tried_and_the_field(
    client, forge, headers, says
):
    answer = send(client, forge, headers)

    assert answer.status_code == 401
    assert "signature does not fit" in answer.json["error"]
    for part in says:
        assert part in answer.json["error"]


@pytest.mark.parametrize("forge", ["github", "gitea", "gitlab", "bitbucket", "azure"])
def test_no_signature_is_answered_with_those_that_are_known(client, forge):
    answer = send(client, forge, {})

    assert answer.status_code == 401
    assert "has no signature" in answer.json["error"]
    assert "Basic" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("value", ["Basic", "Basic !", "Basic QQ==", "Bearer " + SECRET, "x"])
def test_credentials_that_are_none_are_401(client, value):
    body = about(("eventType", "git.push"))

    assert send(client, "azure", {"Authorization": value}, body).status_code == 401


@pytest.mark.parametrize("body", [b"", b"payload=", b"payload=%FF", b"&" * 5000, b"\xff=\xfe"])
def test_a_form_without_the_json_that_was_signed_is_401(client, body):
    headers = {"X-Gitea-Event": "push", "X-Gitea-Signature": hexed(PUSH)}

    assert send(client, "gitea", headers, body, FORM).status_code == 401


# GitLab's signing token


def test_gitlabs_signing_token_proves_a_delivery(signing):
    signed = {"X-Gitlab-Event": "Push Hook"} | standard(PUSH, time.time())
    both = signed | {"webhook-signature": f"v1,AAAA {signed['webhook-signature']}"}
    plain = {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": TOKEN}

    for headers in (signed, both, plain):
        assert send(signing, "gitlab", headers).json == {"event": "push", "fetches": True}


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_what_the_signing_token_covers_can_not_be_changed(signing, changed):
    signed = {"X-Gitlab-Event": "Push Hook"} | standard(PUSH, time.time())

    answer = send(signing, "gitlab", signed | {changed: signed[changed] + "1"})

    assert answer.status_code == 401


def test_a_signing_token_without_a_key_proves_nothing(repo):
    signed = {"X-Gitlab-Event": "Push Hook"} | standard(PUSH, time.time(), key=b"")

    answer = send(client_of(repo, "whsec_"), "gitlab", signed)

    assert answer.status_code == 401
    assert "webhook_secret is no signing token" in answer.json["error"]


@pytest.mark.parametrize("away_s", [-3600, 3600])
def test_a_delivery_of_another_hour_is_401_and_says_so(signing, away_s):
    headers = {"X-Gitlab-Event": "Push Hook"} | standard(PUSH, time.time() + away_s)

    answer = send(signing, "gitlab", headers)

    assert answer.status_code == 401
    assert "clock" in answer.json["error"]


# Names of events


def gitlab(event: str, *named: tuple[str, str]) -> tuple[str, dict[str, str], bytes]:
    return "gitlab", {"X-Gitlab-Event": event, "X-Gitlab-Token": SECRET}, about(*named)


def bitbucket(key: str) -> tuple[str, dict[str, str], bytes]:
    return "bitbucket", {"X-Event-Key": key, "X-Hub-Signature": f"sha256={hexed(PUSH)}"}, PUSH


def azure(event: str) -> tuple[str, dict[str, str], bytes]:
    return "azure", basic(SECRET), about(("eventType", event))


@pytest.mark.parametrize(
    ("sent", "event"),
    [
        (gitlab("System Hook", ("event_name", "push")), "push"),
        (gitlab("System Hook", ("event_name", "repository_update")), "push"),
        (gitlab("System Hook", ("object_kind", "merge_request")), "pull request"),
        (gitlab("System Hook", ("event_name", "user_create")), "other"),
        (gitlab("System Hook"), "other"),
        (gitlab("Note Hook", ("event_name", "push")), "other"),
        (bitbucket("pullrequest:created"), "pull request"),
        (bitbucket("pr:from_ref_updated"), "pull request"),
        (bitbucket("repo:fork"), "other"),
        (bitbucket("diagnostics:ping"), "other"),
        (azure("git.pullrequest.created"), "pull request"),
        (azure("git.pullrequest.merged"), "pull request"),
        (azure("build.complete"), "other"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value[1])[:60],
)
def test_an_event_is_known_by_the_name_that_its_forge_gives_it(client, sent, event):
    answer = send(client, *sent)

    assert answer.status_code == 202, answer.json
    assert answer.json["event"] == event


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"[" * 100_000, b'{"eventType": 1}', b"\xff"])
def test_a_body_that_names_no_event_is_other(client, body):
    assert send(client, "azure", basic(SECRET), body).json["event"] == "other"


def test_the_test_connection_of_bitbucket_server_which_it_does_not_sign_is_answered(client):
    ping = {"X-Event-Key": "diagnostics:ping"}

    assert send(client, "bitbucket", ping, b'{"test": true}').status_code == 202
    assert send(client, "bitbucket", ping | {"X-Hub-Signature": "sha256=0"}).status_code == 401


def test_what_is_not_for_us_is_said_and_is_one_line_of_the_log(repo, caplog):
    client = client_of(repo, SECRET)
    headers = {"X-GitHub-Event": "ping", "X-Hub-Signature-256": f"sha256={hexed(PUSH)}"}
    with caplog.at_level(logging.INFO):
        answers = [send(client, "github", headers) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {202}
    assert all("nothing to do" in answer.json["says"] for answer in answers)
    assert caplog.text.count("GitHub sent ping: nothing to do") == 1


# Pull requests


@pytest.mark.parametrize(
    ("ref", "name"),
    [("pull-requests/7/from", "pull-requests/7"), ("pull/7/merge", "pull/7")],
    ids=["Bitbucket Server", "Azure"],
)
def test_a_pull_request_is_fetched_and_can_be_previewed(tmp_path, ref, name):
    origin = Branch(tmp_path / "origin.git")
    origin.commit(jobtype("Blender"))
    change = origin.side(jobtype("Nuke"))
    git(origin.path, "update-ref", f"refs/{ref}", change)
    git(tmp_path, "clone", "--bare", "--quiet", str(origin.path), "copy.git")
    copy = tmp_path / "copy.git"

    Upstream(Store(copy), str(origin.path)).fetch()

    previewed = create_app(Config(copy)).test_client().get(f"/preview/{name}/api/v1/jobtypes/")
    assert [row["name"] for row in previewed.json] == ["Blender", "Nuke"]
