"""The forges: whether a webhook's delivery is genuine, its event, and the page for review.

A delivery is only a hint that something happened. Its payload is read only if no header
names the event, and only after the signature is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from urllib.parse import quote

from gitstore.git.remote_url import parse_remote_url
from hooks.signatures import (
    Delivery,
    Scheme,
    basic_password,
    secret_itself,
    signed_body,
    signed_json,
    standard_webhooks,
)


class Event(StrEnum):
    """The kinds of events that matter here."""

    PUSH = "push"
    PULL_REQUEST = "pull request"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Forge:
    """How one forge signs and names its deliveries, and where it shows a pull request.

    *events* maps names of events, which may be patterns of the shell's, to what they mean.
    The name stands in the first of *headers* that is there; where it is *vague*, in the
    first of *keys* that the JSON has. *unsigned* are events that the forge never signs.
    *review* is the page that opens a pull request, for hosts whose names hold one of *hosts*.
    """

    title: str
    schemes: tuple[Scheme, ...]
    events: Mapping[str, Event]
    headers: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    vague: str = ""
    unsigned: frozenset[str] = frozenset()
    hosts: tuple[str, ...] = ()
    review: str = ""

    def fault(self, delivery: Delivery, secret: str) -> str | None:
        """Why *delivery* does not prove that the forge sent it; None if it does."""
        values = [(scheme, scheme.value(delivery)) for scheme in self.schemes]
        tried = [(scheme, value) for scheme, value in values if value]
        if not tried:
            if self.unsigned and self.event_name(delivery) in self.unsigned:
                return None
            wanted = " or ".join(f"{s.header} ({s.how})" for s in self.schemes)
            return f"the delivery has no signature: no {wanted}; {self._advice(self.schemes)}"
        faults = []
        for scheme, value in tried:
            fault = scheme.fault(value, delivery, secret)
            if not fault:
                return None
            faults.append(f"{scheme.header} ({scheme.how}) {fault}")
        message = f"the signature does not fit: {'; '.join(faults)}"
        return f"{message}; {self._advice(tuple(scheme for scheme, _ in tried))}"

    def _advice(self, schemes: tuple[Scheme, ...]) -> str:
        fields = " or ".join(dict.fromkeys(f'"{scheme.field}"' for scheme in schemes))
        return f"give {self.title}, in the field {fields}, the webhook_secret of this service"

    def event_name(self, delivery: Delivery) -> str:
        """The forge's own name of the event, empty without one."""
        headers = delivery.headers
        name = next((headers[h] for h in self.headers if h in headers), "")
        return _value(delivery.signed_json, self.keys) if name == self.vague else name

    def event(self, name: str) -> Event:
        """The kind of the event *name*."""
        events = (event for pattern, event in self.events.items() if fnmatchcase(name, pattern))
        return next(events, Event.OTHER)


def _value(data: bytes, keys: tuple[str, ...]) -> str:
    """The first of *keys* that the JSON object *data* has, empty if there is none."""
    if not keys:
        return ""
    try:
        payload = json.loads(data)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(payload, dict):
        return ""
    return next((v for v in map(payload.get, keys) if isinstance(v, str)), "")


_SECRET = "Secret"
_BRANCH_EVENTS = {"push": Event.PUSH, "pull_request": Event.PULL_REQUEST}

FORGES: dict[str, Forge] = {
    "github": Forge(
        "GitHub",
        (signed_body("X-Hub-Signature-256", _SECRET, "sha256="),),
        _BRANCH_EVENTS,
        headers=("x-github-event",),
        hosts=("github",),
        review="{web}/compare/{base}...{branch}?expand=1",
    ),
    "gitlab": Forge(
        "GitLab",
        (secret_itself("X-Gitlab-Token", "Secret token"), standard_webhooks("Signing token")),
        {
            "Push Hook": Event.PUSH,
            "Merge Request Hook": Event.PULL_REQUEST,
            "push": Event.PUSH,
            "repository_update": Event.PUSH,
            "merge_request": Event.PULL_REQUEST,
        },
        headers=("x-gitlab-event",),
        keys=("event_name", "object_kind"),
        vague="System Hook",
        hosts=("gitlab",),
        review=(
            "{web}/-/merge_requests/new?merge_request%5Bsource_branch%5D={branch}"
            "&merge_request%5Btarget_branch%5D={base}"
        ),
    ),
    # Forgejo and Gogs, too: each sends the headers of those that it comes from.
    "gitea": Forge(
        "Gitea or Forgejo",
        (
            signed_json("X-Forgejo-Signature", _SECRET),
            signed_json("X-Gitea-Signature", _SECRET),
            signed_json("X-Gogs-Signature", _SECRET),
        ),
        _BRANCH_EVENTS,
        headers=("x-forgejo-event", "x-gitea-event", "x-gogs-event"),
        hosts=("gitea", "forgejo", "codeberg"),
        review="{web}/compare/{base}...{branch}",
    ),
    # Cloud and Server (Data Center), whose events have other names. Server's *Test connection*
    # sends a ping without a signature.
    "bitbucket": Forge(
        "Bitbucket",
        (signed_body("X-Hub-Signature", _SECRET, "sha256="),),
        {
            "repo:push": Event.PUSH,
            "repo:refs_changed": Event.PUSH,
            "pullrequest:*": Event.PULL_REQUEST,
            "pr:*": Event.PULL_REQUEST,
        },
        headers=("x-event-key",),
        unsigned=frozenset({"diagnostics:ping"}),
        hosts=("bitbucket.org",),
        review="{web}/pull-requests/new?source={branch}&dest={base}",
    ),
    "azure": Forge(
        "Azure DevOps",
        (basic_password("Basic authentication password"),),
        {"git.push": Event.PUSH, "git.pullrequest.*": Event.PULL_REQUEST},
        keys=("eventType",),
    ),
}
"""Every supported forge, by the last part of the path of its webhooks."""


def review_link(url: str, base: str, branch: str) -> str | None:
    """The page that opens a pull request for *branch*, if the forge at *url* is supported.

    *url* is upstream's, without credentials. The host's name says which forge it is.
    """
    web = parse_remote_url(url).web
    if web is None:
        return None
    host = web.split("/")[2]
    forges = (f for f in FORGES.values() if any(name in host for name in f.hosts))
    page = next((forge.review for forge in forges), None)
    return page and page.format(web=web, base=quote(base), branch=quote(branch))
