"""Tokens as JSON: the bodies of their routes, without flask, for REST and for the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from api.rest.models import Answer, Time
from api.rest.payloads import Payload
from gitstore.branch.tokens import Tokens
from gitstore.branch.tokens_file import Token
from gitstore.format.schema import INTEGER_LIMIT, Model, Text

Seconds = Annotated[int, Field(ge=1, le=INTEGER_LIMIT)]

OVERLAP_S = 24 * 60 * 60
"""For how long a secret is good after a rotation, unless a caller asks for another time."""


class TokenBody(Model):
    """The body of a new token."""

    name: Text = Field(description="Who it is for; its commits name them as the author")
    role: Literal["read", "write", "admin"] = Field(description="What it may do")
    email: Text | None = Field(None, description="The author's address; null for NAME@localhost")
    only: Annotated[tuple[Text, ...], Field(strict=False)] = Field(
        (), description="Patterns of the jobtypes that it may change; empty for all"
    )
    lasts_s: Seconds | None = Field(None, description="Seconds until it ends; null for never")


class RotationBody(Model):
    """The body of a rotation."""

    overlap_s: Annotated[int, Field(ge=0, le=INTEGER_LIMIT)] = Field(
        OVERLAP_S, description="Seconds for which the secret before is good"
    )
    lasts_s: Seconds | None = Field(
        None, description="Seconds until the new one ends; null for as long as before"
    )


class TokenAnswer(Answer):
    """A token, without its secret."""

    name: str = Field(description="Who it is for")
    role: Literal["read", "write", "admin"] = Field(description="What it may do")
    only: tuple[str, ...] = Field(description="Patterns of the jobtypes that it may change")
    email: str = Field(description="The address of the author of its commits")
    created: str = Field(description="When it was made, in ISO 8601")
    expires: Time | None = Field(description="When it ends or ended, in ISO 8601; null for never")
    used: str | None = Field(description="The day of its last use; null if none is known")


class NewTokenAnswer(TokenAnswer):
    """A token that was just made, with its secret."""

    secret: str = Field(description="The token itself. It is kept nowhere, and is not shown again")


def new_token_payload(tokens: Tokens, secret: str) -> Payload:
    """The token of *secret*, which was just made in *tokens*."""
    token = tokens.standing.find_token(secret)
    assert token is not None
    return {**token_payload(token, {}), "secret": secret}


def token_payload(token: Token, days: Mapping[str, str]) -> Payload:
    """A token; *days* are those of the last uses, by fingerprint."""
    return {
        "name": token.name,
        "role": token.role,
        "only": list(token.only),
        "email": token.email,
        "created": token.created,
        "expires": token.expires,
        "used": days.get(token.fingerprint),
    }
