"""Tokens: who may do what, by the SHA-256 of a secret that is shown once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from pathlib import Path

from gitstore.branch.access import EVERYBODY, Access, Role
from gitstore.branch.tokens_file import Standing, Token, TokenFile
from gitstore.errors import Exists, NotFound, TokensLost

PREFIX = "jtr_"
"""What every token begins with, so that secret scanners know one when they see it."""


class Tokens:
    """The tokens of one repository.

    They lie in the repository's folder but on no ref, so a clone never has them.
    """

    def __init__(self, git_dir: Path) -> None:
        self._file = TokenFile(git_dir)

    @property
    def standing(self) -> Standing:
        """How it stands with them as of now."""
        return self._file.standing

    @property
    def exist(self) -> bool:
        """Whether there are tokens, be they lost: with them, writing needs one."""
        standing = self.standing
        return standing.rows is not None or bool(standing.lost)

    def rows(self) -> tuple[Token, ...]:
        """The tokens, in the order of their making.

        Raises:
            TokensLost: they can't be read.
        """
        standing = self.standing
        if standing.lost:
            raise TokensLost(standing.lost)
        return standing.rows or ()

    def find(self, secret: str) -> Access | None:
        """What the bearer of *secret* may do; None if it is no token of ours.

        That is all, as for everybody, where there are no tokens, and nothing where they are
        lost. Takes as long whichever token it is, and whether it is one.
        """
        standing = self.standing
        if standing.rows is None:
            return None if standing.lost else EVERYBODY
        digest = _digest(secret)
        found = None
        for row in standing.rows:
            if hmac.compare_digest(row.sha256, digest):
                found = row.access
        return found

    def create(self, name: str, role: Role, email: str, only: tuple[str, ...]) -> str:
        """A new token's secret, which is kept nowhere.

        Raises:
            Exists: there is a token of that name.
            TokensLost: there is a file of tokens that can't be read; nothing takes its place.
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = Token(
            name=name,
            sha256=_digest(secret),
            role=role.name.lower(),
            email=email,
            only=only,
            created=now,
        )
        with self._file.changing() as replace:
            # Where the file is gone, there is nothing to lose any more.
            rows = self.rows() if self._file.is_there else ()
            if any(other.name == name for other in rows):
                raise Exists(f"there is a token {name}; revoke it first or choose another name")
            replace((*rows, row))
        return secret

    def revoke(self, name: str) -> None:
        """Make the token of that name worthless, at the next request.

        Where it was the last, there are still tokens, of which nobody has one.

        Raises:
            NotFound: there is none.
            TokensLost: as create.
        """
        with self._file.changing() as replace:
            rows = self.rows()
            left = tuple(row for row in rows if row.name != name)
            if len(left) == len(rows):
                raise NotFound(f"there is no token {name}; see jobtypes token list")
            replace(left)

    def turn_off(self) -> None:
        """Give all tokens up, lost ones too: everybody may write, as without any."""
        with self._file.changing() as replace:
            replace(None)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
