"""What ``jobtypes serve`` checks and prints before the service runs."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial

import click

from api.cli.opening import open_store
from api.cli.output import progress_bar
from api.config import Config, LogFormat, is_loopback
from api.server.address import check_address
from api.telemetry.build import build
from gitstore.branch.store import Store
from gitstore.branch.tokens import Tokens
from gitstore.branch.upstream import Upstream, open_follower
from gitstore.branch.upstream_state import state_file
from gitstore.errors import UpstreamFailed
from gitstore.git.command import require_git
from gitstore.git.remote_url import parse_remote_url
from gitstore.pyfarm.database import Database
from gitstore.pyfarm.state import forget_state

_LOG = logging.getLogger(__name__)

SECRET = ("webhook_secret", "mirror")
"""Settings that are secret, or have a password in a form that others choose."""

URLS = ("upstream",)
"""Settings that may have a password in them, which is hidden."""

FIRST_FETCH_LIMIT_S = 600
"""How long the first fetch may take, which may be a whole clone."""


def check(config: Config) -> Callable[[], None]:
    """What says where the service listens, once it does.

    Raises:
        ConfigError: the service can't run with these settings.
        ProgramMissing: it can't run with this Git.
    """
    require_git()
    store = _store_to_serve(config)
    tokens = Tokens(store.repository.git_dir)
    has_tokens = tokens.standing.exist
    config.refuse_open_writes(has_tokens)
    check_address(config.host, config.port)
    if config.mirror is None:
        forget_state(store.repository.git_dir)
    else:
        _ = Database(config.mirror)  # Refuses a URL that is none, and a missing library.
    if config.protect and not has_tokens:
        _LOG.warning(
            "without tokens, users can't be told apart: everybody may merge their own changes;"
            " jobtypes changes merge, here, merges what needs an admin"
        )
        if config.require_approvals:
            _LOG.warning(
                "no approval counts, so nobody may merge: make tokens for those who review"
            )
    with progress_bar("reading the history") as progress:
        catalogue = store.catalogue(progress)
    if lost := tokens.standing.lost:
        _LOG.error("nobody may write: %s", lost)
    elif config.takes_writes and not has_tokens:
        who = "this machine" if is_loopback(config.host) else "the network"
        _LOG.warning("there are no tokens: everybody on %s may write; see jobtypes token", who)
    _LOG.info("starting: %s; %s", _versions(), _settings(config))
    return partial(_announce, config, f"{store.ref}, {len(catalogue.jobtypes())} jobtypes")


def _versions() -> str:
    return ", ".join(f"{name} {version}" for name, version in build().items())


def _settings(config: Config) -> str:
    """The settings that aren't the defaults, without what is secret."""
    shown = []
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name in ("repo", "host", "port") or value != field.default:
            shown.append(f"{field.name}={_shown(field.name, value)}")
    return " ".join(shown)


def _shown(name: str, value: object) -> str:
    if name in SECRET:
        return "***"
    if name in URLS and isinstance(value, str):
        return parse_remote_url(value).shown
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _announce(config: Config, content: str) -> None:
    host = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{host}:{config.port}"
    if config.log_format is LogFormat.JSON:
        _LOG.info("serving %s (%s) at %s", config.repo, content, url)
        return
    click.echo(f"serving {config.repo} ({content}) at {url}")
    url = str(config.public or url)
    click.echo(f"try:  curl {url}/api/v1/jobtypes/")
    click.echo(f"      git clone {url}/jobtypes.git")
    sys.stdout.flush()


def _store_to_serve(config: Config) -> Store:
    """The store, fetched from upstream if one is set and can be reached."""
    if config.upstream is None:
        alone = open_store(config.repo, config.branch, config.checks)
        alone.repository.require_servable(alone.ref)
        state_file(alone.repository).unlink(missing_ok=True)
        return alone
    copy = open_follower(config.repo, config.upstream, config.branch)
    store = Store(copy, config.ref, config.checks)
    has_tip = store.repository.tip(store.ref) is not None
    limit_s = config.fetch_limit_s if has_tip else FIRST_FETCH_LIMIT_S
    state = Upstream(store, config.upstream, limit_s, config.fetch_fsck).fetch()
    if state.error and not has_tip:
        raise UpstreamFailed(state.error)
    store.repository.require_servable(store.ref)
    if state.error or state.refusal:
        _LOG.error("serving what was fetched before: %s", state.error or state.refusal)
    return store
