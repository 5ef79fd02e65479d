"""The service's settings: one frozen value, the same for every worker."""

from __future__ import annotations

import ipaddress
import tomllib
from dataclasses import dataclass, fields
from enum import StrEnum
from pathlib import Path

from api.logs import LogFormat
from gitstore import RULES, Checks, CodeChecks


class ConfigError(Exception):
    """A setting that is unknown or can't be as it is."""


class Writes(StrEnum):
    """What becomes of a REST write where the service follows an upstream."""

    PUSH = "push"
    REVIEW = "review"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Config:
    """What ``jobtypes serve`` was told. docs/settings.md describes each."""

    repo: Path
    branch: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 2
    threads: int = 16
    read_only: bool = False
    insecure_writes: bool = False
    read_needs_token: bool = False
    body_limit_bytes: int = 1024 * 1024
    push_limit_bytes: int = 50 * 1024 * 1024
    push_jobtypes_limit: int = 2000
    git_places: int = 4
    git_idle_s: int = 300
    git_limit_s: int = 3600
    housekeeping_s: int = 600
    protect: bool = False
    upstream: str | None = None
    writes: Writes = Writes.PUSH
    poll_s: int = 60
    fetch_limit_s: int = 30
    upstream_stale_s: int = 900
    webhook_secret: str | None = None
    log_format: LogFormat = LogFormat.PLAIN
    access_log: bool = True
    code_checks: CodeChecks = CodeChecks.STRICT
    ignore: tuple[str, ...] = ()
    agent_python27: bool = False

    @property
    def ref(self) -> str | None:
        """The served ref; None means the branch that HEAD names."""
        return None if self.branch is None else f"refs/heads/{self.branch}"

    @property
    def checks(self) -> Checks:
        """What the validator is asked for."""
        return make_checks(self.code_checks, self.ignore, self.agent_python27)

    def refuse_open_writes(self, has_tokens: bool) -> None:
        """Refuse to accept writes from other machines, where nobody can be told apart.

        Raises:
            ConfigError: it is bound beyond loopback without tokens or a word on writes.
        """
        told = has_tokens or self.read_only or self.insecure_writes
        if not (told or is_loopback(self.host)):
            raise ConfigError(
                f"{self.host} can be reached from other machines, and whoever reaches the"
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
            raise ConfigError(f"there is no rule {rule}; the rules are {', '.join(RULES)}")
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
        ConfigError: it can't be read, or holds an unknown setting.
    """
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} can't be read: {error}") from None
    known = {field.name for field in fields(Config)}
    for name in settings:
        if name not in known:
            raise ConfigError(
                f"{path}: there is no setting {name}; the settings are {', '.join(sorted(known))}"
            )
    return settings
