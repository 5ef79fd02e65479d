"""The command line ``jobtypes``."""

from __future__ import annotations

import logging
import sys
from dataclasses import replace
from pathlib import Path

import click

from api.cli import access, farm, reading, reviewing
from api.cli.options import (
    EXIT_OURS,
    EXIT_USER,
    branch_option,
    open_store,
    progress_bar,
    raw_checks_options,
    repo_option,
    setting,
)
from api.cli.variables import environment, unknown_variables
from api.config import Config, ConfigError, Writes, is_loopback, read_config_file
from api.telemetry import logs
from api.telemetry.logs import LogFormat
from api.worker.sockets import check_address
from gitstore.branch.setup import create_repository, sample_path
from gitstore.branch.store import Store
from gitstore.branch.tokens import Tokens
from gitstore.branch.upstream import Upstream, open_follower, state_file
from gitstore.checks.settings import CodeChecks
from gitstore.errors import Damaged, FarmFailed, StorageFailed, StoreError, UpstreamFailed
from gitstore.format.layout import CODE_LIMIT_BYTES, YAML_LIMIT_BYTES

_LOG = logging.getLogger(__name__)

_UNIX = ("fcntl", "resource")
"""Modules of Python's that Windows lacks."""

FIRST_FETCH_LIMIT_S = 600
"""How long the first fetch may take, which may be a whole clone."""


class _Group(click.Group):
    """Turns what the packages raise into a sentence and an exit status."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (StoreError, ConfigError) as error:
            click.echo(f"jobtypes: {error}", err=True)
            ctx.exit(
                EXIT_OURS if isinstance(error, StorageFailed | Damaged | FarmFailed) else EXIT_USER
            )
        except BrokenPipeError:
            raise  # The reader of the output has seen enough; click ends quietly.
        except OSError as error:
            click.echo(f"jobtypes: {error}", err=True)
            ctx.exit(EXIT_OURS)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    envvar="JOBTYPES_CONFIG",
    show_envvar=True,
    help="A TOML file with settings; options and JOBTYPES_* variables are stronger.",
)
@click.version_option(package_name="jobtype-repository")
@click.pass_context
def main(ctx: click.Context, config: Path | None) -> None:
    """Serve and look after a Git repository of jobtypes.

    Exit status: 0 good, 1 something is wrong with what was given, 2 a wrong option,
    3 the machine failed.
    """
    logs.set_up(LogFormat.PLAIN)
    for warning in unknown_variables(environment()):
        click.echo(f"jobtypes: {warning}", err=True)
    if config is not None:
        settings = read_config_file(config)
        ctx.default_map = _for_each_command(main, settings)


def _for_each_command(group: click.Group, settings: dict[str, object]) -> dict[str, object]:
    return {
        name: _for_each_command(command, settings) if isinstance(command, click.Group) else settings
        for name, command in group.commands.items()
    }


@main.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--sample", is_flag=True, help="Fill it with the sample jobtypes.")
@setting("--branch", default="main", help="The branch to serve.")
def init(path: Path, sample: bool, branch: str) -> None:
    """Make a bare repository of jobtypes at PATH, ready to be served and cloned."""
    commit = create_repository(path, branch, sample_path() if sample else None)
    click.echo(f"made {path}, a bare repository with the branch {branch} at {commit[:10]}")
    click.echo(f"serve it:  jobtypes serve --repo {path}")


@main.command()
@repo_option
@branch_option
@setting("--host", help="The address to listen at.")
@setting("--port", type=click.IntRange(1, 65535), help="The port.")
@setting("--public-url", help="The URL that clients reach it at, through a proxy.")
@setting("--workers", type=click.IntRange(1, 256), help="Worker processes.")
@setting("--threads", type=click.IntRange(4, 1024), help="Threads a worker.")
@setting("--connections", type=click.IntRange(16), help="Connections at once, a worker.")
@setting("--connection-idle-s", type=click.IntRange(1), help="Seconds to wait for a request.")
@setting("--answer-idle-s", type=click.IntRange(1), help="Seconds until an answer is given up.")
@setting("--read-only", is_flag=True, help="Take no writes.")
@setting("--insecure-writes", is_flag=True, help="Take anybody's writes, beyond loopback too.")
@setting("--read-needs-token", is_flag=True, help="Let nobody read without a token.")
@setting("--body-limit-bytes", type=click.IntRange(1024), help="Size of a REST body.")
@setting("--body-limit-s", type=click.IntRange(1), help="Seconds to wait for a REST body.")
@setting("--code-limit-bytes", type=click.IntRange(1, CODE_LIMIT_BYTES), help="Size of code.")
@setting("--meta-limit-bytes", type=click.IntRange(1, YAML_LIMIT_BYTES), help="Size of a YAML.")
@setting("--push-limit-bytes", type=click.IntRange(1024), help="Size of a push.")
@setting("--push-jobtypes-limit", type=click.IntRange(1), help="Jobtypes that a push changes.")
@setting("--push-refs-limit", type=click.IntRange(1), help="Refs that a push moves.")
@setting("--file-limit-bytes", type=click.IntRange(1024), help="Size of another file.")
@setting("--tree-limit-bytes", type=click.IntRange(1024), help="Size of all files of a push.")
@setting("--write-places", type=click.IntRange(1), help="REST writes at once, a worker.")
@setting("--write-limit-s", type=click.IntRange(1), help="Seconds that a write may lose races.")
@setting("--review-places", type=click.IntRange(1), help="Previews at once, a worker.")
@setting("--git-places", type=click.IntRange(1), help="Clones and pushes at once, a worker.")
@setting("--git-idle-s", type=click.IntRange(1), help="Seconds until a hanging clone is ended.")
@setting("--git-limit-s", type=click.IntRange(1), help="Seconds that a clone or push may take.")
@setting("--housekeeping-s", type=click.IntRange(1), help="Seconds between two housekeepings.")
@setting("--protect", is_flag=True, help="Move the branch by merges alone, and by admins.")
@setting("--upstream", help="Follow the repository at this URL; --repo is its local copy.")
@setting(
    "--writes",
    type=click.Choice([w.value for w in Writes]),
    help="With an upstream, what becomes of REST writes: pushed there, or there for review.",
)
@setting(
    "--poll-s",
    "--poll",
    type=click.IntRange(1),
    help="Seconds between two fetches from upstream.",
)
@setting("--fetch-limit-s", type=click.IntRange(1), help="Seconds until a fetch is given up.")
@setting("--fetch-pause-s", type=click.IntRange(0), help="Seconds between two fetches at least.")
@setting("--upstream-stale-s", type=click.IntRange(1), help="Age at which health complains.")
@setting("--webhook-secret", help="The secret that the forge signs its webhooks with.")
@setting(
    "--log-format",
    type=click.Choice([f.value for f in LogFormat]),
    help="How the log is written: for people, or as JSON lines.",
)
@setting("--access-log/--no-access-log", help="Log a line for each request.")
@setting("--hot-bytes", type=click.IntRange(0), help="Memory for ready answers; 0 for none.")
@setting("--hot-path/--no-hot-path", help="Send ready answers before Flask is asked.")
@raw_checks_options
def serve(repo: Path, code_checks: str, writes: str, log_format: str, **settings: object) -> None:
    """Serve the jobtypes of a repository over HTTP."""
    try:
        # The server's import costs every other command time.
        from api.server.serve import serve as run
    except ModuleNotFoundError as error:
        if error.name not in _UNIX:
            raise
        raise ConfigError("serve runs on Linux and macOS; the other commands run here") from None

    config = replace(
        Config(
            repo.resolve(),
            code_checks=CodeChecks(code_checks),
            writes=Writes(writes),
            log_format=LogFormat(log_format),
        ),
        **settings,  # type: ignore[arg-type]  # click has converted each to its field's type
    )
    # What that reads is let go of: the workers are forks, and have their own.
    _check_and_announce(config)
    run(config)


def _check_and_announce(config: Config) -> None:
    """Refuse to serve what can't be served, and say what is."""
    store = _store_to_serve(config)
    tokens = Tokens(store.repository.git_dir)
    has_tokens = tokens.exist
    config.refuse_open_writes(has_tokens)
    check_address(config.host, config.port)
    if config.protect and not has_tokens:
        click.echo("without tokens nobody can be told apart: everybody may merge their own changes")
        click.echo("jobtypes changes merge, here, merges what needs an admin")
    with progress_bar("reading the history") as progress:
        catalogue = store.catalogue(progress)
    host = f"[{config.host}]" if ":" in config.host else config.host
    url = f"http://{host}:{config.port}"
    click.echo(
        f"serving {config.repo} ({store.ref}, {len(catalogue.jobtypes())} jobtypes) at {url}"
    )
    url = str(config.public or url)
    click.echo(f"try:  curl {url}/api/v1/jobtypes/")
    click.echo(f"      git clone {url}/jobtypes.git")
    sys.stdout.flush()
    logs.set_up(config.log_format)
    if lost := tokens.standing.lost:
        _LOG.error("nobody may write: %s", lost)
    elif config.takes_writes and not has_tokens:
        who = "this machine" if is_loopback(config.host) else "the network"
        _LOG.warning("there are no tokens: everybody on %s may write; see jobtypes token", who)


def _store_to_serve(config: Config) -> Store:
    """The store, fetched from upstream where there is one and it can be reached."""
    if config.upstream is None:
        alone = open_store(config.repo, config.branch, config.checks)
        alone.repository.require_servable(alone.ref)
        state_file(alone.repository).unlink(missing_ok=True)
        return alone
    store = Store(open_follower(config.repo, config.upstream, config.branch), config.ref)
    has_tip = store.repository.tip(store.ref) is not None
    limit_s = config.fetch_limit_s if has_tip else FIRST_FETCH_LIMIT_S
    state = Upstream(store, config.upstream, limit_s).fetch()
    if state.error and not has_tip:
        raise UpstreamFailed(state.error)
    store.repository.require_servable(store.ref)
    if state.error or state.refusal:
        click.echo(f"serving what was fetched before: {state.error or state.refusal}", err=True)
    return store


@main.command()
@click.option("--rebuild", is_flag=True, help="Read the whole history again.")
@repo_option
@branch_option
def index(rebuild: bool, repo: Path, branch: str | None) -> None:
    """Show or rebuild the history's cache on disk.

    The service keeps it by itself; deleting it costs one slow start and nothing else.
    """
    store = open_store(repo, branch)
    with progress_bar("reading the history") as progress:
        catalogue = store.rebuild_index(progress) if rebuild else store.catalogue(progress)
    history = catalogue.history
    versions = sum(len(j.versions) for j in (*history.jobtypes.values(), *history.ended))
    click.echo(
        f"{store.ref}: {history.counters.steps} steps, {len(history.jobtypes)} jobtypes,"
        f" {versions} versions; index {store.index.path}"
    )


for _command in (
    reading.check,
    reading.list_,
    reading.log,
    reading.show,
    reading.diff,
    reviewing.changes,
    reviewing.summary,
    access.token,
    access.hooks,
    farm.import_,
    farm.compare,
):
    main.add_command(_command)
