"""Tokens over HTTP: an admin lists, makes, rotates and revokes them.

The first token is made on the service's machine. Until then everybody there is an admin, and a
token would lock them out. A session is not enough: a page of ours has no use for tokens.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import ClassVar

from flask import Blueprint, Response, request

from api.rest.token_models import (
    NewTokenAnswer,
    RotationBody,
    TokenAnswer,
    TokenBody,
    new_token_payload,
    token_payload,
)
from api.web import auth
from api.web.bodies import read_body, read_optional_body
from api.web.parts import require_served, store
from api.web.query import Query
from api.web.resource import Operation, Resource, Routes, add_routes
from api.web.responses import deleted, ok, written
from api.web.sentences import ASKS
from gitstore.branch.access import EVERYBODY, Access, Role
from gitstore.branch.token_use import TokenUse
from gitstore.branch.tokens import Tokens
from gitstore.errors import Forbidden, TokensLost, Unauthorized
from gitstore.format.layout import escaped

_LOG = logging.getLogger(__name__)

blueprint = Blueprint("tokens", __name__)

_NO_STORE = "no-store"


def _admitted() -> tuple[Tokens, Access]:
    """The tokens, and the admin who sent this request.

    Raises:
        Unauthorized: it has no token.
        Forbidden: the token does not do, or the service has none.
        TokensLost: the tokens can't be read.
    """
    require_served()
    tokens, access = Tokens(store().repository.git_dir), auth.current()
    if tokens.standing.lost:
        raise TokensLost(tokens.standing.lost)
    if access is EVERYBODY:
        raise Forbidden(
            "this service has no tokens. Make the first one on its machine: jobtypes token create"
            " NAME --role admin --repo PATH"
        )
    if not access.email or "HTTP_AUTHORIZATION" not in request.environ:
        raise Unauthorized(f"tokens are for admins, and need a token themselves; {ASKS}")
    if access.is_limited:
        raise Forbidden(
            "tokens need a token with the role admin that is not limited to some jobtypes;"
            f" {access.name} has less"
        )
    return tokens, access


def _new(tokens: Tokens, secret: str) -> Response:
    """The response with the *secret* of a token that was just made."""
    response = written(new_token_payload(tokens, secret))
    response.headers["Cache-Control"] = _NO_STORE
    return response


class TokenList(Resource):
    """The tokens, for admins."""

    operations: ClassVar = {
        "get": Operation(list[TokenAnswer], query=Query),
        "post": Operation(NewTokenAnswer, (201,), (409,), takes=TokenBody, commits=False),
    }

    def get(self) -> Response:
        """List the tokens, oldest first, without their secrets."""
        tokens, _ = _admitted()
        days = TokenUse(store().repository.git_dir).days()
        return ok([token_payload(token, days) for token in tokens.rows()])

    def post(self) -> Response:
        """Make a token, and show its secret, this once."""
        tokens, access = _admitted()
        body = read_body(TokenBody)
        role, lasts = Role[body.role.upper()], _span(body.lasts_s)
        secret = tokens.create(body.name, role, body.email, body.only, lasts)
        _note("made", body.name, access)
        return _new(tokens, secret)


class OneToken(Resource):
    """One token, for admins."""

    operations: ClassVar = {"delete": Operation(status=(204,), errors=(404,), commits=False)}

    def delete(self, name: str) -> Response:
        """Make the token worthless, from the next request on."""
        tokens, access = _admitted()
        tokens.revoke(name)
        _note("revoked", name, access)
        return deleted()


class Rotation(Resource):
    """Another secret for a token, for admins."""

    operations: ClassVar = {
        "post": Operation(NewTokenAnswer, (201,), (404,), takes=RotationBody, commits=False),
    }

    def post(self, name: str) -> Response:
        """Make another secret for the token. Both are good for a while."""
        tokens, access = _admitted()
        body = read_optional_body(RotationBody)
        overlap = timedelta(seconds=body.overlap_s)
        secret = tokens.rotate(name, overlap, _span(body.lasts_s))
        _note("rotated", name, access)
        return _new(tokens, secret)


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def _note(deed: str, name: str, access: Access) -> None:
    """Log who did what with which token. The secret is nowhere."""
    _LOG.info("the token %s was %s by %s", escaped(name), deed, escaped(access.name))


ROUTES: Routes = (
    ("/tokens/", TokenList),
    ("/tokens/<slashed:name>", OneToken),
    ("/tokens/<slashed:name>/rotate", Rotation),
)
add_routes(blueprint, ROUTES)
