"""What ``jobtypes serve`` checks and prints before the service runs."""

from __future__ import annotations

import logging
import sys

import click

from api.cli.opening import open_store
from api.cli.output import progress_bar
from api.config import Config, is_loopback
from api.server.address import check_address
from api.telemetry import logs
from gitstore.branch.store import Store
from gitstore.branch.tokens import Tokens
from gitstore.branch.upstream import Upstream, open_follower
from gitstore.branch.upstream_state import state_file
from gitstore.errors import UpstreamFailed
from gitstore.pyfarm.database import Database
from gitstore.pyfarm.state import forget_state

_LOG = logging.getLogger(__name__)

FIRST_FETCH_LIMIT_S = 600
"""How long the first fetch may take, which may be a whole clone."""


def check_and_announce(config: Config) -> None:
    """Raise an error if the service can't run; print what it serves and where."""
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
        click.echo(
            "without tokens, users can't be told apart: everybody may merge their own changes"
        )
        click.echo("jobtypes changes merge, here, merges what needs an admin")
        if config.require_approvals:
            click.echo("no approval counts, so nobody may merge: make tokens for those who review")
    with progress_bar("reading the history") as progress:
        catalogue = store.catalogue(progress)
    _announce(config, f"{store.ref}, {len(catalogue.jobtypes())} jobtypes")
    logs.set_up(config.log_format)
    if lost := tokens.standing.lost:
        _LOG.error("nobody may write: %s", lost)
    elif config.takes_writes and not has_tokens:
        who = "this machine" if is_loopback(config.host) else "the network"
        _LOG.warning("there are no tokens: everybody on %s may write; see jobtypes token", who)


def _announce(config: Config, content: str) -> None:
    host = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{host}:{config.port}"
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
        click.echo(f"serving what was fetched before: {state.error or state.refusal}", err=True)
    return store
