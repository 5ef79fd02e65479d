"""The commands that say who may push, and what stops a push: tokens and hooks."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click

from api.cli.completing import complete_token
from api.cli.options import branch_option, checks_options, repo_option, setting
from api.cli.output import format_option, print_rows
from api.config import Config
from gitstore.branch.access import Role
from gitstore.branch.token_use import TokenUse
from gitstore.branch.tokens import Tokens
from gitstore.branch.tokens_file import EMAIL, NAME, PATTERN
from gitstore.checks.settings import Checks
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
@repo_option
def create_token(
    name: str,
    role: str,
    email: str | None,
    only: tuple[str, ...],
    expires: timedelta | None,
    repo: Path,
) -> None:
    """Make a token for NAME and show its secret, this once.

    \b
    read   reads, which needs a token only with --read-needs-token
    write  changes jobtypes, over REST and by git push
    admin  also withdraws, deletes, and pushes past warnings
    """
    if not NAME.fullmatch(name):
        message = (
            "write letters, digits, space and . _ + -, and begin and end with one of the first two"
        )
        raise click.BadParameter(message, param_hint="NAME")
    address = email or f"{name.replace(' ', '.')}@localhost"
    if not EMAIL.fullmatch(address):
        raise click.BadParameter("this is no mail address", param_hint="--email")
    for pattern in only:
        if not PATTERN.fullmatch(pattern):
            message = f"{pattern!r} matches no jobtype; write a name or a pattern like Nuke*"
            raise click.BadParameter(f"{message}, one for each --only", param_hint="--only")
    tokens = _tokens(repo)
    if tokens.standing.lost:
        click.echo("those who had a token before need new ones: the tokens were lost", err=True)
    _show(tokens.create(name, Role[role.upper()], address, only, expires))


def _show(secret: str) -> None:
    click.echo("Keep it, it is not shown again:", err=True)
    click.echo(secret)


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
@repo_option
def rotate_token(name: str, overlap: timedelta, expires: timedelta | None, repo: Path) -> None:
    """Make another secret for the token NAME. Both are good for a while."""
    _show(_tokens(repo).rotate(name, overlap, expires))


@token.command("list")
@repo_option
@format_option
def list_tokens(repo: Path, form: str) -> None:
    """List the tokens: who may do what, until when, and the day of the last use.

    Their secrets are kept nowhere. Those that end within two weeks are named once more.
    """
    rows = [("NAME", "ROLE", "ONLY", "EMAIL", "CREATED", "ENDS", "USED")]
    days = TokenUse(Repository(repo).git_dir).days()
    soon = []
    for row in _tokens(repo).rows():
        used = days.get(row.fingerprint, "-")
        only = " ".join(row.only) or "-"
        ends = row.expires or "never"
        rows.append((row.name, row.role, only, row.email, row.created, ends, used))
        if row.expires and (words := _left(datetime.fromisoformat(row.expires))):
            soon.append(f"{row.name} {words}")
    print_rows(rows, form)
    for line in soon:
        click.echo(line, err=True)


def _left(end: datetime) -> str:
    """How long it is until *end*, as the end of a sentence; empty if that is long."""
    left = end - datetime.now(UTC)
    if left <= timedelta():
        return "has ended; rotate or revoke it"
    return f"ends in {left.days} days; rotate it" if left <= SOON else ""


@token.command("revoke")
@click.argument("name", shell_complete=complete_token)
@repo_option
def revoke_token(name: str, repo: Path) -> None:
    """Make the token NAME worthless, from the next request on."""
    _tokens(repo).revoke(name)
    click.echo(f"revoked {name}")


@token.command("off")
@repo_option
def turn_tokens_off(repo: Path) -> None:
    """Give all tokens up, lost ones too: then everybody who reaches the service may write.

    Nothing else does: where there were tokens, nobody may write while their file is lost.
    """
    _tokens(repo).turn_off()
    click.echo("there are no tokens any more: everybody who reaches the service may write")


def _tokens(repo: Path) -> Tokens:
    return Tokens(Repository(repo).git_dir)


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
