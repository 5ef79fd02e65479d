"""Tokens: who may do what, by the SHA-256 of a secret that is shown once."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitstore.branch.access import Role
from gitstore.branch.tokens_file import (
    EMAIL,
    EMAIL_LIMIT,
    NAME,
    PATTERN,
    PATTERN_LIMIT,
    PATTERNS_LIMIT,
    Standing,
    Token,
    TokenFile,
    digest,
    time_text,
)
from gitstore.errors import BadRequest, Exists, NotFound, TokensLost
from gitstore.format.layout import shown
from gitstore.format.spelling import did_you_mean

PREFIX = "jtr_"
"""Begins every token, so that secret scanners recognize it."""


def _end(now: datetime, lasts: timedelta | None) -> str | None:
    return None if lasts is None else time_text(now + lasts)


def _missing(name: str, rows: Iterable[Token]) -> NotFound:
    """The error for a *name* that none of the tokens *rows* has."""
    near = did_you_mean(name, (row.name for row in rows))
    return NotFound(f"there is no token {name}{near or '; see jobtypes token list'}")


def _require_valid(name: str, email: str, only: Sequence[str]) -> None:
    """Raise BadRequest unless a new token can have these."""
    if not NAME.fullmatch(name):
        raise BadRequest(
            f"{shown(name)!r} can't be a token's name; write letters, digits, space and . _ + -, up"
            " to 64, and begin and end with one of the first two",
            "name",
        )
    if not EMAIL.fullmatch(email) or len(email) > EMAIL_LIMIT:
        raise BadRequest(f"{shown(email)!r} is no mail address", "email")
    if len(only) > PATTERNS_LIMIT:
        raise BadRequest(
            f"{len(only)} patterns are too many; {PATTERNS_LIMIT} is the limit", "only"
        )
    for pattern in only:
        if not PATTERN.fullmatch(pattern) or len(pattern) > PATTERN_LIMIT:
            raise BadRequest(
                f"{shown(pattern)!r} matches no jobtype; write a name or a pattern like"
                " Nuke*, one for each --only",
                "only",
            )


class Tokens:
    """The tokens of one repository.

    Their file is in the repository's folder but on no ref, so no clone has it.
    """

    def __init__(self, git_dir: Path) -> None:
        self._file = TokenFile(git_dir)

    @property
    def standing(self) -> Standing:
        """The state of the tokens now."""
        return self._file.standing

    def rows(self) -> tuple[Token, ...]:
        """The tokens, oldest first.

        Raises:
            TokensLost: they can't be read.
        """
        standing = self.standing
        if standing.lost:
            raise TokensLost(standing.lost)
        return standing.rows or ()

    def create(
        self,
        name: str,
        role: Role,
        email: str | None,
        only: tuple[str, ...],
        lasts: timedelta | None = None,
    ) -> str:
        """A new token's secret, which is kept nowhere. It ends after *lasts*; None for never.

        *email* None stands for NAME@localhost.

        Raises:
            BadRequest: there can't be such a token.
            Exists: there is a token of that name.
            TokensLost: the file of tokens can't be read; nothing replaces it.
        """
        email = email or f"{name.replace(' ', '.')}@localhost"
        _require_valid(name, email, only)
        secret = PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        row = Token(
            name=name,
            sha256=digest(secret),
            role=role.name.lower(),
            email=email,
            only=only,
            created=time_text(now),
            expires=_end(now, lasts),
        )
        with self._file.changing() as replace:
            # Without a file there is nothing left to lose.
            rows = self.rows() if self._file.is_there else ()
            if any(other.name == name for other in rows):
                raise Exists(
                    f"there is a token {name}; revoke it first, rotate it, or choose another name"
                )
            replace((*rows, row))
        return secret

    def rotate(self, name: str, overlap: timedelta, lasts: timedelta | None = None) -> str:
        """The secret of another token of that name; the one before ends after *overlap*.

        The new one lasts as long as the one before was made for, unless *lasts* is given.

        Raises:
            NotFound: there is none.
            TokensLost: the file of tokens can't be read.
        """
        secret = PREFIX + secrets.token_urlsafe(32)
        now = datetime.now(UTC)
        with self._file.changing() as replace:
            rows = self.rows()
            own = [row for row in rows if row.name == name]
            if not own:
                raise _missing(name, rows)
            newest = own[-1]
            if lasts is None and newest.expires is not None:
                made = datetime.fromisoformat(newest.created)
                lasts = datetime.fromisoformat(newest.expires) - made
            changed = {
                "sha256": digest(secret),
                "created": time_text(now),
                "expires": _end(now, lasts),
            }
            fresh = newest.model_copy(update=changed)
            over = time_text(now + overlap)
            left = [
                row.model_copy(update={"expires": min(row.expires or over, over)})
                if row.name == name
                else row
                for row in rows
                if not (row.name == name and row.has_ended)
            ]
            replace((*left, fresh))
        return secret

    def revoke(self, name: str) -> None:
        """End the token of that name, from the next request on.

        After the last one, every write still needs a token, and nobody has one.

        Raises:
            NotFound: there is none.
            TokensLost: the file of tokens can't be read.
        """
        with self._file.changing() as replace:
            rows = self.rows()
            left = tuple(row for row in rows if row.name != name)
            if len(left) == len(rows):
                raise _missing(name, rows)
            replace(left)

    def turn_off(self) -> None:
        """Give up all tokens, lost ones too: everybody may write again."""
        with self._file.changing() as replace:
            replace(None)
