"""Logging in with a token, logging out, and what a person may do."""

from __future__ import annotations

from flask import Response, request, url_for

from api.pages.forms import own_path, read_form, see_other
from api.pages.rendering import page
from api.web import auth, sessions
from api.web.parts import store
from gitstore.branch.access import EVERYBODY, Role
from gitstore.branch.token_use import TokenUse
from gitstore.branch.tokens import Tokens
from gitstore.branch.tokens_file import fingerprint
from gitstore.errors import TokensLost

MAY: dict[Role, str] = {
    Role.READ: "read",
    Role.WRITE: "read, write, comment on changes, approve and merge them",
    Role.ADMIN: "do everything",
}


def login() -> Response:
    """Ask for a token, and begin a session for it."""
    to = own_path(request.args.get("next", ""))
    if request.method != "POST":
        if is_logged_in() and "next" in request.args:
            return see_other(to)
        return _login_page(to)
    form = read_form()
    to = own_path(form.get("next", ""))
    secret = form.get("token", "").strip()
    standing = Tokens(store().repository.git_dir).standing
    if standing.lost:
        raise TokensLost(f"nobody can log in: {standing.lost}")
    if standing.rows is None or not standing.find(secret):
        problem = "" if standing.rows is None else auth.unknown_token(standing, secret)
        return _login_page(to, problem)
    TokenUse(store().repository.git_dir).note(fingerprint(secret))
    sessions.begin(fingerprint(secret))
    return see_other(to)


def _login_page(to: str, problem: str = "") -> Response:
    return page(
        "login.html",
        status=401 if problem else 200,
        to=to,
        problem=problem,
        needs=not is_open(),
        access=auth.current(),
    )


def logout() -> Response:
    """End the session of this browser."""
    read_form()
    sessions.end()
    return see_other(url_for("pages.overview"))


def me() -> Response:
    """Show who the sender is, and what they may do."""
    access = auth.current()
    if not is_open() and not access.email:
        return see_other(url_for("forms.login", next=url_for("forms.me")))
    return page("me.html", access=access, may=MAY.get(access.role, "nothing"), is_open=is_open())


def is_open() -> bool:
    """Whether nobody needs to log in here."""
    return auth.current() is EVERYBODY


def is_logged_in() -> bool:
    """Whether this browser has a session with a token that is known."""
    session = sessions.find_session()
    return bool(session and session.token and auth.current().email)
