"""From a request to who sent it and what he may do: REST and Git alike."""

from __future__ import annotations

from flask import Flask, Request, current_app, g, request

from api.config import Config, Writes
from api.tokens import Tokens
from gitstore import Forbidden, ReadOnly, Unauthorized
from gitstore.access import EVERYBODY, Access, Role
from gitstore.upstream import scrub

CHALLENGES = ('Basic realm="jobtypes"', 'Bearer realm="jobtypes"')
"""What a 401 asks for; Git and browsers know the first."""

ROUTE_KEY = "jobtypes.route"
TOKEN_KEY = "jobtypes.token"
"""Where in WSGI's environment a request's route and token's name stand, for the log."""

PREVIEW_KEY = "jobtypes.preview"
"""Where the change stands that a request wants to see as if it were merged."""

OPEN = ("health", "webhooks")
"""Blueprints that need no token: health tells nothing, and forges sign what they say."""

SAFE = ("GET", "HEAD", "OPTIONS")
"""The methods that change nothing."""

_ASKS = "send a token, as Authorization: Bearer jtr_... or as the password of Basic"


class Gate:
    """What one service lets whom do."""

    def __init__(self, config: Config, tokens: Tokens) -> None:
        self._closed = _closed(config)
        self._read_needs_token = config.read_needs_token
        self._tokens = tokens

    def access(self, request: Request) -> Access:
        """What whoever sent *request* may do, at the least.

        Raises:
            Unauthorized: it bears a token that is not known.
        """
        secret = _secret(request)
        if secret is None:
            if not self._tokens.exist:
                return EVERYBODY
            role = Role.NOBODY if self._read_needs_token else Role.READ
            return Access("a request without a token", "", role)
        found = self._tokens.find(secret)
        if found is None:
            raise Unauthorized(f"this token is not known, or was revoked; {_ASKS}")
        return found

    def require(self, access: Access, role: Role) -> None:
        """Refuse whom *access* gives less than *role*.

        Raises:
            Unauthorized: a token would help.
            Forbidden: the token there is does not do.
            ReadOnly: nobody may write here.
        """
        if role >= Role.WRITE and self._closed:
            raise ReadOnly(self._closed)
        if access.role >= role:
            return
        what = "reading" if role is Role.READ else "writing"
        if not access.email:
            raise Unauthorized(f"{what} needs a token; {_ASKS}")
        needs = role.name.lower()
        raise Forbidden(f"{what} needs a token with the role {needs}; {access.name} has less")


def _closed(config: Config) -> str | None:
    """Why nobody may write, None if writing is open to whoever may."""
    if not (config.read_only or (config.upstream and config.writes is Writes.OFF)):
        return None
    what = "is read-only" if config.read_only else "takes no writes"
    if config.upstream is None:
        return f"this service {what}"
    return f"this service {what}; push to its upstream, {scrub(config.upstream, config.upstream)}"


def _secret(request: Request) -> str | None:
    """The token in the Authorization header, None where there is none."""
    if "HTTP_AUTHORIZATION" not in request.environ:
        return None
    try:
        given = request.authorization
    except ValueError:
        # What follows Basic is not even ASCII, which Werkzeug does not foresee.
        return ""
    if given is None:
        return ""
    if given.type == "basic":
        return given.password or given.username or ""
    return given.token or ""


def install(app: Flask, gate: Gate) -> None:
    """Ask of every request of *app* that its sender may do what its method does.

    That comes before all else: of who may not write, no body is read.
    """
    app.extensions["gate"] = gate

    def identify() -> None:
        request = this_request()
        environ, rule = request.environ, request.url_rule
        environ[ROUTE_KEY] = rule.rule if rule else ""
        if request.blueprint not in OPEN:
            access = g.access = gate.access(request)
            if access.email and access is not EVERYBODY:
                environ[TOKEN_KEY] = access.name
            gate.require(access, _role(request))

    app.before_request(identify)


def this_request() -> Request:
    """The request that is answered now, itself and no proxy.

    Whoever asks more than one thing of it asks so: a proxy looks for it each time anew.
    """
    found: Request = request._get_current_object()  # type: ignore[attr-defined]  # as Flask says
    return found


def _role(request: Request) -> Role:
    """What whoever sends *request* must be, as far as its address and method tell.

    Git's two services say so themselves. A preview takes no writes, and an address that is
    none takes nothing: their 405 and 404 are for everybody.
    """
    if request.method in SAFE or request.url_rule is None:
        return Role.READ
    is_asked_later = request.blueprint == "git" or PREVIEW_KEY in request.environ
    return Role.READ if is_asked_later else Role.WRITE


def gate() -> Gate:
    """The gate of the application that answers this request."""
    found = current_app.extensions["gate"]
    assert isinstance(found, Gate)
    return found


def current() -> Access:
    """What whoever sent this request may do."""
    access = g.access
    assert isinstance(access, Access)
    return access
