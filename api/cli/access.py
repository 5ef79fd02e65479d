"""The commands that say who may push, and what stops a push: tokens and hooks."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from api.cli.asking import Place, token_options
from api.cli.completing import complete_token
from api.cli.options import branch_option, checks_options, repo_option, setting
from api.cli.output import format_option, print_json, print_table
from api.client.errors import ServiceRefused
from api.client.tokens import LocalTokens
from api.config import Config
from api.rest.token_models import NewTokenAnswer, TokenAnswer
from gitstore.checks.settings import Checks
from gitstore.errors import BadRequest
from gitstore.format.layout import escaped
from gitstore.git.command import require_git
from gitstore.git.repository import Repository
from hooks.install import PUSHING, RECEIVING, hooks_folder, install_hooks
from hooks.settings import HookSettings


def _span(text: str) -> timedelta:
    """The span of time in *text*, such as 90d."""
    match = re.fullmatch(r"([0-9]{1,4})([hdw])", text)
    if match is None or not int(match[1]):
        raise click.BadParameter(f"{text!r} is no span of time; write 12h, 90d or 4w")
    unit = {"h": "hours", "d": "days", "w": "weeks"}[match[2]]
    return timedelta(**{unit: int(match[1])})


_OPTIONS = {"name": "NAME", "email": "--email", "only": "--only"}
"""What the user calls the fields of a token."""

SOON = timedelta(days=14)
"""A token that ends within this time is named in the list."""


@click.group()
def token() -> None:
    """Make, list, rotate and revoke the tokens with which people and scripts write."""


@token.command("create")
@click.argument("name")
@click.option("--role", type=click.Choice(["read", "write", "admin"]), required=True)
@click.option("--email", help="Stands in the commits made with it.  [default: NAME@localhost]")
@click.option("--only", multiple=True, metavar="PATTERN", help="Limit it to these jobtypes: Nuke*")
@click.option(
    "--expires", type=_span, metavar="SPAN", help="When it ends: 90d, 12h or 4w from now."
)
@token_options
def create_token(
    name: str,
    role: str,
    email: str | None,
    only: tuple[str, ...],
    expires: timedelta | None,
    place: Place,
) -> None:
    """Make a token for NAME and show its secret, this once.

    \b
    read   reads, which needs a token only with --read-needs-token
    write  changes jobtypes, over REST and by git push
    admin  also withdraws, deletes, and pushes past warnings
    """
    tokens = place.tokens()
    if tokens.are_lost:
        click.echo("those who had a token before need new ones: the tokens were lost", err=True)
    try:
        _show(tokens.create(name, role, email, only, expires))
    except (BadRequest, ServiceRefused) as error:
        if error.field not in _OPTIONS:
            raise
        raise click.BadParameter(str(error), param_hint=_OPTIONS[error.field]) from None


def _show(made: NewTokenAnswer) -> None:
    click.echo("Keep it, it is not shown again:", err=True)
    click.echo(escaped(made.secret))


@token.command("rotate")
@click.argument("name", shell_complete=complete_token)
@click.option(
    "--overlap",
    type=_span,
    metavar="SPAN",
    default="1d",
    show_default=True,
    help="For how long the secret before is good.",
)
@click.option(
    "--expires",
    type=_span,
    metavar="SPAN",
    help="When the new one ends.  [default: after as long as before]",
)
@token_options
def rotate_token(name: str, overlap: timedelta, expires: timedelta | None, place: Place) -> None:
    """Make another secret for the token NAME. Both are good for a while."""
    _show(place.tokens().rotate(name, overlap, expires))


@token.command("list")
@token_options
@format_option
def list_tokens(place: Place, form: str) -> None:
    """List the tokens: who may do what, until when, and the day of the last use.

    Their secrets are kept nowhere. Those that end within two weeks are named once more.
    """
    tokens = place.tokens().rows()
    if form == "json":
        print_json(tokens)
    else:
        headings = ("NAME", "ROLE", "ONLY", "EMAIL", "CREATED", "ENDS", "USED")
        print_table([headings, *map(_row, tokens)])
    newest = {token.name: token for token in tokens}
    for token in tokens:
        if token.expires and (words := _left(token, token is newest[token.name])):
            click.echo(escaped(f"{token.name}{words}"), err=True)


def _row(token: TokenAnswer) -> tuple[str, ...]:
    rights = (token.name, token.role, " ".join(token.only) or "-", token.email)
    return (*rights, token.created, token.expires or "never", token.used or "-")


def _left(token: TokenAnswer, is_newest: bool) -> str:
    """How long it is until *token* ends, as the end of a sentence; empty if that is long."""
    assert token.expires
    left = datetime.fromisoformat(token.expires) - datetime.now(UTC)
    if left > SOON:
        return ""
    span = f"in {left.days} days" if left.days > 1 else "within two days"
    if is_newest:
        has_ended = left <= timedelta()
        return " has ended; rotate or revoke it" if has_ended else f" ends {span}; rotate it"
    # Somebody may still use it, but there is another one already.
    return "" if left <= timedelta() else f": the secret before the rotation ends {span}"


@token.command("revoke")
@click.argument("name", shell_complete=complete_token)
@token_options
def revoke_token(name: str, place: Place) -> None:
    """Make the token NAME worthless, from the next request on."""
    place.tokens().revoke(name)
    click.echo(f"revoked {name}")


@token.command("off")
@repo_option
def turn_tokens_off(repo: Path) -> None:
    """Give all tokens up, lost ones too. Then everybody on the service's machine may write.

    A service that other machines reach takes no writes then, unless it has --insecure-writes.
    Nothing else gives tokens up: nobody may write while their file is lost.
    """
    LocalTokens(repo).turn_off()
    click.echo(
        "there are no tokens any more: everybody on this machine may write, if the service listens"
        " on loopback; others only with --insecure-writes"
    )


@click.group()
def hooks() -> None:
    """Git's hooks for repositories that are not pushed to through the service."""


@hooks.command("install")
@repo_option
@branch_option
@setting("--public-url", help="The URL of the service that serves it, for links.")
@checks_options
def install_git_hooks(
    repo: Path, branch: str | None, public_url: str | None, checks: Checks
) -> None:
    """Install the checks as Git's hooks in a bare repository, or in a clone.

    A bare repository checks what it receives over SSH or by path, and publishes tags. A
    clone checks what it is about to push.
    """
    require_git()
    repository = Repository(repo)
    names = RECEIVING if repository.is_bare else PUSHING
    config = Config(repo, branch, public_url=public_url)
    ref = config.ref or repository.default_ref()
    folder = hooks_folder(repository.worktree or repository.git_dir)
    install_hooks(folder, names, HookSettings(ref, checks, url=str(config.public or "")))
    click.echo(f"installed {', '.join(names)} in {folder}, for {ref}")
