"""The forges' webhooks: whether a delivery is genuine, and what it says happened.

Sources: GitHub "Validating webhook deliveries", GitLab "Webhooks", Gitea "Webhooks".
The payload is never parsed: a delivery is only a hint that something happened.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote


class Event(StrEnum):
    """What a delivery says happened, as far as it matters here."""

    PUSH = "push"
    PULL_REQUEST = "pull request"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Forge:
    """How one forge signs and names its deliveries; header names in lower case.

    *prefix* stands before the signature; *signs* is whether the header has a signature
    over the body (HMAC with SHA-256, in hex), or the secret itself.
    """

    signature: str
    event: str
    events: Mapping[str, Event]
    prefix: str = ""
    signs: bool = True

    def is_genuine(self, headers: Mapping[str, str], body: bytes, secret: str) -> bool:
        """Whether whoever sent *body* knows *secret*; takes equally long either way."""
        given = headers.get(self.signature, "")
        wanted = secret
        if self.signs:
            digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
            wanted = self.prefix + digest
        return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())

    def event_of(self, headers: Mapping[str, str]) -> Event:
        """What the delivery says happened."""
        return self.events.get(headers.get(self.event, ""), Event.OTHER)


FORGES: dict[str, Forge] = {
    "github": Forge(
        signature="x-hub-signature-256",
        event="x-github-event",
        events={"push": Event.PUSH, "pull_request": Event.PULL_REQUEST},
        prefix="sha256=",
    ),
    "gitlab": Forge(
        signature="x-gitlab-token",
        event="x-gitlab-event",
        events={"Push Hook": Event.PUSH, "Merge Request Hook": Event.PULL_REQUEST},
        signs=False,
    ),
    "gitea": Forge(
        signature="x-gitea-signature",
        event="x-gitea-event",
        events={"push": Event.PUSH, "pull_request": Event.PULL_REQUEST},
    ),
}


def review_link(url: str, base: str, branch: str) -> str | None:
    """Where a pull request for *branch* can be opened, if the forge at *url* is known.

    *url* is upstream's, without credentials. The forge is told by its host's name.
    """
    base, branch = quote(base), quote(branch)
    web = _web_url(url)
    if web is None:
        return None
    host = web.split("/")[2]
    if "gitlab" in host:
        source, target = "merge_request%5Bsource_branch%5D", "merge_request%5Btarget_branch%5D"
        return f"{web}/-/merge_requests/new?{source}={branch}&{target}={base}"
    if "github" in host:
        return f"{web}/compare/{base}...{branch}?expand=1"
    if any(name in host for name in ("gitea", "forgejo", "codeberg")):
        return f"{web}/compare/{base}...{branch}"
    return None


def _web_url(url: str) -> str | None:
    """The address of a repository's page, from the address that Git uses."""
    rest = url.removesuffix("/").removesuffix(".git")
    for scheme in ("https://", "http://", "ssh://"):
        if rest.startswith(scheme):
            host, _, path = rest.removeprefix(scheme).rpartition("@")[2].partition("/")
            return f"https://{host.split(':')[0] if scheme == 'ssh://' else host}/{path}"
    host, colon, path = rest.partition(":")
    if colon and "/" not in host:
        return f"https://{host.rpartition('@')[2]}/{path}"
    return None
