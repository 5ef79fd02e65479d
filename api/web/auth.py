"""From a request to who sent it and what they may do: REST and Git alike."""

from __future__ import annotations

import logging
import shlex

from flask import Request, g, request

from api.config import Config
from api.web.browsers import Senders
from api.web.environ import PREVIEW_KEY, ROUTE_KEY, TOKEN_KEY
from api.web.sentences import ASKS
from gitstore.branch.access import EVERYBODY, Access, Role
from gitstore.branch.token_use import TokenUse
from gitstore.branch.tokens import Tokens
from gitstore.branch.tokens_file import Standing, fingerprint
from gitstore.errors import Forbidden, ReadOnly, TokensLost, Unauthorized
from gitstore.git.remote_url import parse_remote_url

_LOG = logging.getLogger(__name__)

BASIC = 'Basic realm="jobtypes"'
CHALLENGES = (BASIC, 'Bearer realm="jobtypes"')
"""What a 401 asks for; Git and browsers know the first."""

OPEN = ("health", "webhooks", "schemas")
"""Blueprints that need no token. Monitors have none, so health names the upstream, the master's
database, jobtypes and what is wrong with them, but shows no code and no secret. Schemas are the
same everywhere, and forges sign what they say."""

FORMS = "forms"
"""The blueprint of the pages with forms: only there, a session is enough for a POST."""

ACCOUNT = ("forms.login", "forms.logout")
"""The pages that a person needs before they can say who they are."""

READING = ("forms.whose", "blaming.Whose1")
"""What only asks for something by POST, as it may be too long for a URL."""

ASSETS = "assets"
"""The blueprint of style sheets and images, which tell nothing."""

SAFE = ("GET", "HEAD", "OPTIONS")
"""The methods that change nothing."""

RECEIVE_PACK = "git-receive-pack"
"""The one of Git's services that takes pushes."""

NOBODY = Access("a request that needs no token", "", Role.NOBODY)
"""Who sends what is OPEN."""

_GIVEN_UP = (
    "the tokens were given up while other machines reach the service; make new ones, or start it"
    " again with --insecure-writes or at 127.0.0.1"
)


class Gate:
    """Who may do what at one service."""

    def __init__(self, config: Config, tokens: Tokens, use: TokenUse) -> None:
        self._closed = _closed(config)
        self._senders = Senders(config)
        self._needs_tokens = config.needs_tokens
        self._read_needs_token = config.read_needs_token
        self._tokens = tokens
        self._told = ""
        self._use = use

    def admit(self, request: Request, role: Role) -> Access:
        """What the sender of *request* may do, if they may do what needs *role*.

        The tokens are looked at once: a file that changes meanwhile can't give half of each
        answer. Webhooks come from other machines, through proxies, and are signed instead.

        Raises:
            Forbidden: a web page sent it; or, without tokens, another machine; or the token
                does not do.
            Unauthorized: a token is missing or unknown.
            ReadOnly: nobody may write here.
            TokensLost: nobody may write until somebody has looked after the tokens.
        """
        standing = self._tokens.standing
        is_open = request.blueprint in OPEN
        if changes_something(request):
            self._senders.require_own_page(request.environ)
            if not (is_open or standing.exist or request.endpoint in READING):
                self._senders.require_this_machine(request.environ)
        if is_open:
            return NOBODY
        lost = self._why_lost(standing)
        access = self._identify(request, standing, lost)
        self._require(access, role, lost)
        return access

    def _identify(self, request: Request, standing: Standing, lost: str) -> Access:
        """What the sender of *request* may do, at the least."""
        role = Role.NOBODY if self._read_needs_token else Role.READ
        if lost:
            return Access("a request while the tokens are lost", "", role)
        secret = _secret(request)
        if secret is None:
            if standing.rows is None:
                return EVERYBODY
            by_session = self._identify_by_session(request, standing)
            return by_session or Access("a request without a token", "", role)
        access = standing.find(secret)
        if access is None:
            raise Unauthorized(unknown_token(standing, secret))
        if access is not EVERYBODY:
            self._use.note(fingerprint(secret))
        return access

    def _identify_by_session(self, request: Request, standing: Standing) -> Access | None:
        """What the session of a browser lets the sender of *request* do; None without a session.

        A session changes something by our own forms alone, which prove that they are ours.
        """
        if "HTTP_COOKIE" not in request.environ:
            return None
        if changes_something(request) and request.blueprint != FORMS:
            return None
        from api.web.sessions import find_session

        session = find_session()
        access = standing.find_fingerprint(session.token) if session and session.token else None
        if session and access:
            self._use.note(session.token)
        return access

    def _why_lost(self, standing: Standing) -> str:
        """Why the service can't identify senders although it needs tokens; empty if it can."""
        lost = standing.lost
        if not lost and standing.rows is None and self._needs_tokens:
            lost = _GIVEN_UP
        if lost != self._told:
            self._told = lost
            if lost:
                _LOG.error("nobody may write: %s", lost)
            else:
                _LOG.warning("the tokens can be read again")
        return lost

    def _require(self, access: Access, role: Role, lost: str) -> None:
        """Raise unless *access* has at least *role*."""
        if role >= Role.WRITE and self._closed:
            raise ReadOnly(self._closed)
        if role >= Role.WRITE and lost:
            raise TokensLost(f"nobody may write: {lost}")
        if access.role >= role:
            return
        what = "reading" if role is Role.READ else "writing"
        if lost:
            raise Unauthorized(f"{what} needs a token, and {lost}")
        if not access.email:
            raise Unauthorized(f"{what} needs a token; {ASKS}")
        needs = role.name.lower()
        raise Forbidden(f"{what} needs a token with the role {needs}; {access.name} has less")


