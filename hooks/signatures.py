"""How a forge proves that a delivery is its own: one value for each scheme.

Sources: GitHub "Validating webhook deliveries"; GitLab "Webhooks" and the specification
"Standard Webhooks"; Gitea and Forgejo "Webhooks"; Bitbucket "Manage webhooks"; Azure DevOps
"Web Hooks". Every comparison takes equally long for every value.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs

FORM = "application/x-www-form-urlencoded"
TOLERANCE_S = 300
"""How far the time in a signed delivery may be from this machine's clock."""
SIGNING_TOKEN = "whsec_"
"""Begins a signing token; the key in base64 follows."""
_SIGNATURES_LIMIT = 8
"""How many signatures of one delivery are tried: a forge that changes its key sends two."""
_NO_FIT = "was not made with webhook_secret"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What was sent: headers with their names in lower case, and the raw body."""

    headers: Mapping[str, str]
    body: bytes

    @property
    def signed_json(self) -> bytes:
        """The JSON of a delivery, which is a field of its body where the body is a form."""
        if not self.headers.get("content-type", "").lower().startswith(FORM):
            return self.body
        text = self.body.decode("utf-8", "surrogateescape")
        try:
            fields = parse_qs(text, errors="surrogateescape", max_num_fields=16)
        except ValueError:
            return b""
        return fields.get("payload", [""])[0].encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way to prove a delivery, in the header *header*.

    *how* describes it in a message; *field* is the name of the secret on the forge's page.
    *fault* gives the reason why a value of the header proves nothing, empty if it does.
    """

    header: str
    how: str
    field: str
    fault: Callable[[str, Delivery, str], str]

    def value(self, delivery: Delivery) -> str:
        """The header's value, empty without one."""
        return delivery.headers.get(self.header.lower(), "")


def signed_body(header: str, field: str, prefix: str = "") -> Scheme:
    """*header* is *prefix* and the HMAC of the raw body in hex."""

    def fault(value: str, delivery: Delivery, secret: str) -> str:
        return _fits(value, prefix + _hex(delivery.body, secret))

    return Scheme(header, "HMAC with SHA-256 of the body", field, fault)


def signed_json(header: str, field: str) -> Scheme:
    """*header* is the HMAC in hex of the JSON, also where the body is a form."""

    def fault(value: str, delivery: Delivery, secret: str) -> str:
        return _fits(value, _hex(delivery.signed_json, secret))

    return Scheme(header, "HMAC with SHA-256 of the JSON", field, fault)


def secret_itself(header: str, field: str) -> Scheme:
    """*header* is the secret."""

    def fault(value: str, delivery: Delivery, secret: str) -> str:
        return "" if _same(value, secret) else "is not webhook_secret"

    return Scheme(header, "the secret itself", field, fault)


def standard_webhooks(field: str) -> Scheme:
    """The scheme of the specification Standard Webhooks, which covers the time of sending."""
    how = "HMAC with SHA-256 of webhook-id, webhook-timestamp and the body"
    return Scheme("webhook-signature", how, field, _standard_fault)


def basic_password(field: str) -> Scheme:
    """HTTP's Basic credentials, of which the password is the secret."""

    def fault(value: str, delivery: Delivery, secret: str) -> str:
        kind, _, encoded = value.partition(" ")
        if kind.lower() != "basic":
            return "holds no Basic credentials"
        try:
            text = base64.b64decode(encoded.strip(), validate=True).decode()
        except ValueError:
            return "holds Basic credentials that can't be read"
        return "" if _same(text.partition(":")[2], secret) else "has another password"

    return Scheme("Authorization", "Basic credentials", field, fault)


def _standard_fault(value: str, delivery: Delivery, secret: str) -> str:
    key = _key(secret)
    if key is None:
        return f"can't be tried: webhook_secret is no signing token ({SIGNING_TOKEN} and base64)"
    stamp = delivery.headers.get("webhook-timestamp", "")
    head = f"{delivery.headers.get('webhook-id', '')}.{stamp}.".encode("latin-1", "replace")
    digest = hmac.new(key, head + delivery.body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    if not any([_same(one, wanted) for one in value.split(" ")[:_SIGNATURES_LIMIT]]):
        return _NO_FIT
    # Signed, so the forge wrote it.
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 15):
        return "comes with a webhook-timestamp that is no time"
    if abs(time.time() - int(stamp)) > TOLERANCE_S:
        minutes = TOLERANCE_S // 60
        return f"is over {minutes} minutes away from this machine's clock; set both clocks right"
    return ""


def _key(secret: str) -> bytes | None:
    if not secret.startswith(SIGNING_TOKEN):
        return None
    try:
        return base64.b64decode(secret.removeprefix(SIGNING_TOKEN), validate=True) or None
    except ValueError:
        return None


def _hex(data: bytes, secret: str) -> str:
    return hmac.new(secret.encode(), data, hashlib.sha256).hexdigest()


def _fits(value: str, wanted: str) -> str:
    return "" if _same(value, wanted) else _NO_FIT


def _same(value: str, wanted: str) -> bool:
    return hmac.compare_digest(value.encode(errors="replace"), wanted.encode())
