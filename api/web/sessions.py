"""Sessions of browsers: a signed cookie that stands for a token, and the tokens of forms.

A session holds no right of its own: each request looks its token up again, so a session ends
with it. Without the key, which is a file in the repository's folder, no session is valid. Only
browsers have this module imported.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from flask import Response, after_this_request, g, request
from itsdangerous import BadData, URLSafeTimedSerializer

from api.web.parts import parts
from gitstore.errors import Forbidden, StorageFailed, machine_error
from gitstore.git.locks import file_lock
from gitstore.git.private_file import write_private

_LOG = logging.getLogger(__name__)

FILE = "jobtypes/session.key"
"""The key's path in the repository's folder."""

SESSION_S = 12 * 3600
"""How long a session lasts: a long day's work."""

FIELD = "csrf"
"""The field that every form has: it proves that a page of ours made the form."""

_KEY_BYTES = 32
_SALT = "jobtypes session"


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's session. *token* is the fingerprint of its token, empty if nobody logged in."""

    id: str
    token: str = ""


class SessionLost(Forbidden):
    """A form of no session, or of another one: the key is gone, or somebody logged in or out."""


# The key


def read_key(git_dir: Path) -> bytes | None:
    """The key of the repository at *git_dir*, None where there is none that only we know."""
    try:
        with (git_dir / FILE).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            key = file.read(_KEY_BYTES + 1)
    except OSError:
        return None
    is_ours = stat.S_ISREG(mode) and not mode & (stat.S_IRWXG | stat.S_IRWXO)
    return key if is_ours and len(key) == _KEY_BYTES else None


def _make_key(git_dir: Path) -> bytes:
    """A key, made now, or by another worker a moment ago.

    Raises:
        StorageFailed: the disk would not take it.
    """
    path = git_dir / FILE
    try:
        with file_lock(path.with_suffix(".lock")):
            if (key := read_key(git_dir)) is not None:
                return key
            if path.exists():
                _LOG.warning("%s is not as we make it; everybody has to log in again", path)
            key = secrets.token_bytes(_KEY_BYTES)
            write_private(path, key)
    except OSError as error:
        raise (machine_error(error) or error) from error
    return key


def _key() -> bytes:
    """The key of this request's service, made if it is missing."""
    git_dir = parts().store.repository.git_dir
    return read_key(git_dir) or _make_key(git_dir)


# The cookie


def _serializer(key: bytes) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(key, _SALT, signer_kwargs={"digest_method": hashlib.sha256})


def _cookie_name(key: bytes) -> str:
    """The cookie's name: services at other ports of a host have others."""
    return f"jobtypes-{hashlib.sha256(b'name ' + key).hexdigest()[:12]}"


def find_session() -> Session | None:
    """The session of this request, None if it has none that is valid."""
    if "session" not in g:
        key = read_key(parts().store.repository.git_dir)
        g.session = _read(key) if key else None
    session: Session | None = g.session
    return session


def _read(key: bytes) -> Session | None:
    cookie = request.cookies.get(_cookie_name(key))
    if cookie is None:
        return None
    try:
        id, token = _serializer(key).loads(cookie, max_age=SESSION_S)
    except (BadData, ValueError, TypeError):
        return None
    return Session(id, token) if isinstance(id, str) and isinstance(token, str) else None


def begin(token: str = "") -> Session:
    """A new session for the token of that fingerprint, which this response's cookie begins.

    Its id is always new: nobody can know the id of another person's session beforehand.
    """
    session = g.session = Session(secrets.token_urlsafe(18), token)
    key = _key()
    _set_cookie(_cookie_name(key), _serializer(key).dumps([session.id, session.token]))
    return session


def end() -> None:
    """Have the browser forget its session."""
    g.session = None
    key = read_key(parts().store.repository.git_dir)
    if key is not None:
        _set_cookie(_cookie_name(key), "", 0)


def _set_cookie(name: str, value: str, max_age: int = SESSION_S) -> None:
    public = parts().public_url
    # Behind TLS, only the settings and the browser know of it.
    is_secure = request.headers.get("Origin", str(public or "")).startswith("https:")

    @after_this_request
    def set_cookie(response: Response) -> Response:
        response.set_cookie(
            name,
            value,
            max_age=max_age,
            path=f"{public.prefix if public else ''}/",
            secure=is_secure,
            httponly=True,
            # Strict would keep it from links in mails and chats, whose pages would then begin
            # another session. GET changes nothing, and a POST needs the proof of its form.
            samesite="Lax",
        )
        return response


# Forms


def form_token() -> str:
    """What a form of this response has to bear in FIELD; a session begins if there is none.

    It is empty where no session can begin: on a disk that fails, people can still read.
    """
    if "form_token" not in g:
        after_this_request(_private)
        try:
            g.form_token = _form_token(find_session() or begin())
        except StorageFailed:
            g.form_token = ""
    token: str = g.form_token
    return token


def _form_token(session: Session) -> str:
    return hmac.new(_key(), f"form {session.id}".encode(), hashlib.sha256).hexdigest()


def require_own_form(token: str) -> None:
    """Raise unless *token*, of a form that was sent, belongs to the sender's session.

    Raises:
        SessionLost: it doesn't.
    """
    session = find_session()
    if session is None or not hmac.compare_digest(_form_token(session).encode(), token.encode()):
        raise SessionLost(
            "this form is of another session, or too old; look at it again and send it again"
        )


def _private(response: Response) -> Response:
    """*response*, which no cache may give to anybody else."""
    response.headers["Cache-Control"] = "no-store"
    response.vary.add("Cookie")
    return response
