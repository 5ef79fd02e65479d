"""POST /webhooks/<forge>: deliveries in the forges' documented forms, and what is not genuine."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest

from api.app import create_app
from api.config import Config
from gitstore.branch.setup import create_repository
from hooks import signatures
from hooks.forges import FORGES
from tests.support.branches import Branch, jobtype
from tests.support.commands import jobtypes
from tests.support.forge import Forge
from tests.support.git import git
from tests.support.rest import error
from tests.support.server import Answer, Server
from tests.support.waiting import wait_for

KEY = "a secret, shared with the forge"
AFTER = "1a8bc0f4d1e6b3f0a2c4e6f8091b2d3c4e5f6a7b"
BEFORE = "0f9e8d7c6b5a4938271605f4e3d2c1b0a9f8e7d6"
USER = {"id": 1, "name": "Test TD", "username": "td", "email": "td@studio.example"}
COMMIT = {
    "id": AFTER,
    "message": "Blender: tiles\n",
    "timestamp": "2024-05-06T07:08:09+00:00",
    "url": f"https://git.studio.example/td/farm/commit/{AFTER}",
    "author": USER,
    "added": [],
    "removed": [],
    "modified": ["jobtypes/Blender/code.py"],
}

# As the forges document them, shortened to what they say of the event itself.
GITHUB_PUSH = {
    "ref": "refs/heads/main",
    "before": BEFORE,
    "after": AFTER,
    "created": False,
    "deleted": False,
    "forced": False,
    "base_ref": None,
    "compare": "https://github.com/td/farm/compare/0f9e8d7c6b5a...1a8bc0f4d1e6",
    "commits": [COMMIT],
    "head_commit": COMMIT,
    "pusher": {"name": "td", "email": "td@studio.example"},
    "repository": {"id": 7, "name": "farm", "full_name": "td/farm", "default_branch": "main"},
    "sender": {"login": "td", "id": 1, "type": "User"},
}
GITHUB_PULL = {
    "action": "opened",
    "number": 7,
    "pull_request": {
        "number": 7,
        "state": "open",
        "title": "Tiles",
        "head": {"label": "td:tiles", "ref": "tiles", "sha": AFTER},
        "base": {"label": "td:main", "ref": "main", "sha": BEFORE},
        "merged": False,
    },
    "repository": GITHUB_PUSH["repository"],
    "sender": GITHUB_PUSH["sender"],
}
GITHUB_PING = {"zen": "Keep it logically awesome.", "hook_id": 3, "hook": {"events": ["push"]}}
GITLAB_PUSH = {
    "object_kind": "push",
    "event_name": "push",
    "before": BEFORE,
    "after": AFTER,
    "ref": "refs/heads/main",
    "checkout_sha": AFTER,
    "user_id": 1,
    "user_username": "td",
    "project_id": 7,
    "project": {"id": 7, "path_with_namespace": "td/farm", "default_branch": "main"},
    "commits": [COMMIT],
    "total_commits_count": 1,
}
GITLAB_MERGE = {
    "object_kind": "merge_request",
    "event_type": "merge_request",
    "user": USER,
    "project": GITLAB_PUSH["project"],
    "object_attributes": {
        "id": 99,
        "iid": 7,
        "target_branch": "main",
        "source_branch": "tiles",
        "state": "opened",
        "action": "open",
        "last_commit": COMMIT,
    },
}
GITEA_PUSH = {
    "ref": "refs/heads/main",
    "before": BEFORE,
    "after": AFTER,
    "compare_url": "https://gitea.studio.example/td/farm/compare/0f9e8d7c...1a8bc0f4",
    "commits": [COMMIT],
    "repository": {"id": 7, "full_name": "td/farm", "default_branch": "main"},
    "pusher": USER,
    "sender": USER,
}
GITEA_PULL = {
    "action": "opened",
    "number": 7,
    "pull_request": GITHUB_PULL["pull_request"],
    "repository": GITEA_PUSH["repository"],
    "sender": USER,
}


@dataclass(frozen=True)
class Delivery:
    """What a forge sends: the receiver, the event, the body."""

    forge: str
    event: str
    payload: object

    @property
    def body(self) -> bytes:
        # The signature is over these bytes, which no parser would write again alike.
        return json.dumps(self.payload, indent=2).encode() + b"\n\n"

    def headers(self, secret: str = KEY, body: bytes | None = None) -> dict[str, str]:
        """The headers that the forge documents, signed with *secret*."""
        signature = sign(self.body if body is None else body, secret)
        return {"Content-Type": "application/json"} | {
            "github": {
                "User-Agent": "GitHub-Hookshot/044aadd",
                "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
                "X-GitHub-Event": self.event,
                "X-Hub-Signature-256": f"sha256={signature}",
            },
            "gitlab": {
                "User-Agent": "GitLab/17.0.0",
                "X-Gitlab-Event": self.event,
                "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e",
                "X-Gitlab-Token": secret,
            },
            "gitea": {
                "X-Gitea-Delivery": "f6266f16-1bf3-46a5-9ea4-602e06ead473",
                "X-Gitea-Event": self.event,
                "X-Gitea-Signature": signature,
                "X-Hub-Signature-256": f"sha256={signature}",
            },
        }[self.forge]


def sign(body: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


PUSHES = [
    Delivery("github", "push", GITHUB_PUSH),
    Delivery("gitlab", "Push Hook", GITLAB_PUSH),
    Delivery("gitea", "push", GITEA_PUSH),
]
PULLS = [
    Delivery("github", "pull_request", GITHUB_PULL),
    Delivery("gitlab", "Merge Request Hook", GITLAB_MERGE),
    Delivery("gitea", "pull_request", GITEA_PULL),
]
by_forge = pytest.mark.parametrize("delivery", PUSHES, ids=lambda d: d.forge)


@dataclass
class Hooked:
    """A service that follows *origin*, which *forge* serves, and learns by webhooks alone."""

    origin: Branch
    forge: Forge
    server: Server

    def deliver(self, delivery: Delivery, **headers: str) -> Answer:
        path = f"/webhooks/{delivery.forge}"
        sent = delivery.headers() | headers
        return self.server.request("POST", path, delivery.body, sent)


@pytest.fixture(scope="module")
def hooked(tmp_path_factory) -> Iterator[Hooked]:
    folder = tmp_path_factory.mktemp("hooked")
    origin = Branch(folder / "origin.git")
    origin.commit(jobtype("Blender"))
    with Forge(origin.path) as forge, pytest.MonkeyPatch.context() as patch:
        patch.setenv("JOBTYPES_WEBHOOK_SECRET", KEY)
        options = ("--workers", "1", "--poll-s", "3600", "--fetch-pause-s", "0")
        server = Server(folder / "copy.git", *options, "--upstream", forge.url)
        yield Hooked(origin, forge, server)
        server.stop()


@by_forge
def test_a_push_event_has_what_was_pushed_served(hooked, delivery):
    name = f"By {delivery.forge}"
    hooked.origin.commit(jobtype(name))

    answer = hooked.deliver(delivery)

    assert answer.status == 202
    assert answer.json == {"event": "push", "fetches": True}
    # The list never asks upstream by itself.
    rows = lambda: hooked.server.get("/api/v1/jobtypes/").body.decode()  # noqa: E731
    wait_for(lambda: f'"{name}"' in rows(), "what was pushed")


@pytest.mark.parametrize("delivery", PULLS, ids=lambda d: d.forge)
def test_a_pull_request_event_fetches_its_ref(hooked, delivery):
    ref = {"github": "pull/7", "gitlab": "merge-requests/7", "gitea": "pull/8"}[
        delivery.forge
    ] + "/head"
    git(hooked.origin.path, "update-ref", f"refs/{ref}", hooked.origin.tip)

    answer = hooked.deliver(delivery)

    assert answer.status == 202
    assert answer.json == {"event": "pull request", "fetches": True}
    listed = lambda: git(hooked.server.repo, "for-each-ref")  # noqa: E731
    wait_for(lambda: f"refs/upstream/{ref}" in listed(), "the pull request's ref")


@pytest.mark.parametrize(
    "delivery",
    [Delivery("github", "ping", GITHUB_PING), Delivery("gitlab", "Issue Hook", {"x": 1})],
    ids=lambda d: d.event,
)
def test_a_ping_and_other_events_are_answered_and_fetch_nothing(hooked, delivery):
    answer = hooked.deliver(delivery)

    assert answer.status == 202
    assert answer.json["event"] == "other"
    assert not answer.json["fetches"]
    assert "nothing to do" in answer.json["says"]


def test_the_payload_is_not_parsed(hooked):
    delivery = PUSHES[0]
    for data in (b"", b"{", b"\xff\x00", urlencode({"payload": delivery.body}).encode()):
        headers = delivery.headers(body=data) | {
            "Content-Type": "application/x-www-form-urlencoded"
        }

        assert hooked.server.request("POST", "/webhooks/github", data, headers).status == 202


def is_refused(hooked: Hooked, forge: str, data: bytes, headers: dict[str, str]) -> bool:
    answer = hooked.server.request("POST", f"/webhooks/{forge}", data, headers)
    return "signature" in error(answer, 401)["error"]


@by_forge
def test_what_is_not_signed_with_the_secret_is_401(hooked, delivery):
    name = {
        "github": "X-Hub-Signature-256",
        "gitlab": "X-Gitlab-Token",
        "gitea": "X-Gitea-Signature",
    }[delivery.forge]
    good = delivery.headers()
    others = [
        *(good | {name: value} for value in ("", " ", good[name][:-1], good[name] + "0", "\xe9")),
        {key: value for key, value in good.items() if key != name},
        delivery.headers("another secret"),
        delivery.headers(""),
    ]

    for headers in others:
        assert is_refused(hooked, delivery.forge, delivery.body, headers)


@pytest.mark.parametrize("delivery", [PUSHES[0], PUSHES[2]], ids=lambda d: d.forge)
def test_a_signature_of_another_body_is_401(hooked, delivery):
    parsed = json.dumps(json.loads(delivery.body)).encode()

    assert is_refused(hooked, delivery.forge, parsed, delivery.headers())


@pytest.mark.parametrize("prefix", ["", "sha1=", "SHA256=", "sha256 "])
def test_githubs_signature_needs_its_prefix(hooked, prefix):
    delivery = PUSHES[0]
    signature = prefix + sign(delivery.body, KEY)

    headers = delivery.headers() | {"X-Hub-Signature-256": signature}

    assert is_refused(hooked, "github", delivery.body, headers)


def test_one_forges_delivery_does_not_do_for_another(hooked):
    assert is_refused(hooked, "gitlab", PUSHES[0].body, PUSHES[0].headers())
    assert is_refused(hooked, "gitea", PUSHES[1].body, PUSHES[1].headers())


def test_an_unknown_forge_is_404_and_a_get_405(hooked):
    said = error(hooked.server.request("POST", "/webhooks/sourcehut", {}), 404)

    assert "github, gitlab, gitea, bitbucket, azure" in said["error"]
    error(hooked.server.get("/webhooks/github"), 405)


def test_deliveries_are_answered_while_a_fetch_hangs_and_share_the_next(hooked):
    forge = hooked.forge
    before = forge.fetches
    forge.open.clear()
    hooked.deliver(PUSHES[0])
    wait_for(lambda: forge.waiting > 0, "the fetch")

    # Fewer at once than a worker has places: chance may have them all meet in one.
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(hooked.deliver, PUSHES * 20))
    hung = forge.waiting > 0
    hooked.origin.commit(jobtype("Last"))
    forge.open.set()

    assert {answer.status for answer in answers} == {202}
    assert hung
    # A miss waits for a fetch that begins after it: those before are over then.
    assert hooked.server.get("/api/v1/jobtypes/Last").status == 200
    assert hooked.server.get("/api/v1/jobtypes/Unknown").status == 404
    assert forge.fetches - before <= 2 + 2


# Without a service of its own


@by_forge
def test_what_bears_the_secret_is_compared_whole_in_constant_time(delivery, monkeypatch):
    compared = []
    real = hmac.compare_digest

    def noting(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr(hmac, "compare_digest", noting)
    headers = {name.lower(): value for name, value in delivery.headers().items()}
    forge = FORGES[delivery.forge]
    field = next(s.header.lower() for s in forge.schemes if s.header.lower() in headers)
    good = headers[field].encode()

    for given in (headers[field], headers[field][:-1], "x"):
        compared.clear()
        fault = forge.fault(signatures.Delivery(headers | {field: given}, delivery.body), KEY)
        assert (fault is None) == (given == headers[field])
        assert compared == [(given.encode(), good)]


@pytest.mark.parametrize(
    "settings", [{"webhook_secret": KEY}, {"upstream": "/nowhere.git"}], ids=lambda s: next(iter(s))
)
def test_without_a_secret_or_an_upstream_it_is_403(empty, settings):
    client = create_app(Config(empty, **settings)).test_client()

    answer = client.post("/webhooks/github", data=PUSHES[0].body, headers=PUSHES[0].headers())

    assert answer.status_code == 403
    says = answer.json["error"]
    # An option would show the secret to all users of the machine.
    assert "JOBTYPES_WEBHOOK_SECRET" in says
    assert "--webhook-secret" not in says


def test_a_body_over_the_limit_is_413_whatever_its_signature(empty):
    config = Config(empty, upstream="/nowhere.git", webhook_secret=KEY, body_limit_bytes=2000)
    client = create_app(config).test_client()

    for data, status in ((b" " * 2000, 202), (b" " * 2001, 413)):
        headers = PUSHES[0].headers(body=data)

        assert client.post("/webhooks/github", data=data, headers=headers).status_code == status


def test_a_forge_needs_no_token(tmp_path):
    repo = tmp_path / "copy.git"
    create_repository(repo, "main", None)
    jobtypes("token", "create", "alice", "--role", "write", "--repo", repo)
    config = Config(repo, upstream="/nowhere.git", webhook_secret=KEY, read_needs_token=True)
    client = create_app(config).test_client()

    answer = client.post("/webhooks/github", data=PUSHES[0].body, headers=PUSHES[0].headers())

    assert client.get("/api/v1/jobtypes/").status_code == 401
    assert answer.status_code == 202
