"""Where a command asks: the options --repo, --branch and --url, and what they come to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from api.cli.opening import find_repository, open_served, open_store
from api.cli.options import branch_option, repo_option
from api.cli.variables import environment
from api.client.address import find_origin, parse_service_url
from api.client.local import LocalSource
from api.client.tokens import LocalTokens, RemoteTokens
from gitstore.checks.settings import Checks
from gitstore.errors import NoRepository, Refused

if TYPE_CHECKING:
    from api.client.source import Source
    from api.client.transport import Service

_RANKS = (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT, ParameterSource.DEFAULT_MAP)
"""Where a value comes from, the strongest first; anything else is no choice of the user's."""

url_option = click.option(
    "--url",
    envvar="JOBTYPES_URL",
    show_envvar=True,
    metavar="URL",
    help="The service to ask instead of a repository: http://farm:8080",
)


@dataclass(frozen=True, slots=True)
class Place:
    """The service at *url*; if that is None, the repository at *repo*, and a branch of it.

    *is_named* is whether the user named the service. Else a clone's settings did, which may be
    anybody's.
    """

    repo: Path
    branch: str | None
    url: str | None
    is_named: bool = True

    def source(self, checks: Checks | None = None, require_approvals: int = 0) -> Source:
        """What answers; the parameters are for a repository that is written to.

        Raises:
            NoRepository: there is none.
        """
        if self.url is not None:
            return self._remote(self.url)
        with _advised():
            store = open_store(self.repo, self.branch, checks)
        store.approvals_required = require_approvals
        return LocalSource(store)

    def upstream_source(self) -> Source:
        """Like source; in a clone, the branch that it came from answers."""
        if self.url is not None:
            return self._remote(self.url)
        with _advised():
            return LocalSource(open_served(self.repo, self.branch))

    def tokens(self) -> LocalTokens | RemoteTokens:
        """Where the tokens are."""
        if self.url is not None:
            return RemoteTokens(self._service(self.url))
        with _advised():
            try:
                return LocalTokens(self.repo)
            except Refused as error:
                raise Refused(f"{error}, or the service with --url") from None

    def _remote(self, url: str) -> Source:
        # Imported here: a repository needs no HTTP.
        from api.client.remote import RemoteSource

        return RemoteSource(self._service(url))

    def _service(self, url: str) -> Service:
        from api.client.login import TOKEN_VARIABLE
        from api.client.transport import Service

        token = environment().get(TOKEN_VARIABLE)
        return Service(parse_service_url(url), token, self.is_named)


@contextmanager
def _advised() -> Iterator[None]:
    """Let an error about a missing repository name the options."""
    try:
        yield
    except NoRepository as error:
        raise NoRepository(f"{error}; --repo names one, and --url a service") from None


def place_options(command: Callable[..., object]) -> Callable[..., object]:
    """Add the options; *command* gets what they come to as ``place``."""
    return _with_place(command, asks_origin=False)


def service_options(command: Callable[..., object]) -> Callable[..., object]:
    """As place_options, for what clones don't have: a clone asks the service it came from."""
    return _with_place(command, asks_origin=True)


def token_options(command: Callable[..., object]) -> Callable[..., object]:
    """As service_options, for what no branch has."""
    return _with_place(command, asks_origin=True, has_branch=False)


def _with_place(
    command: Callable[..., object], asks_origin: bool, has_branch: bool = True
) -> Callable[..., object]:
    @functools.wraps(command)
    def with_place(
        repo: Path, url: str | None, branch: str | None = None, **others: object
    ) -> object:
        place = _place(click.get_current_context(), repo, branch, url, asks_origin)
        return command(place=place, **others)

    asked = url_option(with_place)
    return repo_option(branch_option(asked) if has_branch else asked)


def _place(
    ctx: click.Context, repo: Path, branch: str | None, url: str | None, asks_origin: bool
) -> Place:
    """What the options come to. What the user says now wins over what the environment says."""
    ranks = {name: _rank(ctx, name) for name in ("repo", "url")}
    is_named = ranks["url"] < len(_RANKS)
    if min(ranks.values()) == len(_RANKS):
        origin = find_origin(repo) if asks_origin else None
        if origin is not None:
            base = parse_service_url(origin).base
            click.echo(f"jobtypes: asking {base}, where this clone came from", err=True)
        url = origin
        # As Git, from any folder of a clone.
        repo = find_repository(repo) or repo
    elif ranks["repo"] == ranks["url"]:
        names = ("--repo", "--url") if not ranks["url"] else ("JOBTYPES_REPO", "JOBTYPES_URL")
        raise click.UsageError(f"{' and '.join(names)} exclude each other; use one of them")
    elif ranks["repo"] < ranks["url"]:
        url = None
    if url is not None and _rank(ctx, "branch") == 0:
        raise click.UsageError("--branch is for a repository; a service has its own branch")
    return Place(repo, branch, url, is_named)


def require_repository(place: Place, *names: str) -> None:
    """Raise if the user gave one of the options *names*, which a service has by itself.

    Raises:
        UsageError: they did, and asked a service.
    """
    ctx = click.get_current_context()
    for name in names if place.url else ():
        if _rank(ctx, name) == 0:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option} is for a repository; a service has its own settings")


def typed_options() -> list[str]:
    """The words by which the user said on the command line where it asks, for another command.

    A name and a password that the URL has are left out: output is kept and shown.
    """
    ctx = click.get_current_context()
    words = []
    for name in ("repo", "branch", "url"):
        if _rank(ctx, name) == 0:
            value = str(ctx.params[name])
            words += [f"--{name}", parse_service_url(value).base if name == "url" else value]
    return words


def _rank(ctx: click.Context, name: str) -> int:
    source = ctx.get_parameter_source(name)
    return _RANKS.index(source) if source in _RANKS else len(_RANKS)
