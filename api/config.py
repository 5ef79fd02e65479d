"""The service's settings: one frozen value, the same for every worker."""

from __future__ import annotations

import ipaddress
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from pathlib import Path

from gitstore.checks.settings import Checks, CodeChecks
from gitstore.format.layout import (
    ALL_LIMIT_BYTES,
    CODE_LIMIT_BYTES,
    FILE_LIMIT_BYTES,
    JOBTYPES_LIMIT,
    YAML_LIMIT_BYTES,
)
from gitstore.format.spelling import did_you_mean
from gitstore.git.fsck import SETTING
from gitstore.rules import RULES

FETCH_WAITERS = 256
"""Reads of a worker that may wait for a fetch from upstream: all of a farm's agents may."""

PREVIEW_WAITERS = 8
"""Reads of a worker that may wait for a preview, which an agent or a few try.

Each has a thread, which the server also gives to others where many come at once. The more
there are, the more memory they take, and the longer each waits for the interpreter's lock.
"""

EVENT_WAITERS = 16
"""Requests of a worker that may wait for events. A client that comes when all places are taken
gets its answer at once."""

SECONDS_LIMIT = 2_000_000
"""The longest time that a setting can be, 23 days: in milliseconds, it fits into 32 bits."""

BYTES_LIMIT = 2**40
"""The largest size that a setting can be."""

PREFIX = "/api/v1"
"""Where the API's paths begin."""

GIT_PATH = "/jobtypes.git"
"""Where Git's clients find the repository."""


class ConfigError(Exception):
    """A setting that is unknown or can't be as it is."""


class LogFormat(StrEnum):
    """How log lines are written: for people, or as JSON for a collector."""

    PLAIN = "plain"
    JSON = "json"


class Writes(StrEnum):
    """What becomes of a REST write where the service follows an upstream."""

    PUSH = "push"
    REVIEW = "review"
    OFF = "off"


_URL = re.compile(
    r"(https?)://([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?"
    r"((?:/[a-z0-9_~-][a-z0-9._~-]*)*)/?",
    re.IGNORECASE,
)
"""Scheme, host, port, path. No segment of the path begins with a dot."""

_PORTS = {"http": 80, "https": 443}
"""The ports that browsers and clients leave out."""


@dataclass(frozen=True, slots=True)
class PublicUrl:
    """A scheme, a host in lower case, a port that is not the scheme's own, and a path.

    *prefix* is the path below which the service is reached, without a slash at its end; empty
    for the root.
    """

    scheme: str
    host: str
    port: int | None
    prefix: str

    @property
    def origin(self) -> str:
        """The URL without its path, as browsers write an origin."""
        return f"{self.scheme}://{self.host}" + (f":{self.port}" if self.port else "")

    def __str__(self) -> str:
        return self.origin + self.prefix


def parse_public_url(text: str) -> PublicUrl:
    """The URL that *text* is.

    Raises:
        ValueError: it is none, or has more than a scheme, a host, a port and a path.
    """
    match = _URL.fullmatch(text)
    if match is None or int(match[3] or 1) not in range(1, 65536):
        raise ValueError(
            "it must be like https://jobtypes.studio.example:8443/farm, with a port and a path"
            " where they are needed, in ASCII, and without a user, a query or a fragment"
        )
    scheme = match[1].lower()
    port = int(match[3]) if match[3] else None
    return PublicUrl(scheme, match[2].lower(), None if port == _PORTS[scheme] else port, match[4])


def parse_origin(text: str) -> PublicUrl | None:
    """What the header Origin says, None where that is no origin (``null``)."""
    try:
        origin = parse_public_url(text)
    except ValueError:
        return None
    return None if origin.prefix or text.endswith("/") else origin


