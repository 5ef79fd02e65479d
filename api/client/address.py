"""The address of a service, as people and clones write it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from pathlib import Path
from urllib.parse import quote

from api.config import GIT_PATH, PREFIX
from gitstore.errors import BadRequest
from gitstore.format.layout import shown
from gitstore.git.command import GitFailed, run_git
from gitstore.git.remote_url import RemoteUrl, parse_remote_url
from gitstore.git.repository import Repository

_LABEL = r"[\w~-]{1,63}"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ServiceUrl:
    """*base* is before every path of the service, without a name, password or last slash.

    *remote* is the whole URL of its repository, as Git and its credential helpers know it.
    """

    base: str
    remote: RemoteUrl


def _is_host(text: str) -> bool:
    """Whether *text* can be a host: a name, or an address."""
    if not text.startswith("["):
        return _NAME.fullmatch(text) is not None
    try:
        IPv6Address(text.strip("[]"))
    except ValueError:
        return False
    return True


def parse_service_url(text: str) -> ServiceUrl:
    """The service at *text*, which may end in the path of the API or of the repository.

    Raises:
        BadRequest: it is no address of a service.
    """
    url = parse_remote_url(text.strip())
    is_plain = re.fullmatch(r"[!-~]+", url.text) is not None and not set("?#\\") & set(url.text)
    port = int(url.port) if url.port.isdecimal() and len(url.port) < 6 else 0
    if (
        not (url.is_clear and is_plain and _is_host(url.host))
        or url.scheme not in ("http", "https")
        or not (port or not url.port)
        or port > 65535
    ):
        raise BadRequest(
            f"{shown(url.shown)!r} is no address of a service; write it as http://farm:8080, or"
            " https://jobtypes.studio.example/farm"
        )
    path = url.path.rstrip("/")
    for end in (PREFIX, GIT_PATH):
        path = path.removesuffix(end)
    path = path.rstrip("/")
    host = f"{url.host}:{port}" if port else url.host
    user = url.user if url.password is None else f"{url.user}:{url.password}"
    at = f"{user}@" if user else ""
    remote = parse_remote_url(f"{url.scheme}://{at}{host}{path}{GIT_PATH}")
    return ServiceUrl(f"{url.scheme}://{host}{quote(path, safe='/%~!$&+,;=:@')}", remote)


def quoted(text: str, safe: str = "") -> str:
    """*text*, which may have been any bytes on the command line, as it stands in a path."""
    return quote(text, safe=safe, errors="surrogateescape")


def find_origin(folder: Path) -> str | None:
    """The URL of the service that the clone around *folder* came from, None if there is none.

    A bare repository is what a service has itself, wherever it came from.

    Raises:
        NoRepository: the clone is another user's, whose settings lead nobody anywhere.
    """
    try:
        top, url = (
            run_git(folder, words).decode(errors="surrogateescape").rstrip("\n")
            for words in (("rev-parse", "--show-toplevel"), ("remote", "get-url", "origin"))
        )
    except (GitFailed, OSError):
        return None
    if not (re.match("https?://", url) and url.rstrip("/").endswith(GIT_PATH)):
        return None
    Repository(Path(top))  # It looks at the owner, as git does.
    return url