def unknown_token(standing: Standing, secret: str) -> str:
    """Why the token of that *secret* does not do, which nobody may use."""
    token = standing.find_token(secret)
    if token is None or token.expires is None:
        return f"this token is not known, or was revoked; {ASKS}"
    day = token.expires.partition("T")[0]
    return (
        f"the token {token.name} ended on {day}; ask for another one, which an operator makes"
        f" with jobtypes token rotate {shlex.quote(token.name)}"
    )


def _closed(config: Config) -> str | None:
    """Why nobody may write; None if everyone who may write can."""
    if config.takes_writes:
        return None
    what = "is read-only" if config.read_only else "takes no writes"
    if config.upstream is None:
        return f"this service {what}"
    upstream = parse_remote_url(config.upstream).shown
    return f"this service {what}; push to its upstream, {upstream}"


def _secret(request: Request) -> str | None:
    """The token in the Authorization header, None where there is none."""
    if "HTTP_AUTHORIZATION" not in request.environ:
        return None
    try:
        header = request.authorization
    except ValueError:
        # What follows Basic is not even ASCII, which Werkzeug does not foresee.
        return ""
    if header is None:
        return ""
    if header.type == "basic":
        return header.password or header.username or ""
    return header.token or ""


def require_sender(gate: Gate) -> None:
    """Raise unless the sender of this request may do what its method does."""
    request = this_request()
    environ, rule = request.environ, request.url_rule
    environ[ROUTE_KEY] = rule.rule if rule else ""
    access = g.access = gate.admit(request, _role(request))
    if access.email and access is not EVERYBODY:
        environ[TOKEN_KEY] = access.name


def this_request() -> Request:
    """The current request itself, not Flask's proxy for it.

    For callers that ask it several things: a proxy looks it up each time.
    """
    current: Request = request._get_current_object()  # type: ignore[attr-defined]  # as Flask says
    return current


def _role(request: Request) -> Role:
    """The role that *request* needs, as far as its address and method tell.

    A preview takes no writes, and an address that is none takes nothing: their 405 and 404
    are for everybody.
    """
    if request.endpoint in ACCOUNT or request.blueprint == ASSETS:
        return Role.NOBODY
    if request.endpoint in READING:
        return Role.READ
    is_nowhere = request.url_rule is None or PREVIEW_KEY in request.environ
    return Role.WRITE if changes_something(request) and not is_nowhere else Role.READ


def changes_something(request: Request) -> bool:
    """Whether *request* is one that may change something.

    Of Git's two services one only reads, by POST; of the other, the question for its refs is
    the beginning of a push.
    """
    if request.blueprint == "git":
        named = request.args.get("service"), (request.view_args or {}).get("name")
        return RECEIVE_PACK in named
    return request.method not in SAFE


def current() -> Access:
    """What the sender of this request may do."""
    access = g.access
    assert isinstance(access, Access)
    return access