@dataclass(frozen=True, slots=True)
class Config:
    """What ``jobtypes serve`` was told. docs/settings.md describes each."""

    repo: Path
    branch: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str | None = None
    workers: int = 2
    threads: int = 12
    connections: int = 1024
    connection_idle_s: int = 30
    answer_idle_s: int = 30
    read_only: bool = False
    insecure_writes: bool = False
    read_needs_token: bool = False
    cors_origins: tuple[str, ...] = ()
    body_limit_bytes: int = 1024 * 1024
    body_limit_s: int = 60
    code_limit_bytes: int = CODE_LIMIT_BYTES
    meta_limit_bytes: int = YAML_LIMIT_BYTES
    push_limit_bytes: int = 50 * 1024 * 1024
    push_jobtypes_limit: int = JOBTYPES_LIMIT
    push_refs_limit: int = 100
    file_limit_bytes: int = FILE_LIMIT_BYTES
    tree_limit_bytes: int = ALL_LIMIT_BYTES
    write_places: int = 8
    write_limit_s: int = 30
    review_places: int = 4
    git_places: int = 4
    file_places: int = 4
    git_idle_s: int = 300
    git_limit_s: int = 3600
    housekeeping_s: int = 600
    protect: bool = False
    require_approvals: int = 0
    mirror: str | None = None
    mirror_wait_s: float = 1.0
    upstream: str | None = None
    writes: Writes = Writes.PUSH
    poll_s: int = 60
    fetch_limit_s: int = 60
    fetch_pause_s: int = 2
    fetch_fsck: tuple[str, ...] = ()
    upstream_stale_s: int = 900
    webhook_secret: str | None = None
    log_format: LogFormat = LogFormat.PLAIN
    access_log: bool = True
    hot_bytes: int = 40 * 1024 * 1024
    hot_path: bool = True
    code_checks: CodeChecks = CodeChecks.STRICT
    ignore: tuple[str, ...] = ()
    agent_python27: bool = False

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str) and not value.strip():
                raise ConfigError(f"{field.name} is empty; give it a value, or leave it out")
        _ = self.public
        secret = self.webhook_secret or ""
        if not (secret.isascii() and secret.isprintable()):
            raise ConfigError(
                "webhook_secret has other characters than printable ASCII, which not every forge"
                " sends as they are; choose another secret, and give it to the forge, too"
            )
        if self.require_approvals and not self.protect:
            raise ConfigError("require_approvals needs protect: else the branch needs no merge")
        if self.require_approvals and self.upstream is not None:
            raise ConfigError(
                "require_approvals is for changes that are merged here; with an upstream, its"
                " forge requires approvals"
            )
        for word in self.fetch_fsck:
            if SETTING.fullmatch(word) is None:
                raise ConfigError(
                    f"fetch_fsck is {word!r}; write it as badTree=warn: a fault that Git's"
                    " fsck names, and ignore, warn or error"
                )
        for origin in self.cors_origins:
            if parse_origin(origin) is None:
                raise ConfigError(
                    f"cors_origins has {origin!r}; write an origin as browsers do, like"
                    " https://dashboard.studio.example, with a port where it is needed"
                )

    @property
    def public(self) -> PublicUrl | None:
        """The URL that clients reach the service at, where it was said.

        Raises:
            ConfigError: what was said is no such URL.
        """
        if self.public_url is None:
            return None
        try:
            return parse_public_url(self.public_url)
        except ValueError as error:
            raise ConfigError(f"public_url is {self.public_url!r}; {error}") from None

    @property
    def proposes_writes(self) -> bool:
        """Whether a REST write becomes a branch of the upstream, for review."""
        return self.upstream is not None and self.writes is Writes.REVIEW

    @property
    def ref(self) -> str | None:
        """The served ref; None means the branch that HEAD names."""
        return None if self.branch is None else f"refs/heads/{self.branch}"

    @property
    def checks(self) -> Checks:
        """What the validator is asked for."""
        checks = make_checks(self.code_checks, self.ignore, self.agent_python27)
        return replace(
            checks,
            code_limit_bytes=self.code_limit_bytes,
            meta_limit_bytes=self.meta_limit_bytes,
            file_limit_bytes=self.file_limit_bytes,
            tree_limit_bytes=self.tree_limit_bytes,
        )

    @property
    def waiting_places(self) -> int:
        """How many reads of a worker may wait for a fetch from upstream at a time.

        Each has a thread of its own, which computes nothing: a farm may ask all at
        once for a version that this service has not heard of, and none may get a 404.
        """
        return 0 if self.upstream is None else FETCH_WAITERS

    @property
    def waiting_threads(self) -> int:
        """The additional threads, for reads that wait for a fetch, a preview or events."""
        return self.waiting_places + PREVIEW_WAITERS + EVENT_WAITERS

    @property
    def stuck_s(self) -> int:
        """How long no request takes, but for clones and pushes."""
        return max(300, 5 * self.fetch_limit_s, 2 * self.body_limit_s, 2 * self.write_limit_s)

    @property
    def places(self) -> int:
        """How many requests of a worker can have slots, whatever their kinds.

        A sixth of the threads is for reads alone.
        """
        return max(1, self.threads - max(1, self.threads // 6))

    @property
    def stuck_threads(self) -> int:
        """How many requests have to take ``stuck_s`` until a worker counts as hanging.

        Clones and pushes may take as long, but never hold so many threads.
        """
        git = min(self.git_places, self.places)
        return max(self.threads + self.waiting_threads - git, git + 1)

    @property
    def takes_writes(self) -> bool:
        """Whether anybody may write at all."""
        return not (self.read_only or (self.upstream is not None and self.writes is Writes.OFF))

    @property
    def needs_tokens(self) -> bool:
        """Whether, without tokens, others than this machine's users could write."""
        return self.takes_writes and not (self.insecure_writes or is_loopback(self.host))

    def refuse_open_writes(self, has_tokens: bool) -> None:
        """Refuse to accept writes from other machines, where nobody can be told apart.

        Raises:
            ConfigError: it is bound beyond loopback without tokens or a word on writes.
        """
        if self.needs_tokens and not has_tokens:
            raise ConfigError(
                f"{self.host} can be reached from other machines, and everyone who reaches the"
                " service could change what the farm runs. Make tokens (jobtypes token"
                " create), or start it with --read-only, or with --insecure-writes if the"
                " network itself keeps strangers out."
            )


def make_checks(code: CodeChecks, ignore: tuple[str, ...], python27: bool) -> Checks:
    """The validator's settings.

    Raises:
        ConfigError: a rule to ignore does not exist, or is not one that can be ignored.
    """
    for rule in ignore:
        if rule not in RULES:
            near = did_you_mean(rule, RULES) or f"; the rules are {', '.join(RULES)}"
            raise ConfigError(f"there is no rule {rule}{near}")
        if not rule.startswith("agent-"):
            raise ConfigError(f"the rule {rule} can't be ignored; only agent-... rules can")
    return Checks(code, frozenset(ignore), python27)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach *host*."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_config_file(path: Path) -> dict[str, object]:
    """The settings in a TOML file, by their names.

    Raises:
        ConfigError: it can't be read, or holds an unknown setting or one of another type.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from None
    known = {field.name: _kind(field.default) for field in fields(Config)}
    for name, value in settings.items():
        if name not in known:
            near = did_you_mean(name, known) or f"; the settings are {', '.join(sorted(known))}"
            raise ConfigError(f"{path}: there is no setting {name}{near}")
        kinds = (float, int) if known[name] is float else (known[name],)
        if type(value) not in kinds or not all(isinstance(v, str) for v in _items(value)):
            says = f"{name} is {value!r}; it must be {_KINDS[known[name]]}"
            raise ConfigError(f"{path}: {says}")
    return settings


_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a string",
    list: "a list of strings",
}
"""The types that settings have in a file."""


def _kind(default: object) -> type:
    """The type that a setting of that default has in a file."""
    if isinstance(default, tuple):
        return list
    return type(default) if isinstance(default, int | float) else str


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []
