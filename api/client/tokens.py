"""The tokens of a repository on this machine's disk, and those of a service, for its admins."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from api.client.address import quoted
from api.client.answers import of_body, of_payload
from api.config import PREFIX
from api.rest.token_models import (
    NewTokenAnswer,
    TokenAnswer,
    new_token_payload,
    token_payload,
)
from gitstore.branch.access import Role
from gitstore.branch.token_use import TokenUse
from gitstore.branch.tokens import Tokens
from gitstore.errors import Refused
from gitstore.git.repository import Repository

if TYPE_CHECKING:
    from api.client.transport import Service


class LocalTokens:
    """The tokens of the bare repository at *path*.

    Raises:
        Refused: it is a clone.
    """

    def __init__(self, path: Path) -> None:
        repository = Repository(path)
        if not repository.is_bare:
            raise Refused(
                f"{path} is a clone, and no service reads its tokens. On the service's machine,"
                " name its bare repository with --repo"
            )
        self._tokens = Tokens(repository.git_dir)
        self._use = TokenUse(repository.git_dir)

    @property
    def are_lost(self) -> bool:
        """Whether there were tokens that can't be read."""
        return bool(self._tokens.standing.lost)

    def rows(self) -> list[TokenAnswer]:
        """The tokens, oldest first."""
        days = self._use.days()
        return of_payload(
            list[TokenAnswer], [token_payload(row, days) for row in self._tokens.rows()]
        )

    def create(
        self,
        name: str,
        role: str,
        email: str | None,
        only: tuple[str, ...],
        lasts: timedelta | None,
    ) -> NewTokenAnswer:
        """A new token."""
        return self._new(self._tokens.create(name, Role[role.upper()], email, only, lasts))

    def rotate(self, name: str, overlap: timedelta, lasts: timedelta | None) -> NewTokenAnswer:
        """Another secret for the token of that name."""
        return self._new(self._tokens.rotate(name, overlap, lasts))

    def _new(self, secret: str) -> NewTokenAnswer:
        return of_payload(NewTokenAnswer, new_token_payload(self._tokens, secret))

    def revoke(self, name: str) -> None:
        """Make the token of that name worthless."""
        self._tokens.revoke(name)

    def turn_off(self) -> None:
        """Give all tokens up, lost ones too."""
        self._tokens.turn_off()


class RemoteTokens:
    """The tokens of *service*."""

    are_lost = False

    def __init__(self, service: Service) -> None:
        self._service = service

    def rows(self) -> list[TokenAnswer]:
        """The tokens, oldest first."""
        body = self._service.get(f"{PREFIX}/tokens/").body
        return of_body(list[TokenAnswer], body, self._service.base)

    def create(
        self,
        name: str,
        role: str,
        email: str | None,
        only: tuple[str, ...],
        lasts: timedelta | None,
    ) -> NewTokenAnswer:
        """A new token."""
        body = {
            "name": name,
            "role": role,
            "email": email,
            "only": only,
            "lasts_s": _seconds(lasts),
        }
        return self._new(f"{PREFIX}/tokens/", body)

    def rotate(self, name: str, overlap: timedelta, lasts: timedelta | None) -> NewTokenAnswer:
        """Another secret for the token of that name."""
        body = {"overlap_s": _seconds(overlap), "lasts_s": _seconds(lasts)}
        return self._new(f"{_token(name)}/rotate", body)

    def _new(self, path: str, body: object) -> NewTokenAnswer:
        answer = self._service.send("POST", path, body).body
        return of_body(NewTokenAnswer, answer, self._service.base)

    def revoke(self, name: str) -> None:
        """Make the token of that name worthless."""
        self._service.send("DELETE", _token(name))


def _token(name: str) -> str:
    return f"{PREFIX}/tokens/{quoted(name)}"


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else int(span.total_seconds())
