"""The token for a service: where it is looked for, and to which services it is sent.

Nothing is sent until the service asks for it. So no token goes to a server that is none of ours,
or that needs none.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from api.client.address import ServiceUrl
from gitstore.errors import BadRequest
from gitstore.git.credentials import (
    Credential,
    approve_credential,
    fill_credential,
    reject_credential,
)

TOKEN_VARIABLE = "JOBTYPES_TOKEN"

_OURS = re.compile(r"(?:basic|bearer) +realm=\"?jobtypes\b", re.IGNORECASE)
_BASIC = re.compile(r"basic\b", re.IGNORECASE)
_TOKEN = re.compile(r"[!-~]{1,4096}")


class Login:
    """What to send to the service at *url*: *token*, else what Git's credential helpers know.

    *token* is not for a service that the user did not name: a clone's settings may lead anywhere.
    What Git's helpers know is each for one address, and goes where git fetch would send it.
    """

    def __init__(self, url: ServiceUrl, token: str | None, is_named: bool = True) -> None:
        if token is not None and not _TOKEN.fullmatch(token):
            raise BadRequest(
                f"{TOKEN_VARIABLE} is no token: it is empty, or has a space or other signs"
            )
        self._url = url
        self._token = token if is_named else None
        self._is_withheld = token is not None and not is_named
        self._credential: Credential | None = None
        self._had_some = False

    def answer(self, challenges: Sequence[str]) -> str | None:
        """The header Authorization for a server that asks by *challenges*; None to send nothing."""
        if self._token is not None:
            # The user names the token, but for our services alone.
            return f"Bearer {self._token}" if any(map(_OURS.match, challenges)) else None
        if not any(map(_BASIC.match, challenges)):
            return None
        self._credential = fill_credential(self._url.remote.text)
        if self._credential is None:
            return None
        self._had_some = True
        pair = f"{self._credential.username}:{self._credential.password}"
        return f"Basic {base64.b64encode(pair.encode(errors='surrogateescape')).decode()}"

    def accepted(self) -> None:
        """Let Git's helpers keep what was sent, once."""
        if self._credential is not None:
            approve_credential(self._credential)
            self._credential = None

    def refused(self) -> None:
        """Let Git's helpers forget what was sent."""
        if self._credential is not None:
            reject_credential(self._credential)
            self._credential = None

    @property
    def advice(self) -> str:
        """What the user can do after a 401."""
        if self._token is not None:
            return f"that is of the token in {TOKEN_VARIABLE}"
        if self._had_some:
            return "Git's credential helper had that token, and has forgotten it now"
        if self._is_withheld:
            return (
                f"{TOKEN_VARIABLE} is not sent where only a clone's settings lead; if that is your"
                " service, name it with --url or JOBTYPES_URL"
            )
        return f"set {TOKEN_VARIABLE}, or let Git keep the token, as it does after a git push"
