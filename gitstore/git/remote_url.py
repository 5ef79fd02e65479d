"""The URL of another repository, as Git reads it, and which parts of it are secret.

Secret are passwords, and what stands alone in the place of a user over HTTP, which may be a
token. The user of SSH is none: it is ``git`` nearly everywhere.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from gitstore.errors import NotFound

_HIDDEN = "***"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.IGNORECASE | re.DOTALL)
_AUTHORITY = re.compile(
    r"(?:(?P<user>[^:/@]*)(?P<colon>:(?P<password>[^/@]*))?@)?"
    r"(?P<host>\[[^\]/]*\]|[^:/@]*)(?::(?P<port>\d*))?(?P<path>/.*)?",
    re.DOTALL,
)
_SHORT = re.compile(
    r"(?:(?P<user>[^:/@]+)@)?(?P<host>\[[^\]/]+\]|[^:/\[\]]+):(?P<path>.*)", re.DOTALL
)
"""SSH's short form, ``git@host:path``, which has no place for a password."""
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")
_SSH = ("ssh", "git+ssh")
_SSH_ALONE = re.compile(r"^(?:alt)?ssh\.(?=git|bitbucket)")
"""How the names of hosts begin at which large forges take SSH alone."""
_USER_IN_TEXT = re.compile(r"(?<=://)[^/@\s'\"]+(?=@)")

_UNCLEAR = re.compile(
    r"""
      (?:https?|ssh|git|ftps?):/(?!/)       # one slash is missing
    | \w[\w+.-]*::                          # a remote helper's address
    | [^/@:]+:[^/@]*@[^/]*:                 # a password, for which SSH's short form has no place
    | [^/:]+://[^/?#]*[\s"@\[\]][^/?#]*@     # what ends a name or a password, within one
    | [^/:]+://(?!(?:[\w.-]*|\[[\w:.]+\])(?::\d*)?/)[^/?#@]*[/?#].*@
    """,
    re.VERBOSE,
)
"""URLs of which it can't be told where a password in them ends, so that parts might show."""


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """The URL *text*: for a path, *scheme* is empty; for SSH's short form, it is ``ssh``."""

    text: str
    scheme: str = ""
    user: str = ""
    password: str | None = None
    host: str = ""
    port: str = ""
    path: str = ""
    is_clear: bool = True

    @property
    def shown(self) -> str:
        """The URL as everybody may see it."""
        return self.scrub(self.text)

    @property
    def web(self) -> str | None:
        """The address of the repository's page, if a forge has one at the same host."""
        is_ssh = self.scheme in _SSH
        if not (is_ssh or self.scheme in ("http", "https")) or not self.host:
            return None
        host = _SSH_ALONE.sub("", self.host) if is_ssh else self.host
        port = f":{self.port}" if self.port and not is_ssh else ""
        path = self.path.strip("/").removesuffix(".git")
        return f"https://{host}{port}/{quote(path, safe='/%~')}"

    def scrub(self, text: str) -> str:
        """*text*, which Git said of this URL perhaps, without what is secret in it or in others."""
        if self.password or self._is_suspect:
            text = _replaced(text, self.password or _suspected(self.text), r"{}")
        elif self.scheme not in _SSH:
            # It may be a name, which is short and may stand in other words.
            text = _replaced(text, self.user, r"(?<![\w./-]){}(?![\w/-])")
        return _USER_IN_TEXT.sub(_without_secret, text)

    @property
    def _is_suspect(self) -> bool:
        """Whether a part may be a password that Git does not take for one."""
        # bot:12/pass@host: the port could be the beginning of a password with a slash.
        return not self.is_clear or bool(self.port and not self.user and "@" in self.path)

    def require_clear(self) -> None:
        """Refuse what Git and we might read differently.

        Raises:
            NotFound: it can't be told what is secret in it, or it is no URL at all.
        """
        if self.text.startswith("-") or any(ord(c) < 32 for c in self.text):
            raise NotFound(f"{self.shown!r} is no URL or path of a repository")
        if not self.is_clear:
            raise NotFound(
                "the upstream's URL is not clear; write it as https://name:password@host/path, and"
                " percent-encode in name and password what is neither letter nor digit: / is %2F,"
                " @ is %40"
            )


def parse_remote_url(text: str) -> RemoteUrl:
    """The URL, or path, that *text* is to Git."""
    if _DRIVE.match(text) or os.path.isdir(text):
        return RemoteUrl(text, path=text)
    if _UNCLEAR.match(text):
        return RemoteUrl(text, is_clear=False)
    full = _SCHEME.fullmatch(text)
    match = _AUTHORITY.fullmatch(full[2]) if full else _SHORT.fullmatch(text)
    if match is None:
        return RemoteUrl(text, path=text)
    parts = match.groupdict(default="")
    host, port = parts["host"].lower(), parts.get("port", "")
    if not full and host.startswith("[") and host.count(":") == 1:
        # [host:port]:path, where SSH's short form has a port.
        host, _, port = host[1:-1].partition(":")
    password = parts["password"] if parts.get("colon") else None
    scheme = full[1].lower() if full else "ssh"
    return RemoteUrl(text, scheme, parts["user"], password, host, port, parts["path"])


def _without_secret(match: re.Match[str]) -> str:
    """What stands for a user and a password that *match* found before a host."""
    user, colon, _ = match[0].partition(":")
    scheme = match.string[max(0, match.start() - 10) : match.start() - len("://")]
    if not scheme.lower().endswith("ssh"):
        return _HIDDEN
    return f"{user}:{_HIDDEN}" if colon else user


def _replaced(text: str, secret: str, pattern: str) -> str:
    """*text* with three asterisks for *secret*, in clear and as it stands in a URL."""
    for form in {secret, unquote(secret), quote(unquote(secret), safe="")} - {"", _HIDDEN}:
        text = re.sub(pattern.format(re.escape(form)), _HIDDEN, text)
    return text


def _suspected(url: str) -> str:
    """What *url*, which is not clear, bears before its last @: a password, or a name alone."""
    before = url.rpartition("@")[0]
    _, slashes, rest = before.partition("://")
    _, colon, password = (rest if slashes else before).partition(":")
    return password if colon else rest
